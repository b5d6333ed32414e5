namespace Pangea.DataPlane.Control.Wire;

/// <summary>The four kinds of line.</summary>
public enum RpcKind
{
    /// <summary>A call that wants a reply.</summary>
    Request,

    /// <summary>A call without an id: no reply.</summary>
    Notification,

    /// <summary>A reply with a result.</summary>
    Result,

    /// <summary>A reply with an error.</summary>
    Error,
}

/// <summary>
/// One well-formed line, cut into its parts without being translated: whoever forwards it replaces
/// the id and sends the very same bytes. Made by <see cref="RpcParser"/>; immutable.
/// </summary>
public sealed class RpcMessage
{
    internal RpcMessage(
        RpcKind kind,
        ReadOnlyMemory<byte> line,
        ReadOnlyMemory<byte> id,
        string method,
        ReadOnlyMemory<byte> body)
    {
        Kind = kind;
        Line = line;
        Id = id;
        Method = method;
        Body = body;
    }

    public RpcKind Kind { get; }

    /// <summary>The whole line without its newline.</summary>
    public ReadOnlyMemory<byte> Line { get; }

    /// <summary>
    /// The id exactly as it was written (a number keeps its text), a part of <see cref="Line"/>;
    /// empty for a notification.
    /// </summary>
    public ReadOnlyMemory<byte> Id { get; }

    /// <summary>Name of the method; empty for a reply.</summary>
    public string Method { get; }

    /// <summary>
    /// The raw JSON that matters, a part of <see cref="Line"/>: parameters of a call (empty when
    /// absent), result, or error object.
    /// </summary>
    public ReadOnlyMemory<byte> Body { get; }

    /// <summary>The parameters of a call; empty when absent.</summary>
    public ReadOnlyMemory<byte> Parameters =>
        Kind is RpcKind.Request or RpcKind.Notification ? Body : default;

    /// <summary>The id as an integer, as we number our own calls; null for any other id.</summary>
    public long? IdNumber => RpcIds.TryParse(Id.Span, out long number) ? number : null;
}

/// <summary>A line that is no message: what to answer.</summary>
/// <param name="Fault">Why.</param>
/// <param name="Id">The id to answer with, raw; "null" where it could not be told.</param>
public sealed record RpcRefusal(Core.Fault Fault, ReadOnlyMemory<byte> Id);
