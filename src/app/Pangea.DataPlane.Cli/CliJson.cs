using System.Text.Json.Serialization;

namespace Pangea.DataPlane.Cli;

/// <summary>One thing the machine can do or the appliance chose.</summary>
internal sealed record Capability(string Where, string What, string Value, string? Reason);

/// <summary>Everything that is wrong in a rule file and its lists.</summary>
internal sealed record RuleFileErrors(IReadOnlyList<RuleFileError> Errors);

/// <summary>One of it; the text is the line at fault.</summary>
internal sealed record RuleFileError(
    string File, int Line, int Column, string Message, string? Text);

/// <summary>Generated serializer of what only the tool prints.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(List<Capability>))]
[JsonSerializable(typeof(RuleFileErrors))]
internal sealed partial class CliJson : JsonSerializerContext;
