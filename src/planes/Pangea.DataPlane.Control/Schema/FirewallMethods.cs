using Pangea.DataPlane.Core;
using static Pangea.DataPlane.Control.Schema.RpcFields;
using static Pangea.DataPlane.Control.Schema.RpcType;

namespace Pangea.DataPlane.Control.Schema;

/// <summary>
/// The methods of the control socket about the firewall, its interfaces, bans and statistics; those
/// about rules are in <see cref="FirewallRuleMethods"/>. Rows of the table
/// <see cref="RpcMethods"/>.
/// </summary>
public static class FirewallMethods
{
    public static readonly RpcMethod<Nothing, FirewallStatusResult> Status = new()
    {
        Name = "firewall.status",
        Summary = "Tells whether the firewall is on, where it judges packets, and why there.",
        Scope = RpcScope.Supervisor,
        Parameters = [],
        Result =
        [
            new("enabled", Flag, "whether the configuration has a section `firewall`"),
            new RpcField("reason", Text, "why it is off, or what it cannot do").Optional(),
            new("interfaces", RecordList, "those it guards or is to guard")
            {
                Fields = FirewallFields.InterfaceStatus,
            },
            FirewallFields.Generation,
            Number("rules", "rules in use"),
            Number("prefixes", "prefixes of its sets and rules"),
            Choice("rulesFrom", "where the rules in use are from: nowhere, the configured file, "
                + "the state directory or a call", "none", "file", "state", "call"),
            new RpcField("rulesFile", Text, "the configured file").Optional(),
            Choice("default", "what happens where no rule matches", "allow", "deny"),
            new("monitor", Flag, "whether all rules only count"),
            new RpcField("confirmBefore", Time, "when an unconfirmed change is taken back, UTC")
                .Optional(),
            Number("bans", "banned sources"),
            Number("bansMax", "room for them"),
            Number("imageBytes", "bytes of the compiled rules"),
            Number("mapBytes", "bytes of all maps in the kernel").Optional(),
            new("warnings", TextList, "unknown interfaces, shadowed rules; one sentence each"),
        ],
        ParametersCode = () => ControlJson.Default.Nothing,
        ResultCode = () => ControlJson.Default.FirewallStatusResult,
    };

    public static readonly RpcMethod<FirewallAttachParameters, FirewallInterface> Attach = new()
    {
        Name = "firewall.attach",
        Summary = "Guards an interface, now and after each restart; says which mode it came to.",
        Scope = RpcScope.Supervisor,
        Parameters =
        [
            FirewallFields.Interface, FirewallFields.Mode.Optional(),
            FirewallFields.Force.Optional(),
        ],
        Result = FirewallFields.InterfaceStatus,
        Errors =
        [
            FaultCode.NotFound, FaultCode.Exists, FaultCode.BadState, FaultCode.Unsupported,
            FaultCode.Denied, FaultCode.NoSpace, FaultCode.Io,
        ],
        TimeoutSeconds = 60,
        Example = """{"interface":"eth0","mode":"auto"}""",
        ParametersCode = () => ControlJson.Default.FirewallAttachParameters,
        ResultCode = () => ControlJson.Default.FirewallInterface,
    };

    public static readonly RpcMethod<FirewallDetachParameters, FirewallDetachResult> Detach = new()
    {
        Name = "firewall.detach",
        Summary = "Leaves an interface, or all, and nothing behind in the kernel.",
        Scope = RpcScope.Supervisor,
        Parameters = [FirewallFields.Interface.Optional()],
        Result = [new("interfaces", TextList, "those that were attached")],
        Errors = [FaultCode.NotFound, FaultCode.BadState, FaultCode.Denied, FaultCode.Io],
        TimeoutSeconds = 60,
        Example = """{"interface":"eth0"}""",
        ParametersCode = () => ControlJson.Default.FirewallDetachParameters,
        ResultCode = () => ControlJson.Default.FirewallDetachResult,
    };

    public static readonly RpcMethod<FirewallBanParameters, FirewallBan> Ban = new()
    {
        Name = "firewall.ban",
        Summary = "Drops everything from a source, for a time or until it is taken back.",
        Scope = RpcScope.Supervisor,
        Parameters =
        [
            new("address", Text, "address, or /64 of IPv6; other prefixes need a rule"),
            Number("forSeconds", "absent: until it is taken back", 1, Limits.TtlSecondsMax)
                .Optional(),
            new RpcField("comment", Text, "why, for the list").Optional(),
        ],
        Result = FirewallFields.Ban,
        Errors = [FaultCode.BadState, FaultCode.NoSpace, FaultCode.Denied, FaultCode.Io],
        Example = """{"address":"192.0.2.1","forSeconds":600}""",
        ParametersCode = () => ControlJson.Default.FirewallBanParameters,
        ResultCode = () => ControlJson.Default.FirewallBan,
    };

    public static readonly RpcMethod<FirewallUnbanParameters, FirewallUnbanResult> Unban = new()
    {
        Name = "firewall.unban",
        Summary = "Takes the ban of a source back, or all bans.",
        Scope = RpcScope.Supervisor,
        Parameters =
        [
            new RpcField("address", Text, "address, or /64 of IPv6").Optional(),
            new RpcField("all", Flag, "all of them; then no address").Optional(),
        ],
        Result = [Number("removed", "bans that were taken back")],
        Errors = [FaultCode.NotFound, FaultCode.BadState, FaultCode.Io],
        TimeoutSeconds = 60,
        Example = """{"address":"192.0.2.1"}""",
        ParametersCode = () => ControlJson.Default.FirewallUnbanParameters,
        ResultCode = () => ControlJson.Default.FirewallUnbanResult,
    };

