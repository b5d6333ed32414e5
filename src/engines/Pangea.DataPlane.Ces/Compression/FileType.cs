namespace Pangea.DataPlane.Ces;

/// <summary>
/// What a file is, as far as compression cares. Values are stored in manifests: add, never
/// renumber.
/// </summary>
public enum FileType : byte
{
    /// <summary>Nothing is known (empty, or unlike anything in the table).</summary>
    Unknown = 0,

    // Plain text and source, by statistics or extension.
    Text = 1,
    Json = 2,
    Xml = 3,
    Csv = 4,
    Html = 5,
    Source = 6,

    // Programs and other structured binaries.
    Binary = 20,
    Elf = 21,
    Pe = 22,
    Wasm = 23,
    JavaClass = 24,
    Pdf = 25,
    Tar = 26,
    Sqlite = 27,
    Bmp = 28,
    Wav = 29,

    // Archives: compressed already.
    Zip = 40,
    Gzip = 41,
    SevenZip = 42,
    Xz = 43,
    Zstd = 44,
    Bzip2 = 45,
    Rar = 46,
    Office = 47,
    Lz4 = 48,
    DebianPackage = 49,

    // Pictures.
    Jpeg = 60,
    Png = 61,
    Gif = 62,
    Webp = 63,
    Heic = 64,

    // Sound and film.
    Mp4 = 80,
    Mov = 81,
    Avi = 82,
    Matroska = 83,
    Mp3 = 84,
    Aac = 85,
    Ogg = 86,
    Flac = 87,

    /// <summary>Bytes spread evenly without a known magic: encrypted or random.</summary>
    HighEntropy = 100,
}

/// <summary>What compression can expect of a type.</summary>
public enum FileClass : byte
{
    Unknown = 0,
    Text,
    Binary,
    Image,
    Compressed,
}
