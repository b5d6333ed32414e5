using Pangea.DataPlane.Control.Wire;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Control.Connection;

/// <summary>
/// What a connection tells its owner, always on the loop's thread and never inside a send.
/// </summary>
public interface IRpcPeer
{
    /// <summary>
    /// One well-formed message. Descriptors that the handler does not take before it returns are
    /// closed; a handler that needs them later takes them.
    /// </summary>
    void OnMessage(RpcConnection connection, RpcMessage message, DescriptorSet descriptors);

    /// <summary>
    /// A line that is no message. A server has answered it already; for a client it means that the
    /// other end is not sane.
    /// </summary>
    void OnRefused(RpcConnection connection, RpcRefusal refusal);

    /// <summary>
    /// The connection is closed; called once. A null fault: the other end left in good order.
    /// </summary>
    void OnClosed(RpcConnection connection, Fault? fault);
}
