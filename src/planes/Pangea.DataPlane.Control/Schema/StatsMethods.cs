using Pangea.DataPlane.Core;
using static Pangea.DataPlane.Control.Schema.RpcFields;
using static Pangea.DataPlane.Control.Schema.RpcType;

namespace Pangea.DataPlane.Control.Schema;

/// <summary>Statistics and the flight recorder, read from memory that processes share.</summary>
public static class StatsMethods
{
    private static readonly RpcField s_process = Number("pid", "process id");

    public static readonly RpcMethod<Nothing, StatsReadResult> Read = new()
    {
        Name = "stats.read",
        Summary = "Reads the statistics of every process; costs none of them anything.",
        Scope = RpcScope.Supervisor,
        Parameters = [],
        Result =
        [
            new("processes", RecordList, "supervisor and workers")
            {
                Fields =
                [
                    new("role", Text, "`supervisor` or `storage`"),
                    Number("index", "number of the worker; 0 for the supervisor"),
                    s_process,
                    Number("heartbeats", "turns of its loop that it reported"),
                    new("metrics", RecordList, "values since it started")
                    {
                        Fields =
                        [
                            new("name", Text, "`pangea_area_noun_unit`"),
                            new("unit", Text, "what is counted"),
                            Choice("kind", "how it moves", "counter", "gauge", "histogram"),
                            new("help", Text, "one phrase"),
                            Number("value", "of a histogram: sum of all values", long.MinValue),
                            new RpcField("buckets", RecordList, "of a histogram").Optional() with
                            {
                                Fields =
                                [
                                    Number("upTo", "inclusive; absent: no bound").Optional(),
                                    Number("count", "values in this bucket alone"),
                                ],
                            },
                        ],
                    },
                ],
            },
        ],
        ParametersCode = () => ControlJson.Default.Nothing,
        ResultCode = () => ControlJson.Default.StatsReadResult,
    };

    public static readonly RpcMethod<WorkerIndexParameters, PostmortemResult> Postmortem = new()
    {
        Name = "worker.postmortem",
        Summary = "Tells the last events of the worker process that died last, or of this one.",
        Scope = RpcScope.Supervisor,
        Parameters = [Number("index", "number of the worker", 0, Limits.WorkersMax - 1)],
        Result =
        [
            Number("index", "number of the worker"),
            s_process,
            new RpcField("ended", Time, "when it was found dead; absent: none has died").Optional(),
            new RpcField("status", Text, "how it ended: `exit 0`, `signal 9`").Optional(),
            Number("heartbeats", "turns of its loop that it reported"),
            new("events", RecordList, "oldest first, at most 1024")
            {
                Fields =
                [
                    Number("sequence", "from 1, without gaps"),
                    new("time", Time, "UTC"),
                    new("kind", Text,
                        "`start`, `ready`, `callBegan`, `callEnded`, `device`, `stop`"),
                    Number("number", "call id, device index or process id", long.MinValue),
                    Number("code", "code of a fault", int.MinValue, int.MaxValue).Optional(),
                    new RpcField("text", Text, "method, or state of the device").Optional(),
                ],
            },
        ],
        Errors = [FaultCode.NotFound],
        Example = """{"index":0}""",
        ParametersCode = () => ControlJson.Default.WorkerIndexParameters,
        ResultCode = () => ControlJson.Default.PostmortemResult,
    };

    /// <summary>In the order of the reference document.</summary>
    public static readonly IReadOnlyList<RpcMethod> All = [Read, Postmortem];
}
