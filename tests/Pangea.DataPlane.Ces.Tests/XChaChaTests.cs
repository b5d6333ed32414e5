using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Ces.Tests;

/// <summary>Known answers of draft-irtf-cfrg-xchacha-03.</summary>
public sealed class XChaChaTests
{
    [Fact]
    public void HChaCha20_gives_the_drafts_subkey()
    {
        // Section 2.2.1.
        byte[] key = Convert.FromHexString(
            "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
        byte[] nonce = Convert.FromHexString("000000090000004a0000000031415927");
        byte[] subkey = new byte[HChaCha20.KeyBytes];

        HChaCha20.Derive(key, nonce, subkey);

        Assert.Equal(
            "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc",
            Convert.ToHexStringLower(subkey));
    }

    [Fact]
    public void Seals_and_opens_the_drafts_vector()
    {
        // Appendix A.3.1. The draft's nonce is 40..57: the object id is its first 16 bytes, the
        // stripe index the last 8, little-endian.
        byte[] key = Convert.FromHexString(
            "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
        byte[] nonce = Convert.FromHexString("404142434445464748494a4b4c4d4e4f");
        const ulong StripeIndex = 0x5756555453525150;
        byte[] aad = Convert.FromHexString("50515253c0c1c2c3c4c5c6c7");
        byte[] plain = ("Ladies and Gentlemen of the class of '99: If I could offer you only one "
            + "tip for the future, sunscreen would be it.").Select(c => (byte)c).ToArray();
        byte[] sealedBytes = new byte[plain.Length];
        byte[] tag = new byte[ObjectCipher.TagBytes];
        using ObjectCipher cipher =
            ObjectCipher.FromObjectKey(key, ObjectId.Read(nonce), default);

        cipher.Seal(StripeIndex, aad, plain, sealedBytes, tag);

        Assert.Equal(
            "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb"
            + "731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452"
            + "2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9"
            + "21f9664c97637da9768812f615c68b13b52e",
            Convert.ToHexStringLower(sealedBytes));
        Assert.Equal("c0875924c1c7987947deafd8780acf49", Convert.ToHexStringLower(tag));

        byte[] opened = new byte[plain.Length];
        Assert.True(cipher.Open(StripeIndex, aad, sealedBytes, tag, opened));
        Assert.Equal(plain, opened);
        Assert.False(cipher.Open(StripeIndex + 1, aad, sealedBytes, tag, opened));
        Assert.All(opened, value => Assert.Equal(0, value));
    }
}
