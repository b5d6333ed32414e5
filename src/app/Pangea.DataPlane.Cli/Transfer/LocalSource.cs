using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Cli.Transfer;

/// <summary>A file to store, open for reading, or standard input.</summary>
internal sealed class LocalSource : IDisposable
{
    private LocalSource(OwnedFd file, long? bytes)
    {
        File = file;
        Bytes = bytes;
    }

    public OwnedFd File { get; }

    /// <summary>Length of a regular file; null for anything that only ends when it ends.</summary>
    public long? Bytes { get; }

    public static Result<LocalSource> Open(string path)
    {
        bool standard = path == "-";
        Result<OwnedFd> opened = standard ? OwnedFd.Borrow(0) : Files.Open(path, OpenFlags.Read);
        if (!opened.IsOk)
        {
            return Explain(path, opened.Fault);
        }

        Result<FileStatus> status = Files.Status(opened.Value);
        Fault? fault = status.Fault ?? (status.Value.Kind == FileKind.Directory
            ? new Fault(
                FaultCode.BadDescriptor,
                $"{path} is a directory",
                $"pack it: tar -c {path} | pangea put - --name NAME.tar",
                Errno: Errno.EISDIR.Value)
            : null);
        if (fault is not null)
        {
            opened.Value.Dispose();
            return fault;
        }

        return new LocalSource(
            opened.Value, status.Value.Kind == FileKind.Regular ? status.Value.Bytes : null);
    }

    public void Dispose() => File.Dispose();

    private static Fault Explain(string path, Fault fault) => fault.Code switch
    {
        FaultCode.NotFound => fault with { Message = $"no file {path}", Hint = "check the path" },
        FaultCode.Denied => fault with
        {
            Message = $"{path} may not be read",
            Hint = $"look at its permissions: ls -l {path}",
        },
        _ => fault,
    };
}
