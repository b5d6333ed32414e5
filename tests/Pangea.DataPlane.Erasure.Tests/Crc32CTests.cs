using System.Text;

namespace Pangea.DataPlane.Erasure.Tests;

public sealed class Crc32CTests
{
    /// <summary>The check value of the CRC catalogue and the examples of RFC 3720, appendix
    /// B.4.</summary>
    [Fact]
    public void Gives_the_published_values()
    {
        Assert.Equal(0xE3069283u, Crc32C.Compute(Encoding.ASCII.GetBytes("123456789")));
        Assert.Equal(0x8A9136AAu, Crc32C.Compute(new byte[32]));
        byte[] ones = new byte[32];
        ones.AsSpan().Fill(0xFF);
        Assert.Equal(0x62A8AB43u, Crc32C.Compute(ones));
        byte[] ascending = [.. Enumerable.Range(0, 32).Select(i => (byte)i)];
        Assert.Equal(0x46DD794Eu, Crc32C.Compute(ascending));
        Assert.Equal(0u, Crc32C.Compute([]));
    }

    [Fact]
    public void Equals_the_definition_for_every_length_up_to_4097()
    {
        byte[] bytes = Reference.RandomBytes(4097 + 64, 3);
        for (int length = 0; length <= 4097; length++)
        {
            ReadOnlySpan<byte> part = bytes.AsSpan(length % 64, length);
            Assert.Equal(BitByBit(part), Crc32C.Compute(part));
        }
    }

    [Fact]
    public void Continues_where_an_earlier_one_ended()
    {
        byte[] bytes = Reference.RandomBytes(10_000, 4);
        uint whole = Crc32C.Compute(bytes);
        for (int cut = 0; cut <= bytes.Length; cut += 313)
        {
            uint first = Crc32C.Compute(bytes.AsSpan(0, cut));
            Assert.Equal(whole, Crc32C.Compute(bytes.AsSpan(cut), first));
        }
    }

    private static uint BitByBit(ReadOnlySpan<byte> bytes)
    {
        uint crc = uint.MaxValue;
        foreach (byte value in bytes)
        {
            crc ^= value;
            for (int bit = 0; bit < 8; bit++)
            {
                crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82F63B78 : 0);
            }
        }

        return ~crc;
    }
}
