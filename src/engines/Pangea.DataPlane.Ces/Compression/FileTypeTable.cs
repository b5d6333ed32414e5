namespace Pangea.DataPlane.Ces;

/// <summary>
/// Everything that is known about file types, in one place: a new type is one line here and one in
/// <see cref="FileType"/>. Magic bytes are from the formats' own specifications and file(1).
/// </summary>
internal static class FileTypeTable
{
    /// <summary>Magic bytes at an offset; the first row that fits wins, so special ones stand
    /// first.</summary>
    public static readonly FileMagic[] Magics =
    [
        new(FileType.Webp, 0, "RIFF"u8, 8, "WEBP"u8),
        new(FileType.Avi, 0, "RIFF"u8, 8, "AVI "u8),
        new(FileType.Wav, 0, "RIFF"u8, 8, "WAVE"u8),
        new(FileType.Heic, 4, "ftyphei"u8),
        new(FileType.Heic, 4, "ftyphev"u8),
        new(FileType.Heic, 4, "ftypmif1"u8),
        new(FileType.Heic, 4, "ftypavif"u8),
        new(FileType.Mov, 4, "ftypqt"u8),
        new(FileType.Mp4, 4, "ftyp"u8),
        new(FileType.Mov, 4, "moov"u8),
        new(FileType.Matroska, 0, [0x1A, 0x45, 0xDF, 0xA3]),
        new(FileType.Office, 0, [0x50, 0x4B, 0x03, 0x04], 30, "[Content_Types].xml"u8),
        new(FileType.Office, 0, [0x50, 0x4B, 0x03, 0x04], 30, "mimetypeapplication/vnd.oasis"u8),
        new(FileType.Zip, 0, [0x50, 0x4B, 0x03, 0x04]),
        new(FileType.Zip, 0, [0x50, 0x4B, 0x05, 0x06]),
        new(FileType.Gzip, 0, [0x1F, 0x8B, 0x08]),
        new(FileType.SevenZip, 0, [0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C]),
        new(FileType.Xz, 0, [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00]),
        new(FileType.Zstd, 0, [0x28, 0xB5, 0x2F, 0xFD]),
        new(FileType.Lz4, 0, [0x04, 0x22, 0x4D, 0x18]),
        new(FileType.Bzip2, 0, "BZh"u8, 4, [0x31, 0x41, 0x59, 0x26, 0x53, 0x59]),
        new(FileType.Rar, 0, [0x52, 0x61, 0x72, 0x21, 0x1A, 0x07]),
        new(FileType.DebianPackage, 0, "!<arch>\ndebian-binary"u8),
        new(FileType.Jpeg, 0, [0xFF, 0xD8, 0xFF]),
        new(FileType.Png, 0, [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]),
        new(FileType.Gif, 0, "GIF87a"u8),
        new(FileType.Gif, 0, "GIF89a"u8),
        new(FileType.Flac, 0, "fLaC"u8),
        new(FileType.Ogg, 0, "OggS"u8),
        new(FileType.Mp3, 0, "ID3"u8),
        new(FileType.Aac, 0, "ADIF"u8),
        new(FileType.Pdf, 0, "%PDF-"u8),
        new(FileType.Elf, 0, [0x7F, 0x45, 0x4C, 0x46]),
        new(FileType.Wasm, 0, [0x00, 0x61, 0x73, 0x6D]),
        new(FileType.JavaClass, 0, [0xCA, 0xFE, 0xBA, 0xBE, 0x00, 0x00, 0x00]),
        new(FileType.Sqlite, 0, "SQLite format 3\0"u8),
        new(FileType.Tar, 257, "ustar"u8),
        new(FileType.Xml, 0, "<?xml"u8),
        new(FileType.Html, 0, "<!DOCTYPE html"u8),
        new(FileType.Html, 0, "<!doctype html"u8),
        new(FileType.Html, 0, "<html"u8),
        new(FileType.Pe, 0, "MZ"u8),
        new(FileType.Bmp, 0, "BM"u8, 6, [0, 0, 0, 0]),
    ];

