using System.Runtime.InteropServices;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux.Abi;
using Pangea.DataPlane.Linux.Sys;

namespace Pangea.DataPlane.Linux.Network;

/// <summary>The network interfaces of this process's network namespace.</summary>
public static unsafe class NetworkInterfaces
{
    /// <summary>Names have at most 15 bytes (IFNAMSIZ).</summary>
    public const int NameBytesMax = 15;

    /// <summary>Index of each, by name. Asked over netlink, so /sys may be another one's.</summary>
    public static Result<Dictionary<string, uint>> List()
    {
        if_nameindex* all = LibC.if_nameindex_all();
        if (all is null)
        {
            return new Errno(Marshal.GetLastPInvokeError()).ToFault("list network interfaces");
        }

        // SAFETY: the list ends with an entry without a name, and is given back once.
        Dictionary<string, uint> found = new(StringComparer.Ordinal);
        for (if_nameindex* each = all; each->if_name is not null; each++)
        {
            found[Marshal.PtrToStringUTF8((nint)each->if_name) ?? ""] = each->if_index;
        }

        LibC.if_freenameindex(all);
        return found;
    }

    /// <summary>Whether the kernel would take it for a name (dev_valid_name).</summary>
    public static bool IsName(string text) =>
        text.Length is > 0 and <= NameBytesMax && text is not ("." or "..")
        && text.All(c => c is > ' ' and < '\x7f' and not '/' and not ':');
}
