using System.Runtime.InteropServices;

using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Ces.Tests;

/// <summary>Our XChaCha20-Poly1305 equals that of libsodium (Debian package libsodium23).</summary>
public sealed unsafe partial class SodiumTests
{
    private const string Library = "libsodium.so.23";

    [SkippableFact]
    public void Seals_what_libsodium_seals_and_opens_what_it_opens()
    {
        Skip.IfNot(NativeLibrary.TryLoad(Library, out _), $"{Library} is not installed");
        int seed = Environment.TickCount;
        var random = new Random(seed);
        for (int round = 0; round < 500; round++)
        {
            byte[] key = StripeFixture.Random(32, random.Next());
            byte[] nonce = StripeFixture.Random(24, random.Next());
            byte[] aad = StripeFixture.Random(random.Next(200), random.Next());
            byte[] plain = StripeFixture.Random(
                random.Next(round % 50 == 0 ? 2_000_000 : 3_000), random.Next());
            byte[] ours = new byte[plain.Length + ObjectCipher.TagBytes];
            ulong stripeIndex = BitConverter.ToUInt64(nonce, ObjectId.Bytes);
            using ObjectCipher cipher =
                ObjectCipher.FromObjectKey(key, ObjectId.Read(nonce), default);

            cipher.Seal(
                stripeIndex, aad, plain, ours.AsSpan(0, plain.Length),
                ours.AsSpan(plain.Length));
            byte[] theirs = SodiumSeal(key, nonce, aad, plain);

            Assert.True(ours.AsSpan().SequenceEqual(theirs), $"seed {seed} round {round}");
            byte[] opened = new byte[plain.Length];
            bool isOpen = cipher.Open(
                stripeIndex, aad, theirs.AsSpan(0, plain.Length), theirs.AsSpan(plain.Length),
                opened);
            Assert.True(isOpen && opened.AsSpan().SequenceEqual(plain), $"seed {seed}");
        }
    }

    private static byte[] SodiumSeal(byte[] key, byte[] nonce, byte[] aad, byte[] plain)
    {
        byte[] sealedBytes = new byte[plain.Length + ObjectCipher.TagBytes];
        ulong written = 0;

        // SAFETY: all arrays are pinned for the call; libsodium writes plain.Length + 16 bytes.
        fixed (byte* output = sealedBytes)
        fixed (byte* message = plain)
        fixed (byte* additional = aad)
        fixed (byte* publicNonce = nonce)
        fixed (byte* secret = key)
        {
            int status = crypto_aead_xchacha20poly1305_ietf_encrypt(
                output, &written, message, (ulong)plain.Length, additional, (ulong)aad.Length,
                null, publicNonce, secret);
            Assert.Equal(0, status);
        }

        Assert.Equal((ulong)sealedBytes.Length, written);
        return sealedBytes;
    }

    [LibraryImport(Library)]
    private static partial int crypto_aead_xchacha20poly1305_ietf_encrypt(
        byte* output, ulong* written, byte* message, ulong bytes, byte* aad, ulong aadBytes,
        byte* secretNonce, byte* publicNonce, byte* key);
}
