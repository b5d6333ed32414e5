using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Text;

namespace Pangea.DataPlane.Supervisor.Firewall;

/// <summary>
/// Reads the file of rules and what it includes, as the user that the supervisor runs as. Remembers
/// a digest of all that it read: the same text again is no new rule set.
/// </summary>
internal sealed class RuleFiles : IDisposable
{
    /// <summary>Of one file; a list of a million prefixes has 20 MB.</summary>
    public const long FileBytesMax = 64 * 1024 * 1024;

    private const int FilesMax = 10_000;

    private readonly IncrementalHash _digest = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly string _folder;
    private int _files;

    private RuleFiles(string folder) => _folder = folder;

    /// <summary>The rule set of a file, or everything that is wrong with it.</summary>
    /// <param name="path">Full path; includes are relative to its folder.</param>
    public static Result<(RuleTextResult Rules, string Digest)> Read(string path)
    {
        using var files = new RuleFiles(Path.GetDirectoryName(path) ?? "/");
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
        return (rules, Convert.ToHexStringLower(files._digest.GetHashAndReset()));
    }

    /// <summary>All errors in one fault, one a line.</summary>
    public static Fault FaultOf(IReadOnlyList<RuleError> errors) => new(
        FaultCode.InvalidParameters,
        string.Join('\n', errors),
        "nothing has changed; docs/firewall.md describes the text of rules",
        "text");

    public void Dispose() => _digest.Dispose();

    private Result<IReadOnlyList<ListFile>> Include(string name)
    {
        string path = Path.GetFullPath(name, _folder);
        try
        {
            string[] all = Directory.Exists(path)
                ? [.. Directory.EnumerateFiles(path)
                    .Where(each => !Path.GetFileName(each).StartsWith('.'))
                    .Order(StringComparer.Ordinal)]
                : [path];
            List<ListFile> lists = [];
            foreach (string each in all)
            {
                Result<string> text = Text(each);
                if (!text.IsOk)
                {
                    return text.Fault;
                }

                lists.Add(new ListFile(each, text.Value));
            }

            return lists;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new Fault(FaultCode.Io, $"cannot read {path}: {e.Message}");
        }
    }

    private Result<string> Text(string path)
    {
        try
        {
            var info = new FileInfo(path);
            if (!info.Exists || (info.Attributes & FileAttributes.Device) != 0)
            {
                return new Fault(FaultCode.NotFound, $"there is no file {path}");
            }

            if (info.Length > FileBytesMax || ++_files > FilesMax)
            {
                return new Fault(
                    FaultCode.TooLarge,
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"{path}: {FilesMax} files of {FileBytesMax} bytes are the most"));
            }

            string text = File.ReadAllText(path);
            _digest.AppendData(Encoding.UTF8.GetBytes($"{path}\0{text.Length}\0"));
            _digest.AppendData(Encoding.UTF8.GetBytes(text));
            return text;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new Fault(FaultCode.Io, $"cannot read {path}: {e.Message}");
        }
    }
}
