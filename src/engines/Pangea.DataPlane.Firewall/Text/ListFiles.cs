using System.Text;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Firewall.Text;

/// <summary>
/// Reads what a rule file includes: a file, or every file of a folder in the order of their names.
/// The only place of the engine that opens files, so that the tool and the appliance understand the
/// same text in the same way.
/// </summary>
public sealed class ListFiles
{
    /// <summary>Four million prefixes of the longest kind have less.</summary>
    public const long BytesMax = 256L * 1024 * 1024;

    /// <summary>Files of one folder; the world has 250 countries.</summary>
    public const int FilesMax = 4096;

    private readonly string _folder;
    private long _bytesLeft;

    private ListFiles(string folder, long bytesMax)
    {
        _folder = folder;
        _bytesLeft = bytesMax;
    }

    /// <summary>What reads the includes of one rule file.</summary>
    /// <param name="ruleFile">Its path; relative includes are beside it.</param>
    /// <param name="bytesMax">Bound of all included bytes together.</param>
    public static Func<string, Result<IReadOnlyList<ListFile>>> Beside(
        string ruleFile, long bytesMax = BytesMax) =>
        new ListFiles(Path.GetDirectoryName(ruleFile) ?? "", bytesMax).Read;

    private Result<IReadOnlyList<ListFile>> Read(string include)
    {
        string path = Path.Combine(_folder, include);
        try
        {
            if (!Directory.Exists(path))
            {
                Result<ListFile> file = ReadFile(path);
                return file.IsOk ? (ListFile[])[file.Value] : file.Fault;
            }

            List<ListFile> files = [];
            foreach (string each in Directory.EnumerateFiles(path)
                .Where(IsList).Order(StringComparer.Ordinal))
            {
                if (files.Count == FilesMax)
                {
                    return new Fault(
                        FaultCode.TooLarge, $"{path} has more than {FilesMax} files");
                }

                Result<ListFile> file = ReadFile(each);
                if (!file.IsOk)
                {
                    return file.Fault;
                }

                files.Add(file.Value);
            }

            return files;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new Fault(FaultCode.BadDescriptor, $"{path} cannot be read: {e.Message}");
        }
    }

    /// <summary>Editors and version control leave other files beside the lists.</summary>
    private static bool IsList(string path) =>
        Path.GetFileName(path) is { } name && name[0] != '.' && name[^1] != '~';

    private Result<ListFile> ReadFile(string path)
    {
        if (!File.Exists(path))
        {
            return new Fault(FaultCode.NotFound, $"there is no file or folder {path}");
        }

        // A pipe or a device has no length. It is never opened: reading it would not end.
        long bytes = new FileInfo(path).Length;
        if (bytes == 0)
        {
            string full = Path.GetFullPath(path);
            return full.StartsWith("/dev/", StringComparison.Ordinal)
                || full.StartsWith("/proc/", StringComparison.Ordinal)
                ? new Fault(FaultCode.BadDescriptor, $"{path} is no regular file")
                : new ListFile(path, "");
        }

        if (bytes > _bytesLeft)
        {
            return new Fault(
                FaultCode.TooLarge, $"{path} is too large, or more than all lists may have");
        }

        _bytesLeft -= bytes;
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        byte[] content = new byte[bytes];
        int read = stream.ReadAtLeast(content, content.Length, throwOnEndOfStream: false);
        return new ListFile(path, Encoding.UTF8.GetString(content, 0, read).TrimStart('\ufeff'));
    }
}
