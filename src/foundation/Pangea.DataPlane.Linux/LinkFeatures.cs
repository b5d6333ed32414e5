using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux.Abi;
using Pangea.DataPlane.Linux.Sys;

namespace Pangea.DataPlane.Linux;

/// <summary>What a network driver does to frames before programs see them.</summary>
public static unsafe class LinkFeatures
{
    /// <summary>
    /// Whether VLAN tags are taken off received frames and kept beside them, where XDP programs do
    /// not find them ("rx-vlan-offload" of ethtool(8)). Drivers that cannot be asked do not.
    /// </summary>
    public static Result<bool> TakesVlanTagsOff(int ifindex)
    {
        SysResult opened = Call.Of(LibC.socket(
            Socket.AF_UNIX, Socket.SOCK_STREAM | Socket.SOCK_CLOEXEC, 0));
        if (!opened.IsOk)
        {
            return opened.Errno.ToFault("open a socket to ask a network driver");
        }

        using OwnedFd socket = new((int)opened.Value);
        ethtool_value flags = new() { cmd = Ethtool.ETHTOOL_GFLAGS };
        byte* request = stackalloc byte[Ethtool.IFREQ_BYTES];

        // SAFETY: the request is a struct ifreq of this stack: IF_NAMESIZE bytes of name, which the
        // first call writes, then a pointer to a local that lives as long as the second call.
        new Span<byte>(request, Ethtool.IFREQ_BYTES).Clear();
        if (LibC.if_indextoname((uint)ifindex, request) == null)
        {
            return new Fault(FaultCode.NotFound, $"there is no interface {ifindex}", Errno: 19);
        }

        *(void**)(request + Ethtool.IFREQ_DATA) = &flags;
        SysResult asked = Call.Of(LibC.ioctl(socket.Number, Ethtool.SIOCETHTOOL, request));
        return asked.IsOk && (flags.data & Ethtool.ETH_FLAG_RXVLAN) != 0;
    }
}
