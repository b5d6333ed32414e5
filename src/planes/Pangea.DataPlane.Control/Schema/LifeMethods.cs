using Pangea.DataPlane.Core;
using static Pangea.DataPlane.Control.Schema.RpcFields;
using static Pangea.DataPlane.Control.Schema.RpcType;

namespace Pangea.DataPlane.Control.Schema;

/// <summary>
/// The methods about the life of the whole appliance: new configuration, new program.
/// </summary>
public static class LifeMethods
{
    public static readonly RpcMethod<Nothing, ConfigReloadResult> ConfigReload = new()
    {
        Name = "config.reload",
        Summary =
            "Reads the configuration again; a wrong one changes nothing and is said to be.",
        Scope = RpcScope.Supervisor,
        Parameters = [],
        Result =
        [
            new("changes", RecordList, "what is different now")
            {
                Fields =
                [
                    new("key", Text, "as in the file: `storage.compression`"),
                    Choice("effect",
                        "in force now, brought by a drained restart of the worker, or kept as it "
                            + "was until the appliance is started anew",
                        "now", "worker", "start"),
                ],
            },
        ],
        Errors =
        [
            FaultCode.InvalidParameters, FaultCode.NotFound, FaultCode.Busy, FaultCode.BadState,
            FaultCode.WorkerLost,
        ],
        TimeoutSeconds = 120,
        ParametersCode = () => ControlJson.Default.Nothing,
        ResultCode = () => ControlJson.Default.ConfigReloadResult,
    };

    public static readonly RpcMethod<Nothing, SystemUpgradeResult> SystemUpgrade = new()
    {
        Name = "system.upgrade",
        Summary =
            "Goes on with the program that is installed now; calls wait, connections stay open.",
        Scope = RpcScope.Supervisor,
        Parameters = [],
        Result =
        [
            new("program", Text, "what goes on"),
            new("drained", Flag, "whether all calls were done within 30 s; others failed"),
        ],
        Errors = [FaultCode.BadState, FaultCode.Busy],
        TimeoutSeconds = 120,
        ParametersCode = () => ControlJson.Default.Nothing,
        ResultCode = () => ControlJson.Default.SystemUpgradeResult,
    };

    /// <summary>In the order of the reference document.</summary>
    public static readonly IReadOnlyList<RpcMethod> All = [ConfigReload, SystemUpgrade];

    /// <summary>Of <c>system.status</c>.</summary>
    public static readonly RpcField Privilege = new RpcField(
        "privilege", RecordList, "what supervisor and warden keep of root").Optional() with
    {
        Fields =
        [
            Choice("process", "which one", "supervisor", "warden"),
            Number("pid", "process id"),
            Number("uid", "user it runs as"),
            new("capabilities", Text, "effective and permitted, hexadecimal"),
            new("noNewPrivileges", Flag, "whether an exec can gain none"),
            new("kept", TextList, "each capability and what it is for"),
        ],
    };
}