    public static readonly RpcMethod<FirewallBansParameters, FirewallBansResult> Bans = new()
    {
        Name = "firewall.bans",
        Summary = "Lists the banned sources, one page at a time.",
        Scope = RpcScope.Supervisor,
        Parameters =
        [
            new RpcField("after", Text, "`next` of the page before").Optional(),
            Number("limit", "entries of the page", 1, Limits.ListPageMax).Optional(),
        ],
        Result =
        [
            new("bans", RecordList, "by address") { Fields = FirewallFields.Ban },
            Number("total", "banned sources, in all"),
            new RpcField("next", Text, "pass as `after` for the next page; absent on the last")
                .Optional(),
        ],
        Errors = [FaultCode.BadState, FaultCode.Io],
        TimeoutSeconds = 30,
        Example = """{"limit":100}""",
        ParametersCode = () => ControlJson.Default.FirewallBansParameters,
        ResultCode = () => ControlJson.Default.FirewallBansResult,
    };

    public static readonly RpcMethod<Nothing, FirewallStatsResult> Stats = new()
    {
        Name = "firewall.stats",
        Summary = "Counts packets and bytes by what decided about them.",
        Scope = RpcScope.Supervisor,
        Parameters = [],
        Result =
        [
            new("reasons", RecordList, "in the order of the tests")
            {
                Fields = [FirewallFields.Reason, .. FirewallFields.Count],
            },
            new("malformed", RecordList, "ways of being malformed that were seen")
            {
                Fields =
                [
                    new("kind", Text, "as in the statement `malformed`"),
                    Number("packets", "packets"),
                    Number("bytes", "bytes of these"),
                ],
            },
            new("interfaces", RecordList, "as in `firewall.status`")
            {
                Fields = FirewallFields.InterfaceStatus,
            },
            Number("bans", "banned sources"),
            Number("bansRefused", "bans of rules that found no room"),
        ],
        Errors = [FaultCode.BadState, FaultCode.Io],
        ParametersCode = () => ControlJson.Default.Nothing,
        ResultCode = () => ControlJson.Default.FirewallStatsResult,
    };

    public static readonly RpcMethod<FirewallEventsParameters, FirewallEventsResult> Events = new()
    {
        Name = "firewall.events",
        Summary = "Tells samples of what was dropped; call it again with `next` to follow.",
        Scope = RpcScope.Supervisor,
        Parameters =
        [
            Number("after", "only events of a higher sequence").Optional(),
            Number("limit", "events of the page", 1, Limits.ListPageMax).Optional(),
        ],
        Result =
        [
            new("events", RecordList, "oldest first")
            {
                Fields =
                [
                    Number("sequence", "from 1; a gap says that samples were given up"),
                    new("time", Time, "UTC"),
                    new RpcField("interface", Text, "where it came in").Optional(),
                    FirewallFields.Verdict,
                    FirewallFields.Reason,
                    FirewallFields.Malformed,
                    .. FirewallFields.Decider,
                    new("packet", Text, "in one line for people"),
                    Number("frameBytes", "length of the frame"),
                    new("head", Text, "its first bytes, hexadecimal"),
                ],
            },
            Number("next", "pass as `after` of the next call"),
        ],
        Errors = [FaultCode.BadState, FaultCode.Io],
        Example = """{"after":0,"limit":100}""",
        ParametersCode = () => ControlJson.Default.FirewallEventsParameters,
        ResultCode = () => ControlJson.Default.FirewallEventsResult,
    };

    public static readonly RpcMethod<FirewallTestParameters, FirewallTestResult> Test = new()
    {
        Name = "firewall.test",
        Summary = "Judges frames by the rules in use, and says why; charges and bans nothing.",
        Scope = RpcScope.Supervisor,
        Parameters =
        [
            new("frames", RecordList, $"at most {FirewallFields.FramesMax}")
            {
                Fields =
                [
                    new("hex", Text, "from the destination MAC address on, hexadecimal"),
                    Number("frameBytes", "length of the frame where only its head is given",
                        0, 1 << 20).Optional(),
                ],
            },
            FirewallFields.Interface.Optional(),
        ],
        Result =
        [
            new("verdicts", RecordList, "one for each frame")
            {
                Fields =
                [
                    FirewallFields.Verdict,
                    FirewallFields.Reason,
                    FirewallFields.Malformed,
                    .. FirewallFields.Decider,
                    new("packet", Text, "in one line for people"),
                    new("explanation", Text, "what decided, in one sentence"),
                    new("alsoMatching", TextList, "later rules that match too; the first few"),
                ],
            },
        ],
        Errors = [FaultCode.BadState, FaultCode.TooLarge],
        Example = """{"frames":[{"hex":"ffffffffffff0200000000010806"}],"interface":"eth0"}""",
        ParametersCode = () => ControlJson.Default.FirewallTestParameters,
        ResultCode = () => ControlJson.Default.FirewallTestResult,
    };

    /// <summary>In the order of the reference document.</summary>
    public static readonly IReadOnlyList<RpcMethod> All =
    [
        Status, Attach, Detach, .. FirewallRuleMethods.All, Ban, Unban, Bans, Stats, Events, Test,
    ];
}
