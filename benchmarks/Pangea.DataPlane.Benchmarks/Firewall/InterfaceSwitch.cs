using System.Runtime.InteropServices;
using System.Text;

namespace Pangea.DataPlane.Benchmarks.Firewall;

/// <summary>Switches of interfaces that ip(8) does not have.</summary>
internal static unsafe partial class InterfaceSwitch
{
    private const int SIOCETHTOOL = 0x8946;
    private const uint ETHTOOL_SGRO = 0x2c;
    private const int AF_INET = 2;
    private const int SOCK_DGRAM = 2;

    /// <summary>Lets the kernel join segments as they come in, which a veth does not by
    /// itself.</summary>
    internal static bool TurnOnGro(string name)
    {
        // struct ifreq: 16 bytes of name, then a pointer; struct ethtool_value: command, value.
        byte* request = stackalloc byte[40];
        uint* value = stackalloc uint[2] { ETHTOOL_SGRO, 1 };
        Encoding.ASCII.GetBytes(name, new Span<byte>(request, 15));
        *(uint**)(request + 16) = value;
        int socket = InterfaceSwitch.socket(AF_INET, SOCK_DGRAM, 0);

        // SAFETY: both structs are on this stack for the call.
        int result = ioctl(socket, SIOCETHTOOL, request);
        close(socket);
        return result == 0;
    }

    [LibraryImport("libc")]
    private static partial int socket(int family, int type, int protocol);

    [LibraryImport("libc")]
    private static partial int ioctl(int socket, nuint request, byte* argument);

    [LibraryImport("libc")]
    private static partial int close(int socket);
}
