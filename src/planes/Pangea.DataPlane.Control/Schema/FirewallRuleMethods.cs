using Pangea.DataPlane.Core;
using static Pangea.DataPlane.Control.Schema.RpcFields;
using static Pangea.DataPlane.Control.Schema.RpcType;

namespace Pangea.DataPlane.Control.Schema;

/// <summary>
/// The methods about the rules of the firewall; see <see cref="FirewallMethods"/>.
/// </summary>
public static class FirewallRuleMethods
{
    /// <summary>A day: what nobody confirms until then was forgotten.</summary>
    public const int ConfirmSecondsMax = 24 * 3600;

    /// <summary>Every call that changes the rules can meet these.</summary>
    private static readonly FaultCode[] s_changeErrors =
    [
        FaultCode.BadState, FaultCode.Busy, FaultCode.TooLarge, FaultCode.NoSpace,
        FaultCode.Unsupported, FaultCode.Denied, FaultCode.Io,
    ];

    public static readonly RpcMethod<FirewallRuleListParameters, FirewallRuleListResult> List =
        new()
        {
            Name = "firewall.rule.list",
            Summary = "Lists the rules in use with their counters, one page at a time.",
            Scope = RpcScope.Supervisor,
            Parameters =
            [
                Number("after", "only rules of higher numbers", 0, int.MaxValue).Optional(),
                Number("limit", "rules of the page", 1, Limits.ListPageMax).Optional(),
                Number("generation", "refuse unless these rules are still in use").Optional(),
            ],
            Result =
            [
                new("rules", RecordList, "in the order of the set")
                {
                    Fields = FirewallFields.Rule,
                },
                FirewallFields.Generation,
                Number("total", "rules of the set"),
                Number("next", "pass as `after` for the next page; absent on the last")
                    .Optional(),
            ],
            Errors = [FaultCode.BadState, FaultCode.Io],
            TimeoutSeconds = 30,
            Example = """{"limit":100}""",
            ParametersCode = () => ControlJson.Default.FirewallRuleListParameters,
            ResultCode = () => ControlJson.Default.FirewallRuleListResult,
        };

    public static readonly RpcMethod<FirewallRuleAddParameters, FirewallChangeResult> Add = new()
    {
        Name = "firewall.rule.add",
        Summary = "Adds a rule, as the last or at a place.",
        Scope = RpcScope.Supervisor,
        Parameters =
        [
            new("text", Text, "one rule; it may name sets of the rules in use"),
            Number("number", "its place from 1; absent: the last", 1, int.MaxValue).Optional(),
            FirewallFields.Confirm,
        ],
        Result = FirewallFields.Change,
        Errors = [FaultCode.Exists, .. s_changeErrors],
        TimeoutSeconds = 60,
        Example = """{"text":"deny from 192.0.2.0/24 name bad","confirmSeconds":30}""",
        ParametersCode = () => ControlJson.Default.FirewallRuleAddParameters,
        ResultCode = () => ControlJson.Default.FirewallChangeResult,
    };

    public static readonly RpcMethod<FirewallRuleRemoveParameters, FirewallChangeResult> Remove =
        new()
        {
            Name = "firewall.rule.remove",
            Summary = "Removes a rule by its name, or by its number in a generation.",
            Scope = RpcScope.Supervisor,
            Parameters =
            [
                new RpcField("name", Text, "name of the rule").Optional(),
                Number("number", "or its place, from 1", 1, int.MaxValue).Optional(),
                Number("generation", "of the list that the number is from").Optional(),
                FirewallFields.Confirm,
            ],
            Result = FirewallFields.Change,
            Errors = [FaultCode.NotFound, .. s_changeErrors],
            TimeoutSeconds = 60,
            Example = """{"name":"bad"}""",
            ParametersCode = () => ControlJson.Default.FirewallRuleRemoveParameters,
            ResultCode = () => ControlJson.Default.FirewallChangeResult,
        };

    /// <summary>
    /// A text with errors is refused as a whole, with all of them in the fault, one a line; with
    /// checkOnly they are records of the result. An error must not look like a success to who reads
    /// only half of a reply.
    /// </summary>
    public static readonly RpcMethod<FirewallRuleReplaceParameters, FirewallChangeResult> Replace =
        new()
        {
            Name = "firewall.rule.replace",
            Summary = "Puts a whole rule set in the place of the one in use, or only checks it.",
            Scope = RpcScope.Supervisor,
            Parameters =
            [
                new RpcField("text", Text, "the rule set; absent: in the descriptor").Optional(),
                Number("generation", "refuse unless these rules are still in use").Optional(),
                new RpcField("checkOnly", Flag,
                    "change nothing; all errors and warnings are in the result").Optional(),
                FirewallFields.Confirm,
            ],
            Descriptors = -1,
            DescriptorDoc =
                "where `text` is absent, one that is open for reading, read to its end. A text "
                + "that includes files must have them inserted by the caller",
            Result = FirewallFields.Change,
            Errors = [FaultCode.BadDescriptor, .. s_changeErrors],
            TimeoutSeconds = 60,
            Example = """{"text":"default deny\npin from 192.0.2.1\n","confirmSeconds":30}""",
            ParametersCode = () => ControlJson.Default.FirewallRuleReplaceParameters,
            ResultCode = () => ControlJson.Default.FirewallChangeResult,
        };

    public static readonly RpcMethod<Nothing, FirewallRuleExportResult> Export = new()
    {
        Name = "firewall.rule.export",
        Summary = "Gives the rules in use as text that `firewall.rule.replace` takes back.",
        Scope = RpcScope.Supervisor,
        Parameters = [],
        Descriptors = -1,
        DescriptorDoc =
            "one that is open for writing gets the text; without it the text is in the result, "
            + "or refused with `tooLarge`",
        Result =
        [
            FirewallFields.Generation,
            Number("bytes", "of the text, in UTF-8"),
            new RpcField("text", Text, "absent where a descriptor took it").Optional(),
        ],
        Errors =
        [
            FaultCode.BadState, FaultCode.TooLarge, FaultCode.BadDescriptor, FaultCode.NoSpace,
            FaultCode.Io,
        ],
        TimeoutSeconds = 60,
        ParametersCode = () => ControlJson.Default.Nothing,
        ResultCode = () => ControlJson.Default.FirewallRuleExportResult,
    };

    public static readonly RpcMethod<Nothing, FirewallChangeResult> Confirm = new()
    {
        Name = "firewall.confirm",
        Summary = "Keeps the change that waits to be confirmed.",
        Scope = RpcScope.Supervisor,
        Parameters = [],
        Result = FirewallFields.Change,
        Errors = [FaultCode.BadState, FaultCode.NoSpace, FaultCode.Io],
        ParametersCode = () => ControlJson.Default.Nothing,
        ResultCode = () => ControlJson.Default.FirewallChangeResult,
    };

    public static readonly RpcMethod<Nothing, FirewallChangeResult> Rollback = new()
    {
        Name = "firewall.rollback",
        Summary = "Takes the change that waits to be confirmed back at once.",
        Scope = RpcScope.Supervisor,
        Parameters = [],
        Result = FirewallFields.Change,
        Errors = s_changeErrors,
        TimeoutSeconds = 60,
        ParametersCode = () => ControlJson.Default.Nothing,
        ResultCode = () => ControlJson.Default.FirewallChangeResult,
    };

    /// <summary>In the order of the reference document.</summary>
    public static readonly IReadOnlyList<RpcMethod> All =
        [List, Add, Remove, Replace, Export, Confirm, Rollback];
}
