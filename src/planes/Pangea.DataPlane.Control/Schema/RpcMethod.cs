using System.Text.Json.Serialization.Metadata;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Control.Schema;

/// <summary>Who may call a method.</summary>
public enum RpcScope
{
    /// <summary>Any peer of the control socket; the supervisor answers by itself.</summary>
    Supervisor,

    /// <summary>
    /// Any peer of the control socket; the supervisor forwards it to the storage worker.
    /// </summary>
    Forwarded,

    /// <summary>Only the supervisor, on a worker's channel.</summary>
    Worker,
}

/// <summary>
/// One row of the method table: everything that decoder, dispatcher, client, reference document and
/// fuzz seeds need to know about a method.
/// </summary>
public abstract class RpcMethod
{
    /// <summary><c>area.verb</c>.</summary>
    public required string Name { get; init; }

    /// <summary>One sentence for people.</summary>
    public required string Summary { get; init; }

    public required RpcScope Scope { get; init; }

    /// <summary>In the order of the reference document.</summary>
    public required IReadOnlyList<RpcField> Parameters { get; init; }

    /// <summary>Members of the result object; empty for a notification.</summary>
    public required IReadOnlyList<RpcField> Result { get; init; }

    /// <summary>
    /// Descriptors that must come with the call; -1 where the parameters say how many. A public
    /// method with -1 takes one or none.
    /// </summary>
    public int Descriptors { get; init; }

    /// <summary>What the descriptor must be, for people; null where none is taken.</summary>
    public string? DescriptorDoc { get; init; }

    /// <summary>True where no reply is sent.</summary>
    public bool IsNotification { get; init; }

    /// <summary>
    /// The failures particular to this method; those of JSON-RPC itself go without saying.
    /// </summary>
    public IReadOnlyList<FaultCode> Errors { get; init; } = [];

    /// <summary>
    /// Seconds after which a caller may give the call up; 0 for transfers, which may take as long
    /// as bytes move (see <see cref="Limits.TransferIdleSecondsMax"/>).
    /// </summary>
    public int TimeoutSeconds { get; init; } = 10;

    /// <summary>An example of the parameters, as JSON; a seed for fuzzing too.</summary>
    public string Example { get; init; } = "{}";

    /// <summary>
    /// The serializer's view of the parameters, for the test that compares it with the table.
    /// </summary>
    public abstract JsonTypeInfo ParametersType { get; }

    /// <inheritdoc cref="ParametersType"/>
    public abstract JsonTypeInfo ResultType { get; }

    public bool IsPublic => Scope != RpcScope.Worker;

    public override string ToString() => Name;
}

/// <summary>A method with the records that carry its parameters and its result.</summary>
public sealed class RpcMethod<TParameters, TResult> : RpcMethod
{
    private JsonTypeInfo<TParameters>? _parametersJson;
    private JsonTypeInfo<TResult>? _resultJson;

    /// <summary>
    /// Where the serializer's code comes from. Functions, because a command of the tool needs the
    /// code of one method, and compiling that of all took a third of its start.
    /// </summary>
    public required Func<JsonTypeInfo<TParameters>> ParametersCode { private get; init; }

    /// <inheritdoc cref="ParametersCode"/>
    public required Func<JsonTypeInfo<TResult>> ResultCode { private get; init; }

    public JsonTypeInfo<TParameters> ParametersJson => _parametersJson ??= ParametersCode();

    public JsonTypeInfo<TResult> ResultJson => _resultJson ??= ResultCode();

    public override JsonTypeInfo ParametersType => ParametersJson;

    public override JsonTypeInfo ResultType => ResultJson;
}
