using System.Security.Cryptography;

using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Ces;

/// <summary>
/// HKDF-SHA256 (RFC 5869) with one info text per purpose. What is derived here is part of the
/// format: docs/shard-format.md, section 3.
/// </summary>
internal static class KeyDerivation
{
    private const int InfoBytesMax = 32;

    private static ReadOnlySpan<byte> KeyIdInfo => "pangea key id v1"u8;

    private static ReadOnlySpan<byte> ObjectKeyInfo => "pangea object key v1"u8;

    private static ReadOnlySpan<byte> ManifestKeyInfo => "pangea manifest key v1"u8;

    public static KeyId KeyIdOf(ReadOnlySpan<byte> secret)
    {
        Span<byte> id = stackalloc byte[KeyId.Bytes];
        HKDF.DeriveKey(HashAlgorithmName.SHA256, secret, id, default, KeyIdInfo);
        return KeyId.Read(id);
    }

    public static void ObjectKey(MasterKey key, ObjectId objectId, Span<byte> destination) =>
        Derive(key, objectId, ObjectKeyInfo, destination);

    public static void ManifestKey(MasterKey key, ObjectId objectId, Span<byte> destination) =>
        Derive(key, objectId, ManifestKeyInfo, destination);

    /// <summary>
    /// Extract with the object's id as salt, then the first block of expand: all that a key of 32
    /// bytes needs.
    /// </summary>
    private static void Derive(
        MasterKey key, ObjectId objectId, ReadOnlySpan<byte> info, Span<byte> destination)
    {
        Invariant.Check(destination.Length == HmacSha256.Bytes && info.Length < InfoBytesMax);
        Span<byte> salt = stackalloc byte[ObjectId.Bytes];
        objectId.Write(salt);
        Span<byte> extracted = stackalloc byte[HmacSha256.Bytes];
        HmacSha256.Compute(salt, key.Secret, extracted);
        Span<byte> block = stackalloc byte[InfoBytesMax];
        info.CopyTo(block);
        block[info.Length] = 1;
        HmacSha256.Compute(extracted, block[..(info.Length + 1)], destination);
        CryptographicOperations.ZeroMemory(extracted);
    }
}
