using System.Text.Json.Serialization;

namespace Pangea.DataPlane.Cli;

/// <summary>One thing the machine can do or the appliance chose.</summary>
internal sealed record Capability(string Where, string What, string Value, string? Reason);

/// <summary>Generated serializer of what only the tool prints.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(List<Capability>))]
internal sealed partial class CliJson : JsonSerializerContext;
