using System.Buffers.Binary;
using System.Security.Cryptography;

using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Ces;

/// <summary>
/// XChaCha20-Poly1305 for the stripes of one object (decisions A8, A10). The 24-byte nonce is
/// object id (16) then stripe index (8, little-endian); its first 16 bytes are the same for every
/// stripe, so HChaCha20 runs once here and each stripe costs one ChaCha20-Poly1305 of the BCL. Not
/// for use by two threads at once.
/// </summary>
public sealed class ObjectCipher : IDisposable
{
    /// <summary>Bytes of the authentication tag of a stripe.</summary>
    public const int TagBytes = 16;

    private const int NonceBytes = 12;
    private const int NonceCounterOffset = 4;

    private ChaCha20Poly1305? _aead;

    /// <summary>For no object yet: see <see cref="Begin"/>.</summary>
    public ObjectCipher()
    {
    }

    public ObjectId ObjectId { get; private set; }

    public KeyId KeyId { get; private set; }

    public static ObjectCipher Create(MasterKey key, ObjectId objectId)
    {
        var cipher = new ObjectCipher();
        cipher.Begin(key, objectId);
        return cipher;
    }

    /// <summary>
    /// Turns to another object; what the BCL keeps of the earlier key is overwritten. For many
    /// small objects one after another, with <see cref="End"/> behind each.
    /// </summary>
    public void Begin(MasterKey key, ObjectId objectId)
    {
        Span<byte> objectKey = stackalloc byte[MasterKey.Bytes];
        KeyDerivation.ObjectKey(key, objectId, objectKey);
        Begin(objectKey, objectId, key.Id);
        CryptographicOperations.ZeroMemory(objectKey);
    }

    /// <summary>Forgets the object's key; may be called again.</summary>
    public void End()
    {
        _aead?.Dispose();
        _aead = null;
    }

    /// <summary>From a key that is used as it is, without derivation (test vectors).</summary>
    internal static ObjectCipher FromObjectKey(
        ReadOnlySpan<byte> objectKey, ObjectId objectId, KeyId keyId)
    {
        var cipher = new ObjectCipher();
        cipher.Begin(objectKey, objectId, keyId);
        return cipher;
    }

    /// <summary>
    /// Encrypts <paramref name="plain"/> into <paramref name="sealedBytes"/> of the same length,
    /// which may be the same memory. A stripe index is sealed once per object: the nonce depends on
    /// nothing else.
    /// </summary>
    public void Seal(
        ulong stripeIndex,
        ReadOnlySpan<byte> aad,
        ReadOnlySpan<byte> plain,
        Span<byte> sealedBytes,
        Span<byte> tag)
    {
        Span<byte> nonce = stackalloc byte[NonceBytes];
        WriteNonce(stripeIndex, nonce);
        Aead.Encrypt(nonce, plain, sealedBytes, tag, aad);
    }

    /// <summary>
    /// Decrypts and authenticates. False where the tag does not fit; <paramref name="plain"/> then
    /// holds zeros, never unauthenticated bytes.
    /// </summary>
    public bool Open(
        ulong stripeIndex,
        ReadOnlySpan<byte> aad,
        ReadOnlySpan<byte> sealedBytes,
        ReadOnlySpan<byte> tag,
        Span<byte> plain)
    {
        Span<byte> nonce = stackalloc byte[NonceBytes];
        WriteNonce(stripeIndex, nonce);
        try
        {
            Aead.Decrypt(nonce, sealedBytes, tag, plain, aad);
            return true;
        }
        catch (AuthenticationTagMismatchException)
        {
            // The BCL reports this expected failure only as an exception; here it becomes a value.
            return false;
        }
    }

    public void Dispose() => End();

    private ChaCha20Poly1305 Aead
    {
        get
        {
            ObjectDisposedException.ThrowIf(_aead is null, this);
            return _aead;
        }
    }

    private void Begin(ReadOnlySpan<byte> objectKey, ObjectId objectId, KeyId keyId)
    {
        End();
        Span<byte> prefix = stackalloc byte[ObjectId.Bytes];
        objectId.Write(prefix);
        Span<byte> subkey = stackalloc byte[HChaCha20.KeyBytes];
        HChaCha20.Derive(objectKey, prefix, subkey);
        (ObjectId, KeyId) = (objectId, keyId);
        _aead = new ChaCha20Poly1305(subkey);
        CryptographicOperations.ZeroMemory(subkey);
    }

    private static void WriteNonce(ulong stripeIndex, Span<byte> nonce)
    {
        // ChaCha20-Poly1305 after HChaCha20: 4 zero bytes, then the last 8 bytes of the XChaCha
        // nonce.
        nonce[..NonceCounterOffset].Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(nonce[NonceCounterOffset..], stripeIndex);
    }
}
