using System.Text;

namespace Pangea.DataPlane.Ces;

/// <summary>
/// Says what a file is: magic bytes first, then the extension of its name, then statistics of its
/// first bytes. A guess for compression only; nothing else may depend on it.
/// </summary>
public static class FileTypeDetector
{
    /// <summary>More of the head is not looked at; less is fine.</summary>
    public const int HeadBytesMax = 4096;

    private const int ExtensionCharsMax = 16;

    private static readonly Dictionary<string, FileType>.AlternateLookup<ReadOnlySpan<char>>
        s_extensions = FileTypeTable.Extensions.GetAlternateLookup<ReadOnlySpan<char>>();

    public static FileType Detect(ReadOnlySpan<byte> head, string? name = null)
    {
        head = head[..Math.Min(head.Length, HeadBytesMax)];
        FileType type = ByMagic(head);
        FileType byExtension = ByExtension(name);
        if (type == FileType.Zip && byExtension == FileType.Office)
        {
            // Not every writer puts the entry first by which the magic tells them apart.
            return FileType.Office;
        }

        if (type != FileType.Unknown)
        {
            return type;
        }

        FileType byStatistics = ByStatistics(head);

        // A name that promises text over bytes that are none (or the other way round) is not
        // believed.
        bool isContradicted = byStatistics == FileType.HighEntropy
            || (FileTypeTable.ClassOf(byExtension) == FileClass.Text)
                != (byStatistics == FileType.Text);
        return byExtension == FileType.Unknown || (head.Length > 0 && isContradicted)
            ? byStatistics
            : byExtension;
    }

    public static FileClass ClassOf(FileType type) => FileTypeTable.ClassOf(type);

    private static FileType ByMagic(ReadOnlySpan<byte> head)
    {
        foreach (FileMagic magic in FileTypeTable.Magics)
        {
            if (magic.Fits(head))
            {
                return magic.Type;
            }
        }

        // MPEG audio frames have a 11-bit sync word instead of a magic; layer 0 is ADTS AAC.
        if (head.Length >= 2 && head[0] == 0xFF && (head[1] & 0xE0) == 0xE0)
        {
            return (head[1] & 0xF6) == 0xF0 ? FileType.Aac
                : (head[1] & 0x06) == 0x02 ? FileType.Mp3
                : FileType.Unknown;
        }

        return FileType.Unknown;
    }

    private static FileType ByExtension(string? name)
    {
        int dot = name?.LastIndexOf('.') ?? -1;
        if (dot < 0 || name!.Length - dot - 1 is 0 or > ExtensionCharsMax)
        {
            return FileType.Unknown;
        }

        return s_extensions.TryGetValue(name.AsSpan(dot + 1), out FileType type)
            ? type
            : FileType.Unknown;
    }

    private static FileType ByStatistics(ReadOnlySpan<byte> head)
    {
        if (head.IsEmpty)
        {
            return FileType.Unknown;
        }

        if (IsText(head))
        {
            return LooksLikeMarkup(head);
        }

        return CompressibilityProbe.LooksIncompressible(head)
            ? FileType.HighEntropy
            : FileType.Binary;
    }

    private static FileType LooksLikeMarkup(ReadOnlySpan<byte> head)
    {
        ReadOnlySpan<byte> start = head.TrimStart(" \t\r\n"u8);
        bool isJson = !start.IsEmpty
            && start[0] is (byte)'{' or (byte)'['
            && start.Contains((byte)'"');
        return isJson ? FileType.Json : FileType.Text;
    }

    /// <summary>UTF-8 (the last character may be cut) with no control characters but white
    /// space.</summary>
    private static bool IsText(ReadOnlySpan<byte> head)
    {
        foreach (byte value in head)
        {
            if (value < 0x20
                && value is not ((byte)'\t' or (byte)'\n' or (byte)'\r' or 0x0C or 0x1B))
            {
                return false;
            }
        }

        ReadOnlySpan<byte> rest = head;
        while (!rest.IsEmpty)
        {
            int ascii = rest.IndexOfAnyInRange((byte)0x80, (byte)0xFF);
            if (ascii < 0)
            {
                return true;
            }

            rest = rest[ascii..];
            System.Buffers.OperationStatus status = Rune.DecodeFromUtf8(rest, out _, out int used);
            if (status != System.Buffers.OperationStatus.Done)
            {
                return status == System.Buffers.OperationStatus.NeedMoreData;
            }

            rest = rest[used..];
        }

        return true;
    }
}
