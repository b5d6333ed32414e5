using Pangea.DataPlane.Control.Wire;

namespace Pangea.DataPlane.Control.Connection;

/// <summary>
/// Is told of every call that a connection delivers and of every answer to one, on the loop's
/// thread. Must be quick.
/// </summary>
public interface IRpcCallObserver
{
    /// <summary>Before the peer gets it.</summary>
    void OnCall(RpcMessage call);

    /// <summary>The line as it is sent; <see cref="RpcOutcome"/> reads it.</summary>
    void OnAnswer(ReadOnlySpan<byte> line);
}
