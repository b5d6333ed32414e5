using System.Runtime.InteropServices;
using System.Text;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux.Abi;
using Pangea.DataPlane.Linux.Sys;

namespace Pangea.DataPlane.Linux;

/// <summary>
/// A Unix stream socket that carries bytes and, beside them, open descriptors (SCM_RIGHTS). One
/// owner, one thread at a time. A call asks for waiting or not by its own argument, so the
/// descriptor itself stays in blocking mode, except a listening one.
/// </summary>
public sealed class UnixSocket : IDisposable
{
    private UnixSocket(OwnedFd fd) => Fd = fd;

    /// <summary>The descriptor, to wait on; owned by this object.</summary>
    public OwnedFd Fd { get; }

    /// <summary>Wraps a socket that came from elsewhere and owns it from now on.</summary>
    public static UnixSocket Adopt(OwnedFd fd) => new(fd);

    /// <summary>
    /// Creates the socket file and listens. An existing file is not removed: EADDRINUSE
    /// (<see cref="FaultCode.Exists"/>) tells the caller, who alone can know whether it is in use.
    /// </summary>
    /// <param name="path">Any length; over 107 bytes the name is reached through its
    /// directory.</param>
    /// <param name="mode">Permission bits, for example octal 600.</param>
    /// <param name="backlog">Connections the kernel queues before accept.</param>
    public static Result<UnixSocket> Listen(string path, int mode, int backlog)
    {
        Result<UnixSocket> made = Create(Socket.SOCK_NONBLOCK);
        if (!made.IsOk)
        {
            return made;
        }

        UnixSocket socket = made.Value;

        // bind(2) takes the new file's permissions from the socket's own inode, so there is no
        // moment in which the file is open to others (net/unix/af_unix.c, unix_bind_bsd). The umask
        // only narrows.
        SysResult result = Wrap(LibC.fchmod(socket.Fd.Number, (uint)mode));
        Fault? fault = result.IsOk
            ? socket.Address(path, connect: false)
            : result.Errno.ToFault($"protect {path}");
        if (fault is null)
        {
            result = Wrap(LibC.listen(socket.Fd.Number, backlog));
            fault = result.IsOk ? null : result.Errno.ToFault($"listen on {path}");
        }

        if (fault is not null)
        {
            socket.Dispose();
            return fault;
        }

        return socket;
    }

    /// <summary>
    /// Connects. <see cref="FaultCode.NotFound"/> with ENOENT: no such file; with ECONNREFUSED: a
    /// file that nobody listens on any more.
    /// </summary>
    public static Result<UnixSocket> Connect(string path)
    {
        Result<UnixSocket> made = Create(0);
        if (!made.IsOk)
        {
            return made;
        }

        if (made.Value.Address(path, connect: true) is { } fault)
        {
            made.Value.Dispose();
            return fault;
        }

        return made;
    }

    /// <summary>Two connected sockets.</summary>
    public static unsafe Result<(UnixSocket First, UnixSocket Second)> Pair()
    {
        int* pair = stackalloc int[2];

        // SAFETY: the kernel writes exactly two ints into the two we reserved.
        SysResult result = Wrap(
            LibC.socketpair(Socket.AF_UNIX, Socket.SOCK_STREAM | Socket.SOCK_CLOEXEC, 0, pair));
        if (!result.IsOk)
        {
            return result.Errno.ToFault("create a socket pair");
        }

        return (new UnixSocket(new OwnedFd(pair[0])), new UnixSocket(new OwnedFd(pair[1])));
    }

    /// <summary>Takes one waiting connection; null when there is none.</summary>
    public unsafe Result<UnixSocket?> Accept()
    {
        while (true)
        {
            // SAFETY: a null address asks for none to be written.
            SysResult result = Wrap(LibC.accept4(Fd.Number, null, null, Socket.SOCK_CLOEXEC));
            if (result.IsOk)
            {
                return new UnixSocket(new OwnedFd((int)result.Value));
            }

            // ECONNABORTED (103): the client left while it was queued; the next one may be waiting.
            if (result.Errno == Errno.EINTR || result.Errno.Value == 103)
            {
                continue;
            }

            if (result.Errno == Errno.EAGAIN)
            {
                return (UnixSocket?)null;
            }

            return result.Errno.ToFault(
                "accept a connection",
                result.Errno == Errno.EMFILE ? "raise LimitNOFILE" : null);
        }
    }

