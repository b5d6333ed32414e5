using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Supervisor;

/// <summary>
/// The public socket and the lock file that says whose it is. The lock outlives nothing: the kernel
/// drops it with the process, so what a dead supervisor left is told from what a live one uses.
/// </summary>
public sealed class ControlSocket : IDisposable
{
    private const int PrivateDirectory = 0x1C0; // 0700
    private const int PrivateFile = 0x180; // 0600
    private const int Backlog = 128;
    private const string ChooseAnother =
        $"choose another socket with --socket or {ControlAddress.Variable}";

    private readonly OwnedFd _lock;
    private readonly Action<string> _remove;

    private ControlSocket(
        string path, UnixSocket listener, OwnedFd guard, Action<string> remove)
    {
        Path = path;
        Listener = listener;
        _lock = guard;
        _remove = remove;
    }

    /// <summary>
    /// Takes over a socket on which an earlier program of this process listened.
    /// </summary>
    /// <param name="path">Where it lies.</param>
    /// <param name="listener">Owned from now on.</param>
    /// <param name="guard">The lock; owned from now on.</param>
    /// <param name="remove">Removes the file at the end.</param>
    internal static ControlSocket Adopt(
        string path, OwnedFd listener, OwnedFd guard, Action<string> remove) =>
        new(path, UnixSocket.Adopt(listener), guard, remove);

    /// <summary>The lock, for a program that is executed in this one's place.</summary>
    internal OwnedFd Lock => _lock;

    public string Path { get; }

    public UnixSocket Listener { get; }

    /// <summary>
    /// Makes the directory where it is missing, takes over what a dead supervisor left, listens.
    /// </summary>
    /// <returns><see cref="FaultCode.Busy"/> while another process listens there.</returns>
    public static Result<ControlSocket> Listen(string path)
    {
        string directory = System.IO.Path.GetDirectoryName(path) ?? "/";
        try
        {
            // One that exists keeps its permissions: it may be /tmp. The socket is 0600 and each
            // peer is asked for its user anyway.
            Directory.CreateDirectory(directory, (UnixFileMode)PrivateDirectory);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new Fault(
                FaultCode.Denied,
                $"cannot make the socket's directory {directory}: {e.Message}",
                ChooseAnother);
        }

        Result<OwnedFd> guard = Files.Open(
            path + ".lock", OpenFlags.Read | OpenFlags.Write | OpenFlags.Create, PrivateFile);
        if (!guard.IsOk)
        {
            return guard.Fault with { Hint = ChooseAnother };
        }

        Fault? fault = Files.TryLock(guard.Value, exclusive: true).IsOk
            ? RemoveLeftover(path)
            : InUse(path);
        if (fault is null)
        {
            Result<UnixSocket> listener = UnixSocket.Listen(path, PrivateFile, Backlog);
            if (listener.IsOk)
            {
                return new ControlSocket(path, listener.Value, guard.Value, File.Delete);
            }

            fault = listener.Fault;
        }

        guard.Value.Dispose();
        return fault;
    }

    /// <summary>
    /// Stops listening and removes the socket; the lock file stays, or two could lock two files.
    /// </summary>
    public void Dispose()
    {
        Listener.Dispose();
        _remove(Path);
        _lock.Dispose();
    }

    private static Fault? RemoveLeftover(string path)
    {
        if (!File.Exists(path))
        {
            return null;
        }

        Result<UnixSocket> connected = UnixSocket.Connect(path);
        if (connected.IsOk)
        {
            connected.Value.Dispose();
            return InUse(path);
        }

        if (connected.Fault.Errno != Errno.ECONNREFUSED.Value
            || File.GetAttributes(path).HasFlag(FileAttributes.Directory))
        {
            return new Fault(
                FaultCode.Exists,
                $"{path} is not what a supervisor leaves: {connected.Fault.Message}",
                "remove it, or choose another socket with --socket");
        }

        // A regular file refuses connections as well; only a socket is ours to remove.
        Result<DirectoryFd> directory = DirectoryFd.Open(
            System.IO.Path.GetDirectoryName(path) ?? "/");
        if (!directory.IsOk)
        {
            return directory.Fault;
        }

        using DirectoryFd parent = directory.Value;
        string name = System.IO.Path.GetFileName(path);
        if (!parent.StatusOf(name, out FileStatus status).IsOk || status.Kind != FileKind.Socket)
        {
            return new Fault(FaultCode.Exists, $"{path} exists and is not a socket", "remove it");
        }

        SysResult removed = parent.RemoveFile(name);
        return removed.IsOk ? null : removed.Errno.ToFault($"remove the socket {path}");
    }

    private static Fault InUse(string path) => new(
        FaultCode.Busy,
        $"another process listens on {path}",
        "stop it, or give this supervisor a socket of its own with --socket");
}
