using Pangea.DataPlane.Linux.Abi;
using Pangea.DataPlane.Linux.Sys;

namespace Pangea.DataPlane.Linux.Tests;

/// <summary>What a badly behaved peer would call, past the checks of our own types.</summary>
internal static unsafe class TestLibC
{
    /// <summary>Sends one byte and the same descriptor many times.</summary>
    internal static void SendDescriptors(int socket, int fd, int count)
    {
        byte* control = stackalloc byte[Socket.CmsgSpace(count)];
        byte payload = 1;

        // SAFETY: control has room for count numbers; all of it outlives the call.
        var header = (cmsghdr*)control;
        header->cmsg_len = (nuint)(Socket.CMSG_HEADER_BYTES + (count * sizeof(int)));
        header->cmsg_level = Socket.SOL_SOCKET;
        header->cmsg_type = Socket.SCM_RIGHTS;
        new Span<int>(control + Socket.CMSG_HEADER_BYTES, count).Fill(fd);
        msg_iovec vector = new() { iov_base = &payload, iov_len = 1 };
        msghdr message = new()
        {
            msg_iov = &vector,
            msg_iovlen = 1,
            msg_control = control,
            msg_controllen = (nuint)Socket.CmsgSpace(count),
        };
        Assert.Equal(1, LibC.sendmsg(socket, &message, Socket.MSG_NOSIGNAL));
    }
}