    /// <summary>
    /// Sends with one sendmsg. The descriptors travel with the first byte; when fewer bytes than
    /// asked were taken, they are on their way already and the rest is sent without them.
    /// </summary>
    /// <param name="bytes">At least one byte when descriptors are given.</param>
    /// <param name="descriptors">Stay the caller's; the peer gets copies. At most
    /// <see cref="Limits.RpcDescriptorsMax"/>.</param>
    /// <param name="wait">False: EAGAIN instead of waiting for room.</param>
    /// <returns>Bytes taken; EPIPE or ECONNRESET when the peer is gone (never SIGPIPE).</returns>
    public unsafe SysResult Send(
        ReadOnlySpan<byte> bytes, ReadOnlySpan<OwnedFd> descriptors, bool wait)
    {
        Invariant.Check(descriptors.Length <= Limits.RpcDescriptorsMax);
        Invariant.Check(descriptors.IsEmpty || !bytes.IsEmpty);
        int space = descriptors.IsEmpty ? 0 : Socket.CmsgSpace(descriptors.Length);
        byte* control = stackalloc byte[Socket.CmsgSpace(Limits.RpcDescriptorsMax)];
        int flags = Socket.MSG_NOSIGNAL | (wait ? 0 : Socket.MSG_DONTWAIT);
        if (space > 0)
        {
            // SAFETY: control has room for the largest count, checked above; stackalloc is zeroed
            // and aligned to at least 8.
            var header = (cmsghdr*)control;
            header->cmsg_len = (nuint)(
                Socket.CMSG_HEADER_BYTES + (descriptors.Length * sizeof(int)));
            header->cmsg_level = Socket.SOL_SOCKET;
            header->cmsg_type = Socket.SCM_RIGHTS;
            var numbers = (int*)(control + Socket.CMSG_HEADER_BYTES);
            for (int i = 0; i < descriptors.Length; i++)
            {
                numbers[i] = descriptors[i].Number;
            }
        }

        // SAFETY: everything the kernel reads (vector, header, control, bytes) outlives the call.
        fixed (byte* start = bytes)
        {
            msg_iovec vector = new() { iov_base = start, iov_len = (nuint)bytes.Length };
            msghdr message = new()
            {
                msg_iov = &vector,
                msg_iovlen = 1,
                msg_control = space > 0 ? control : null,
                msg_controllen = (nuint)space,
            };
            SysResult result;
            do
            {
                result = Wrap(LibC.sendmsg(Fd.Number, &message, flags));
            }
            while (result.Errno == Errno.EINTR);
            return result;
        }
    }

    /// <summary>
    /// Receives with one recvmsg. The kernel never joins the bytes of two sends when the second
    /// carries descriptors, so what is appended to <paramref name="received"/> belongs to a send
    /// that begins within these bytes.
    /// </summary>
    /// <param name="bytes">Not empty.</param>
    /// <param name="received">Gets the descriptors, close-on-exec; the caller owns them.</param>
    /// <param name="wait">False: EAGAIN when nothing is there.</param>
    /// <returns>
    /// Bytes received, 0 at the end of the stream. EMSGSIZE: more descriptors came than
    /// <see cref="Limits.RpcDescriptorsMax"/> or than the process may open; those that arrived are
    /// closed and the stream can no longer be trusted, so the caller closes the connection.
    /// </returns>
    public unsafe SysResult Receive(Span<byte> bytes, List<OwnedFd> received, bool wait)
    {
        Invariant.Check(!bytes.IsEmpty);
        int space = Socket.CmsgSpace(Limits.RpcDescriptorsMax);
        byte* control = stackalloc byte[space];
        int flags = Socket.MSG_CMSG_CLOEXEC | (wait ? 0 : Socket.MSG_DONTWAIT);
        int firstReceived = received.Count;

        // SAFETY: the kernel writes at most iov_len bytes to the pinned span and at most
        // msg_controllen to the control buffer, and tells in msg_controllen how much of it is
        // filled.
        fixed (byte* start = bytes)
        {
            msg_iovec vector = new() { iov_base = start, iov_len = (nuint)bytes.Length };
            msghdr message;
            SysResult result;
            do
            {
                message = new()
                {
                    msg_iov = &vector,
                    msg_iovlen = 1,
                    msg_control = control,
                    msg_controllen = (nuint)space,
                };
                result = Wrap(LibC.recvmsg(Fd.Number, &message, flags));
            }
            while (result.Errno == Errno.EINTR);
            if (!result.IsOk)
            {
                return result;
            }

            Collect(new ReadOnlySpan<byte>(control, (int)message.msg_controllen), received);
            if ((message.msg_flags & Socket.MSG_CTRUNC) == 0)
            {
                return result;
            }
        }

        for (int i = firstReceived; i < received.Count; i++)
        {
            received[i].Dispose();
        }

        received.RemoveRange(firstReceived, received.Count - firstReceived);
        return SysResult.Fail(Errno.EMSGSIZE);
    }

