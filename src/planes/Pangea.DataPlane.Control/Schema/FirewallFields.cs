using Pangea.DataPlane.Core;
using static Pangea.DataPlane.Control.Schema.RpcFields;
using static Pangea.DataPlane.Control.Schema.RpcType;

namespace Pangea.DataPlane.Control.Schema;

/// <summary>Fields that the methods about the firewall share.</summary>
internal static class FirewallFields
{
    /// <summary>Frames of one <c>firewall.test</c>.</summary>
    public const int FramesMax = 64;

    public static readonly RpcField Confirm = Number(
        "confirmSeconds",
        "the last confirmed rules come back after this time unless `firewall.confirm` is called",
        1, FirewallRuleMethods.ConfirmSecondsMax).Optional();

    public static readonly RpcField Interface = new(
        "interface", Text, "name of the interface");

    public static readonly RpcField Mode = Choice(
        "mode", "where packets are judged; `auto`: the first that works, from left to right",
        "auto", "native", "generic", "userspace");

    public static readonly RpcField Force = new(
        "force", Flag, "replace the XDP program of somebody else");

    public static readonly RpcField Generation = Number(
        "generation", "number of the rule set in use, goes up with every change");

    public static readonly RpcField Reason = Choice(
        "reason", "which test decided",
        "essential", "malformed", "pinned", "ban", "rate", "rule", "default");

    public static readonly RpcField Verdict = Choice(
        "verdict", "what became of the packet; `wouldDrop`: passed, being only monitored",
        "pass", "drop", "wouldDrop");

    public static readonly RpcField Malformed = new RpcField(
        "malformed", Text, "in what way, as in the statement `malformed`").Optional();

    public static readonly RpcField[] InterfaceStatus =
    [
        new("name", Text, "name of the interface"),
        new("present", Flag, "whether it exists now"),
        Mode with { Name = "wanted", Doc = "what was asked for" },
        Choice("mode", "where its packets are judged now",
            "native", "generic", "userspace", "none"),
        new RpcField("reason", Text, "why not a better one, or why none").Optional(),
        new("configured", Flag, "whether the configuration names it"),
        Force,
        Number("index", "the kernel's number of it").Optional(),
        Number("programId", "the kernel's number of the program").Optional(),
    ];

    /// <summary>What a change of the rules came to.</summary>
    public static readonly RpcField[] Change =
    [
        new("applied", Flag, "whether the rules are in use now; not if they were only checked"),
        Generation,
        Number("rules", "rules of the set"),
        Number("prefixes", "prefixes of its sets and rules"),
        new("warnings", TextList, "shadowed rules, unknown interfaces; one sentence each"),
        new("errors", RecordList, "all of them, where the rules were only checked")
        {
            Fields =
            [
                Number("line", "from 1"),
                Number("column", "from 1, in characters"),
                new("message", Text, "what is wrong with which value"),
            ],
        },
        Number("number", "of the rule that was added or removed, from 1").Optional(),
        new RpcField("confirmBefore", Time, "when the change is taken back, UTC").Optional(),
    ];

    public static readonly RpcField[] Rule =
    [
        Number("number", "place in the set from 1; good for one generation"),
        new RpcField("name", Text, "lasts over changes").Optional(),
        new("text", Text, "the rule, written canonically; cut where it is very long"),
        new RpcField("owner", Text, "as written").Optional(),
        new RpcField("comment", Text, "as written").Optional(),
        new RpcField("expires", Time, "from then on it is gone, UTC").Optional(),
        Number("packets", "packets it decided, or charged where it is a limit"),
        Number("bytes", "their bytes"),
        Number("drops", "packets of these that dropped"),
        Number("wouldDrop", "packets of these that passed because of monitoring").Optional(),
        Number("shadowedBy", "number of the earlier rule that leaves nothing to this one")
            .Optional(),
    ];

    public static readonly RpcField[] Ban =
    [
        new("address", Text, "address, or /64 of IPv6"),
        new RpcField("expires", Time, "when it ends, UTC; absent: never").Optional(),
        new RpcField("comment", Text, "as given").Optional(),
        Choice("origin", "who banned it, where that is known", "operator", "rule", "plane")
            .Optional(),
    ];

    public static readonly RpcField[] Count =
    [
        Number("passedPackets", "packets that passed"),
        Number("passedBytes", "bytes of these"),
        Number("droppedPackets", "packets that dropped"),
        Number("droppedBytes", "bytes of these"),
        Number("wouldDropPackets", "packets that passed only because of monitoring"),
        Number("wouldDropBytes", "bytes of these"),
    ];

    /// <summary>Which rule, where one decided.</summary>
    public static readonly RpcField[] Decider =
    [
        Number("number", "place of the rule in the set, from 1").Optional(),
        new RpcField("name", Text, "name of the rule").Optional(),
        new RpcField("rule", Text, "text of the rule or pin").Optional(),
    ];
}
