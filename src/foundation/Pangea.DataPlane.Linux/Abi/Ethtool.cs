using System.Runtime.InteropServices;

namespace Pangea.DataPlane.Linux.Abi;

// Kernel names stay verbatim, and the kernel writes them in lower case.
#pragma warning disable CS8981

/// <summary>Constants of SIOCETHTOOL (linux/ethtool.h, linux/sockios.h, net/if.h).</summary>
internal static class Ethtool
{
    internal const uint SIOCETHTOOL = 0x8946;
    internal const uint ETHTOOL_GFLAGS = 0x25;
    internal const uint ETH_FLAG_RXVLAN = 1 << 8;

    /// <summary>struct ifreq: the name at 0, and the pointer to the request.</summary>
    internal const int IFREQ_BYTES = 40;
    internal const int IFREQ_DATA = 16;
}

/// <summary>struct ethtool_value.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ethtool_value
{
    internal uint cmd;
    internal uint data;
}
