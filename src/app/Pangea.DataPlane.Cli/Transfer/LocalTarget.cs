using System.Security.Cryptography;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Cli.Transfer;

/// <summary>
/// Where a fetched object goes. A regular file is written under another name beside the target,
/// synced and renamed only when it is complete, so a failed or interrupted <c>get</c> leaves
/// nothing under the final name. Standard output, pipes and devices are written to directly.
/// </summary>
internal sealed class LocalTarget : IDisposable
{
    private readonly DirectoryFd? _directory;
    private readonly string _temporaryName = "";
    private readonly string _name = "";
    private readonly bool _replace;

    private LocalTarget(OwnedFd file, string shown)
    {
        File = file;
        Shown = shown;
    }

    private LocalTarget(
        DirectoryFd directory,
        OwnedFd file,
        string temporaryName,
        string name,
        string shown,
        bool replace)
        : this(file, shown)
    {
        _directory = directory;
        _temporaryName = temporaryName;
        _name = name;
        _replace = replace;
    }

    public OwnedFd File { get; }

    /// <summary>The target as a person would name it.</summary>
    public string Shown { get; }

    /// <summary>Opens the target.</summary>
    /// <param name="output">
    /// A path, "-", or null for the object's last name part in this directory.
    /// </param>
    /// <param name="objectName">Name of the object.</param>
    public static Result<LocalTarget> Open(string? output, string objectName)
    {
        if (output == "-")
        {
            return new LocalTarget(OwnedFd.Borrow(1), "standard output");
        }

        string path = output ?? LastPart(objectName);
        bool intoDirectory = output is not null && Directory.Exists(output);
        if ((output is null || intoDirectory) && LastPart(objectName).Length == 0)
        {
            return Fault.InvalidParameter(
                "output", $"'{objectName}' does not end in a file name", "say where: -o FILE");
        }

        if (intoDirectory)
        {
            // As cp does: into the directory, under the object's own name.
            path = Path.Combine(path, LastPart(objectName));
        }

        return OpenPath(path, replace: output is not null);
    }

    /// <summary>Makes the complete file appear under its name, durably.</summary>
    public Fault? Commit()
    {
        if (_directory is null)
        {
            return null;
        }

        SysResult done = Files.Sync(File, dataOnly: false);
        if (!done.IsOk)
        {
            return done.Errno.ToFault($"sync {Shown}");
        }

        done = _directory.Rename(_temporaryName, _directory, _name, _replace);
        if (!done.IsOk)
        {
            return done.Errno == Errno.EEXIST ? Taken(Shown) : done.Errno.ToFault($"name {Shown}");
        }

        done = _directory.Sync();
        return done.IsOk ? null : done.Errno.ToFault($"sync the directory of {Shown}");
    }

    /// <summary>Removes what was written so far; harmless after <see cref="Commit"/>.</summary>
    public void Abandon() => _directory?.RemoveFile(_temporaryName);

    public void Dispose()
    {
        File.Dispose();
        _directory?.Dispose();
    }

    private static Result<LocalTarget> OpenPath(string path, bool replace)
    {
        string parent = Path.GetDirectoryName(path) is { Length: > 0 } named ? named : ".";
        Result<DirectoryFd> directory = DirectoryFd.Open(parent);
        if (!directory.IsOk)
        {
            return Explain(directory.Fault, parent);
        }

        string name = Path.GetFileName(path);
        SysResult found = directory.Value.StatusOf(name, out FileStatus status);
        bool regular = !found.IsOk || status.Kind is FileKind.Regular or FileKind.SymbolicLink;
        if (found.IsOk && status.Kind == FileKind.SymbolicLink && System.IO.File.Exists(path))
        {
            // A link to a device (/dev/stdout) is written to; a link to a file is replaced by the
            // file.
            Result<OwnedFd> opened = Files.Open(path, OpenFlags.Read | OpenFlags.NonBlocking);
            regular = opened.IsOk && IsRegular(opened.Value);
        }

        if (found.IsOk && regular && !replace)
        {
            directory.Value.Dispose();
            return Taken(path);
        }

        if (!regular)
        {
            directory.Value.Dispose();
            Result<OwnedFd> stream = Files.Open(path, OpenFlags.Write);
            return stream.IsOk ? new LocalTarget(stream.Value, path) : Explain(stream.Fault, path);
        }

        string temporary =
            $".pangea-get-{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(6))}.part";
        Result<OwnedFd> file = Create(directory.Value, temporary);
        if (!file.IsOk)
        {
            directory.Value.Dispose();
            return Explain(file.Fault, parent);
        }

        return new LocalTarget(directory.Value, file.Value, temporary, name, path, replace);
    }

    /// <summary>
    /// A new file, past the page cache where the file system can: it is durable before it gets its
    /// name, so writing it to memory first would only take longer (experiment 0011).
    /// </summary>
    private static Result<OwnedFd> Create(DirectoryFd directory, string name)
    {
        const OpenFlags flags =
            OpenFlags.Read | OpenFlags.Write | OpenFlags.Create | OpenFlags.Exclusive;
        const int mode = 0x1B6; // 0666, narrowed by the umask as for any new file
        Result<OwnedFd> file = directory.OpenFile(name, flags | OpenFlags.Direct, mode);
        if (file.Fault is { } fault && fault.Errno == Errno.EINVAL.Value)
        {
            // open(2): the file is made even where O_DIRECT is refused.
            directory.RemoveFile(name);
            return directory.OpenFile(name, flags, mode);
        }

        return file;
    }

    private static bool IsRegular(OwnedFd file)
    {
        using (file)
        {
            return Files.KindOf(file) == FileKind.Regular;
        }
    }

    private static string LastPart(string objectName) =>
        objectName[(objectName.LastIndexOf('/') + 1)..] is var part && part is not ("." or "..")
            ? part
            : "";

    private static Fault Taken(string path) => new(
        FaultCode.Exists, $"{path} exists already", $"replace it with: -o {path}");

    private static Fault Explain(Fault fault, string path) => fault.Code switch
    {
        FaultCode.NotFound =>
            fault with { Message = $"no directory {path}", Hint = "make it first" },
        FaultCode.Denied => fault with
        {
            Message = $"{path} may not be written to",
            Hint = "choose another place with -o",
        },
        _ => fault,
    };
}
