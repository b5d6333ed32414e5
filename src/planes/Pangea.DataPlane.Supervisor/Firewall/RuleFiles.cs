using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Text;

namespace Pangea.DataPlane.Supervisor.Firewall;

/// <summary>
/// Reads the file of rules and what it includes, as the user that the supervisor runs as. Remembers
/// a digest of all that it read: the same text again is no new rule set.
/// </summary>
internal sealed class RuleFiles
{
    /// <summary>Of one file; a list of a million prefixes has 20 MB.</summary>
    public const long FileBytesMax = 64 * 1024 * 1024;

    private TextDigest _digest;
    private readonly Func<string, Result<IReadOnlyList<ListFile>>> _include;

    private RuleFiles(string path) => _include = ListFiles.Beside(path);

    /// <summary>The rule set of a file, or everything that is wrong with it.</summary>
    /// <param name="path">Full path; includes are relative to its folder.</param>
    public static Result<(RuleTextResult Rules, string Digest)> Read(string path)
    {
        var files = new RuleFiles(path);
        Result<string> text = files.Text(path);
        if (!text.IsOk)
        {
            return text.Fault with
            {
                Hint = "the file of rules must be readable by the appliance's user",
                Field = "firewall.rules",
            };
        }

        RuleTextResult rules = RuleText.Parse(text.Value, path, files.Include);
        return (rules, files._digest.ToString());
    }

    /// <summary>All errors in one fault, one a line.</summary>
    public static Fault FaultOf(IReadOnlyList<RuleError> errors) => new(
        FaultCode.InvalidParameters,
        string.Join('\n', errors),
        "nothing has changed; docs/firewall.md describes the text of rules",
        "text");

    private Result<IReadOnlyList<ListFile>> Include(string name)
    {
        Result<IReadOnlyList<ListFile>> lists = _include(name);
        foreach (ListFile list in lists.IsOk ? lists.Value : [])
        {
            _digest.Add(list.Name);
            _digest.Add(list.Text);
        }

        return lists;
    }

    private Result<string> Text(string path)
    {
        try
        {
            var info = new FileInfo(path);
            if (!info.Exists)
            {
                return new Fault(FaultCode.NotFound, $"there is no file {path}");
            }

            if (info.Length > FileBytesMax)
            {
                return new Fault(
                    FaultCode.TooLarge, $"{path} has more than {FileBytesMax} bytes");
            }

            // A pipe or a device has no length. It is never read: that might not end.
            string text = info.Length == 0 ? "" : File.ReadAllText(path);
            _digest.Add(path);
            _digest.Add(text);
            return text;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new Fault(FaultCode.Io, $"cannot read {path}: {e.Message}");
        }
    }
}