    /// <summary>The process that connected, or that made the pair.</summary>
    public unsafe PeerCredentials Peer
    {
        get
        {
            ucred credentials;
            uint bytes = (uint)sizeof(ucred);

            // SAFETY: the kernel writes at most the bytes we say, into a struct of that size.
            SysResult result = Wrap(LibC.getsockopt(
                Fd.Number, Socket.SOL_SOCKET, Socket.SO_PEERCRED, &credentials, &bytes));

            // It cannot fail on a Unix socket; a peer that is nobody is the safe answer.
            return result.IsOk
                ? new PeerCredentials(credentials.pid, credentials.uid, credentials.gid)
                : new PeerCredentials(0, uint.MaxValue, uint.MaxValue);
        }
    }

    /// <summary>Whether a receive would return at once: bytes are there, or the end.</summary>
    public bool HasInput
    {
        get
        {
            using var poll = new PollSet(1);
            poll.Add(Fd.Number, Abi.pollfd.POLLIN);
            return poll.Wait(0) is { IsOk: true, Value: > 0 };
        }
    }

    public void Dispose() => Fd.Dispose();

    public override string ToString() => $"unix socket {Fd}";

    private static Result<UnixSocket> Create(int flags)
    {
        SysResult result = Wrap(
            LibC.socket(Socket.AF_UNIX, Socket.SOCK_STREAM | Socket.SOCK_CLOEXEC | flags, 0));
        return result.IsOk
            ? new UnixSocket(new OwnedFd((int)result.Value))
            : result.Errno.ToFault("create a Unix socket");
    }

    private static void Collect(ReadOnlySpan<byte> control, List<OwnedFd> received)
    {
        while (control.Length >= Socket.CMSG_HEADER_BYTES)
        {
            cmsghdr header = MemoryMarshal.Read<cmsghdr>(control);
            int bytes = (int)header.cmsg_len;
            if (bytes < Socket.CMSG_HEADER_BYTES || bytes > control.Length)
            {
                break;
            }

            if (header.cmsg_level == Socket.SOL_SOCKET && header.cmsg_type == Socket.SCM_RIGHTS)
            {
                ReadOnlySpan<int> numbers = MemoryMarshal.Cast<byte, int>(
                    control[Socket.CMSG_HEADER_BYTES..bytes]);
                foreach (int number in numbers)
                {
                    received.Add(new OwnedFd(number));
                }
            }

            control = control[Math.Min((bytes + 7) & ~7, control.Length)..];
        }
    }

    /// <summary>bind or connect to a path of any length.</summary>
    private Fault? Address(string path, bool connect)
    {
        string what = connect ? $"connect to {path}" : $"listen on {path}";
        if (path.Length == 0 || path.Contains('\0'))
        {
            return Fault.InvalidParameter("socket", $"\"{path}\" is no path for a socket");
        }

        byte[] name = Encoding.UTF8.GetBytes(path);
        if (name.Length < Socket.UNIX_PATH_MAX)
        {
            return AddressShort(name, connect, what);
        }

        // The address has room for 107 bytes only. A descriptor of the directory makes any path
        // short.
        string directory = Path.GetDirectoryName(Path.GetFullPath(path)) ?? "/";
        Result<OwnedFd> opened = PathFd.Open(directory);
        if (!opened.IsOk)
        {
            return opened.Fault;
        }

        using OwnedFd parent = opened.Value;
        name = Encoding.UTF8.GetBytes($"/proc/self/fd/{parent.Number}/{Path.GetFileName(path)}");
        if (name.Length >= Socket.UNIX_PATH_MAX)
        {
            return new Fault(
                FaultCode.InvalidParameters,
                $"the file name of socket {path} has {name.Length} bytes with its prefix, 107 fit",
                "choose a shorter file name",
                "socket");
        }

        return AddressShort(name, connect, what);
    }

    private unsafe Fault? AddressShort(ReadOnlySpan<byte> name, bool connect, string what)
    {
        sockaddr_un address = default;
        address.sun_family = Socket.AF_UNIX;
        name.CopyTo(address.sun_path);
        uint bytes = (uint)(sizeof(ushort) + name.Length + 1);
        SysResult result;
        do
        {
            // SAFETY: the address is a local that outlives the call; name is shorter than sun_path,
            // so its terminating zero is inside.
            result = Wrap(connect
                ? LibC.connect(Fd.Number, &address, bytes)
                : LibC.bind(Fd.Number, &address, bytes));
        }
        while (result.Errno == Errno.EINTR);
        if (result.IsOk)
        {
            return null;
        }

        if (connect && (result.Errno == Errno.ENOENT || result.Errno == Errno.ECONNREFUSED))
        {
            return new Fault(
                FaultCode.NotFound,
                $"cannot {what}: {result.Errno.Text}",
                "nothing listens there; start it with: pangea supervise",
                Errno: result.Errno.Value);
        }

        Fault fault = result.Errno.ToFault(what);
        return result.Errno == Errno.EADDRINUSE ? fault with { Code = FaultCode.Exists } : fault;
    }

    private static SysResult Wrap(nint result) =>
        new(result >= 0 ? result : -Marshal.GetLastPInvokeError());
}
