using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Storage;

/// <summary>
/// The durable statement that every version of a name up to a moment is removed. Without it a
/// device that was away during a removal would bring the object back. It goes when all devices are
/// there and none holds such a version any more.
/// </summary>
/// <param name="Name">The removed name.</param>
/// <param name="RemovedMs">Versions created at this time or before are removed (ms since
/// 1970).</param>
public sealed record Tombstone(string Name, long RemovedMs)
{
    public const int BytesMax = 64 + Limits.ObjectNameBytesMax;

    private const string Header = "pangea tombstone 1";

    /// <summary>From the name's hash: a name may hold bytes that a file name cannot.</summary>
    public string FileName =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Name)).AsSpan(0, 16));

    public byte[] Encode() => Encoding.UTF8.GetBytes(
        string.Create(CultureInfo.InvariantCulture, $"{Header}\n{RemovedMs}\n{Name}\n"));

    /// <summary>Null where the file is not a whole tombstone.</summary>
    public static Tombstone? Decode(ReadOnlySpan<byte> bytes)
    {
        string[] lines = Encoding.UTF8.GetString(bytes).Split('\n');
        return lines.Length == 4 && lines[0] == Header && lines[3].Length == 0
            && long.TryParse(
                lines[1], NumberStyles.None, CultureInfo.InvariantCulture, out long removed)
            ? new Tombstone(lines[2], removed)
            : null;
    }
}