    /// <summary>Extensions without the dot, lower case.</summary>
    public static readonly Dictionary<string, FileType> Extensions = Build(
    [
        (FileType.Zip, "zip jar apk whl nupkg epub"),
        (FileType.Office, "docx xlsx pptx odt ods odp"),
        (FileType.Gzip, "gz tgz"),
        (FileType.SevenZip, "7z"),
        (FileType.Xz, "xz txz"),
        (FileType.Zstd, "zst tzst"),
        (FileType.Bzip2, "bz2 tbz2"),
        (FileType.Rar, "rar"),
        (FileType.Lz4, "lz4"),
        (FileType.DebianPackage, "deb"),
        (FileType.Mp4, "mp4 m4v m4a"),
        (FileType.Mov, "mov"),
        (FileType.Avi, "avi"),
        (FileType.Matroska, "mkv webm"),
        (FileType.Jpeg, "jpg jpeg"),
        (FileType.Png, "png"),
        (FileType.Gif, "gif"),
        (FileType.Webp, "webp"),
        (FileType.Heic, "heic heif avif"),
        (FileType.Mp3, "mp3"),
        (FileType.Aac, "aac"),
        (FileType.Ogg, "ogg oga ogv opus"),
        (FileType.Flac, "flac"),
        (FileType.Wav, "wav"),
        (FileType.Pdf, "pdf"),
        (FileType.Elf, "so ko o"),
        (FileType.Pe, "exe dll sys"),
        (FileType.Wasm, "wasm"),
        (FileType.JavaClass, "class"),
        (FileType.Tar, "tar"),
        (FileType.Sqlite, "sqlite db"),
        (FileType.Bmp, "bmp"),
        (FileType.Text, "txt md log conf cfg ini toml yaml yml rst tex"),
        (FileType.Json, "json jsonl ndjson geojson"),
        (FileType.Xml, "xml svg xsd xsl"),
        (FileType.Csv, "csv tsv"),
        (FileType.Html, "html htm xhtml"),
        (FileType.Source, "c h cc cpp hpp cs rs go py js ts java kt rb php pl sh sql css lua"),
    ]);

    public static FileClass ClassOf(FileType type) => type switch
    {
        >= FileType.Text and < FileType.Binary => FileClass.Text,
        >= FileType.Binary and < FileType.Zip => FileClass.Binary,
        >= FileType.Zip and < FileType.Jpeg => FileClass.Compressed,
        >= FileType.Jpeg and < FileType.Mp4 => FileClass.Image,
        >= FileType.Mp4 and <= FileType.HighEntropy => FileClass.Compressed,
        _ => FileClass.Unknown,
    };

    private static Dictionary<string, FileType> Build((FileType Type, string Names)[] rows)
    {
        var table = new Dictionary<string, FileType>(StringComparer.OrdinalIgnoreCase);
        foreach ((FileType type, string names) in rows)
        {
            foreach (string name in names.Split(' '))
            {
                table.Add(name, type);
            }
        }

        return table;
    }
}

/// <summary>One row of <see cref="FileTypeTable.Magics"/>: bytes at one or two offsets.</summary>
internal sealed class FileMagic
{
    private readonly int _offset;
    private readonly byte[] _bytes;
    private readonly int _offset2;
    private readonly byte[] _bytes2;

    public FileMagic(
        FileType type,
        int offset,
        ReadOnlySpan<byte> bytes,
        int offset2 = 0,
        ReadOnlySpan<byte> bytes2 = default)
    {
        Type = type;
        _offset = offset;
        _bytes = bytes.ToArray();
        _offset2 = offset2;
        _bytes2 = bytes2.ToArray();
    }

    public FileType Type { get; }

    public bool Fits(ReadOnlySpan<byte> head) =>
        HasAt(head, _offset, _bytes) && HasAt(head, _offset2, _bytes2);

    private static bool HasAt(ReadOnlySpan<byte> head, int offset, byte[] bytes) =>
        head.Length >= offset + bytes.Length
        && head.Slice(offset, bytes.Length).SequenceEqual(bytes);
}
