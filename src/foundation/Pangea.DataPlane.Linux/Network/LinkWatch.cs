using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux.Abi;
using Pangea.DataPlane.Linux.Sys;

namespace Pangea.DataPlane.Linux.Network;

/// <summary>
/// Becomes readable when an interface comes, goes or changes (rtnetlink(7), RTMGRP_LINK). What it
/// says is not read: the list of interfaces is asked for again, so a lost message loses nothing.
/// </summary>
public sealed unsafe class LinkWatch : IDisposable
{
    private const int MessageBytesMax = 32 * 1024;
    private const int MessagesMax = 256;

    private LinkWatch(OwnedFd fd) => Fd = fd;

    /// <summary>To wait on.</summary>
    public OwnedFd Fd { get; }

    public static Result<LinkWatch> Open()
    {
        int fd = LibC.socket(
            Netlink.AF_NETLINK,
            Netlink.SOCK_RAW | Socket.SOCK_CLOEXEC | Socket.SOCK_NONBLOCK,
            Netlink.NETLINK_ROUTE);
        SysResult made = Call.Of(fd);
        if (!made.IsOk)
        {
            return made.Errno.ToFault("open a netlink socket");
        }

        var owned = new OwnedFd(fd);
        sockaddr_nl address = new()
        {
            nl_family = Netlink.AF_NETLINK,
            nl_groups = Netlink.RTMGRP_LINK,
        };

        // SAFETY: the address is a local, and the kernel reads exactly its size.
        SysResult bound = Call.Of(
            LibC.bind_netlink(fd, &address, (uint)sizeof(sockaddr_nl)));
        if (bound.IsOk)
        {
            return new LinkWatch(owned);
        }

        owned.Dispose();
        return bound.Errno.ToFault("listen for changes of interfaces");
    }

    /// <summary>Takes what is waiting; false where there was nothing.</summary>
    public bool Drain()
    {
        bool any = false;
        byte* message = stackalloc byte[MessageBytesMax];
        for (int i = 0; i < MessagesMax; i++)
        {
            // SAFETY: the kernel writes at most the bytes that are there.
            SysResult taken = Call.Of(LibC.recv(
                Fd.Number, message, MessageBytesMax, Socket.MSG_DONTWAIT));

            // Others than "nothing more": messages were lost (ENOBUFS), which is one as well.
            if (!taken.IsOk && taken.Errno == Errno.EAGAIN)
            {
                break;
            }

            any = true;
        }

        return any;
    }

    public void Dispose() => Fd.Dispose();
}
