using Pangea.DataPlane.Core;
using static Pangea.DataPlane.Control.Schema.RpcFields;
using static Pangea.DataPlane.Control.Schema.RpcType;

namespace Pangea.DataPlane.Control.Schema;

/// <summary>
/// The methods of the control socket about worker processes; the supervisor answers.
/// </summary>
public static class WorkerControlMethods
{
    private static readonly RpcField s_index = Number(
        "index", "number of the worker", 0, Limits.WorkersMax - 1);

    public static readonly RpcMethod<WorkerIndexParameters, WorkerRestartResult> Restart = new()
    {
        Name = "worker.restart",
        Summary = "Ends a worker once its calls are done and starts it again; calls wait.",
        Scope = RpcScope.Supervisor,
        Parameters = [s_index],
        Result =
        [
            s_index,
            new("drained", Flag, "whether its calls were done within 30 s; others failed"),
            Number("pid", "process id of the new one"),
        ],
        Errors =
            [FaultCode.NotFound, FaultCode.Busy, FaultCode.BadState, FaultCode.WorkerLost],
        TimeoutSeconds = 120,
        Example = """{"index":0}""",
        ParametersCode = () => ControlJson.Default.WorkerIndexParameters,
        ResultCode = () => ControlJson.Default.WorkerRestartResult,
    };

    /// <summary>In the order of the reference document.</summary>
    public static readonly IReadOnlyList<RpcMethod> All = [Restart];

    /// <summary>The fault for a number that no worker has.</summary>
    public static Fault NoSuchWorker(int index) => new(
        FaultCode.NotFound, $"there is no worker {index}", "pangea worker list shows them");
}
