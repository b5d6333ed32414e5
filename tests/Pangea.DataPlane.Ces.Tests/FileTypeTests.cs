using System.IO.Compression;
using System.Text;

namespace Pangea.DataPlane.Ces.Tests;

public sealed class FileTypeTests
{
    [Theory]
    [InlineData("504B0304140000000800", FileType.Zip)]
    [InlineData("1F8B0800", FileType.Gzip)]
    [InlineData("377ABCAF271C0004", FileType.SevenZip)]
    [InlineData("FD377A585A00", FileType.Xz)]
    [InlineData("28B52FFD2480", FileType.Zstd)]
    [InlineData("425A6839314159265359", FileType.Bzip2)]
    [InlineData("526172211A0700", FileType.Rar)]
    [InlineData("000000206674797069736F6D", FileType.Mp4)]
    [InlineData("0000001466747970717420", FileType.Mov)]
    [InlineData("524946460000000041564920", FileType.Avi)]
    [InlineData("1A45DFA3", FileType.Matroska)]
    [InlineData("FFD8FFE000104A464946", FileType.Jpeg)]
    [InlineData("89504E470D0A1A0A", FileType.Png)]
    [InlineData("474946383961", FileType.Gif)]
    [InlineData("524946460000000057454250", FileType.Webp)]
    [InlineData("0000001C6674797068656963", FileType.Heic)]
    [InlineData("49443303", FileType.Mp3)]
    [InlineData("FFFB9064", FileType.Mp3)]
    [InlineData("FFF15080", FileType.Aac)]
    [InlineData("4F67675300", FileType.Ogg)]
    [InlineData("664C6143", FileType.Flac)]
    [InlineData("524946460000000057415645", FileType.Wav)]
    [InlineData("255044462D312E37", FileType.Pdf)]
    [InlineData("7F454C46020101", FileType.Elf)]
    [InlineData("4D5A9000", FileType.Pe)]
    [InlineData("0061736D01000000", FileType.Wasm)]
    [InlineData("CAFEBABE00000041", FileType.JavaClass)]
    public void Knows_the_magic_whatever_the_name_says(string head, FileType type)
    {
        Assert.Equal(type, FileTypeDetector.Detect(Convert.FromHexString(head), "notes.txt"));
    }

    [Theory]
    [InlineData("report.json", "{\"a\": 1}", FileType.Json)]
    [InlineData("data", "{\"a\": 1}", FileType.Json)]
    [InlineData("a.csv", "a,b\n1,2\n", FileType.Csv)]
    [InlineData("main.cs", "class A {}", FileType.Source)]
    [InlineData("page", "<!DOCTYPE html><p>", FileType.Html)]
    [InlineData("feed", "<?xml version='1.0'?>", FileType.Xml)]
    [InlineData("README", "Pangea hält Dateien.", FileType.Text)]
    [InlineData("photo.jpg", "not a picture at all", FileType.Text)]
    public void Knows_text_by_name_and_content(string name, string head, FileType type)
    {
        Assert.Equal(type, FileTypeDetector.Detect(Encoding.UTF8.GetBytes(head), name));
    }

    [Fact]
    public void Knows_an_office_file_from_a_zip()
    {
        using var stream = new MemoryStream();
        using (var zip = new ZipArchive(stream, ZipArchiveMode.Create, true))
        {
            zip.CreateEntry("[Content_Types].xml").Open().Dispose();
        }

        Assert.Equal(FileType.Office, FileTypeDetector.Detect(stream.ToArray()));
    }

    [Theory]
    [InlineData("letter.docx", FileType.Office)]
    [InlineData("letter.zip", FileType.Zip)]
    [InlineData("letter.txt", FileType.Zip)]
    public void Knows_an_office_file_by_its_name_where_another_entry_comes_first(
        string name, FileType type)
    {
        using var stream = new MemoryStream();
        using (var zip = new ZipArchive(stream, ZipArchiveMode.Create, true))
        {
            zip.CreateEntry("_rels/.rels").Open().Dispose();
            zip.CreateEntry("[Content_Types].xml").Open().Dispose();
        }

        Assert.Equal(type, FileTypeDetector.Detect(stream.ToArray(), name));
    }

    [Fact]
    public void Knows_random_bytes_even_under_a_text_name()
    {
        byte[] head = StripeFixture.Random(4096, 9);
        head[0] = 0;

        Assert.Equal(FileType.HighEntropy, FileTypeDetector.Detect(head, "secret.txt"));
        Assert.Equal(
            CompressionLevel.Skip,
            CompressionPolicy.Choose(CompressionMode.Archive, FileType.HighEntropy));
    }

    [Fact]
    public void An_empty_file_goes_by_its_name()
    {
        Assert.Equal(FileType.Csv, FileTypeDetector.Detect([], "a.CSV"));
        Assert.Equal(FileType.Unknown, FileTypeDetector.Detect([]));
    }

    [Theory]
    [InlineData(CompressionMode.Balanced, FileType.Text, 3)]
    [InlineData(CompressionMode.Balanced, FileType.Unknown, 3)]
    [InlineData(CompressionMode.Balanced, FileType.Jpeg, 1)]
    [InlineData(CompressionMode.Balanced, FileType.Gzip, 0)]
    [InlineData(CompressionMode.Archive, FileType.Text, 9)]
    [InlineData(CompressionMode.Archive, FileType.Elf, 6)]
    [InlineData(CompressionMode.None, FileType.Text, 0)]
    public void Chooses_the_level(CompressionMode mode, FileType type, int level)
    {
        Assert.Equal(level, CompressionPolicy.Choose(mode, type).Zstd);
    }

    [Fact]
    public void The_probe_tells_random_from_patterned_bytes()
    {
        byte[] counting = new byte[65_536];
        for (int i = 0; i < counting.Length; i++)
        {
            counting[i] = (byte)i;
        }

        // Evenly spread bytes that repeat must be compressed; random and compressed ones must not.
        Assert.False(CompressibilityProbe.LooksIncompressible(counting));
        Assert.False(CompressibilityProbe.LooksIncompressible(StripeFixture.Text(65_536, 1)));
        Assert.False(CompressibilityProbe.LooksIncompressible(new byte[65_536]));
        for (int seed = 0; seed < 200; seed++)
        {
            Assert.True(
                CompressibilityProbe.LooksIncompressible(
                    StripeFixture.Random(512 << (seed % 8), seed)),
                $"seed {seed}");
        }
    }

    /// <summary>Random bytes of which a piece is there twice, as where archives hold the same file
    /// again: libzstd finds that in no time.</summary>
    [Fact]
    public void The_probe_finds_long_repeats_far_apart()
    {
        int found = 0;
        for (int seed = 0; seed < 100; seed++)
        {
            var random = new Random(seed);
            byte[] stripe = StripeFixture.Random(1 << 20, seed);
            int piece = random.Next(360_000, 500_000);
            int from = random.Next(0, (1 << 19) - piece);
            int to = random.Next(1 << 19, (1 << 20) - piece);
            stripe.AsSpan(from, piece).CopyTo(stripe.AsSpan(to));
            found += CompressibilityProbe.LooksIncompressible(stripe) ? 0 : 1;
        }

        // It samples: an anchor may have lost its slot to another one.
        Assert.InRange(found, 80, 100);
    }
}
