using System.Runtime.InteropServices;

namespace Pangea.DataPlane.Benchmarks.Ces;

/// <summary>The rival of the encryption: libsodium's XChaCha20-Poly1305 (libsodium23).</summary>
internal static unsafe partial class Sodium
{
    public const int NonceBytes = 24;
    public const int TagBytes = 16;

    private const string Library = "libsodium.so.23";

    /// <summary>The library's version, or null where it is not installed.</summary>
    public static string? Version() =>
        NativeLibrary.TryLoad(Library, out _) && sodium_init() >= 0
            ? Marshal.PtrToStringUTF8(sodium_version_string())
            : null;

    public static void Seal(byte[] key, byte[] nonce, byte[] plain, byte[] sealedBytes)
    {
        ulong written;

        // SAFETY: the arrays are pinned for the call; sealedBytes has room for plain and tag.
        fixed (byte* output = sealedBytes)
        fixed (byte* message = plain)
        fixed (byte* publicNonce = nonce)
        fixed (byte* secret = key)
        {
            _ = crypto_aead_xchacha20poly1305_ietf_encrypt(
                output, &written, message, (ulong)plain.Length, null, 0, null, publicNonce, secret);
        }
    }

    [LibraryImport(Library)]
    private static partial int sodium_init();

    [LibraryImport(Library)]
    private static partial nint sodium_version_string();

    [LibraryImport(Library)]
    private static partial int crypto_aead_xchacha20poly1305_ietf_encrypt(
        byte* output, ulong* written, byte* message, ulong bytes, byte* aad, ulong aadBytes,
        byte* secretNonce, byte* publicNonce, byte* key);
}
