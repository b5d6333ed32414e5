using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Supervisor.State;

/// <content>The firewall's files.</content>
public sealed partial class StateDirectory
{
    private const string FirewallPrefix = "firewall.";

    /// <summary>The text of a file of the firewall; null where there is none.</summary>
    internal Result<string?> ReadFirewall(string name)
    {
        Invariant.Check(name.StartsWith(FirewallPrefix, StringComparison.Ordinal));
        string path = System.IO.Path.Combine(_root, name);
        try
        {
            return File.Exists(path) ? File.ReadAllText(path) : (Result<string?>)(string?)null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new Fault(FaultCode.Io, $"cannot read {Path}/{name}: {e.Message}");
        }
    }

    /// <summary>Replaces such a file as a whole, durable.</summary>
    internal Fault? WriteFirewall(string name, ReadOnlySpan<byte> content)
    {
        Invariant.Check(name.StartsWith(FirewallPrefix, StringComparison.Ordinal));
        return WriteNew(_root, name, content, replace: true);
    }
}
