using System.Security.Cryptography;

using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Ces;

/// <summary>
/// 32 secret bytes from which every object's keys are derived (decision A10). Never appears in
/// <see cref="ToString"/>, a fault or a log; disposing it overwrites the bytes.
/// </summary>
public sealed class MasterKey : IDisposable
{
    public const int Bytes = 32;

    // Pinned, so that the collector leaves no copies of the secret behind.
    private readonly byte[] _secret = GC.AllocateUninitializedArray<byte>(Bytes, pinned: true);
    private bool _disposed;

    private MasterKey(ReadOnlySpan<byte> secret)
    {
        secret.CopyTo(_secret);
        Id = KeyDerivation.KeyIdOf(_secret);
    }

    public KeyId Id { get; }

    /// <summary>For derivation only, inside this assembly.</summary>
    internal ReadOnlySpan<byte> Secret
    {
        get
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return _secret;
        }
    }

    /// <summary>A new key from the kernel's random source.</summary>
    public static MasterKey Generate()
    {
        Span<byte> secret = stackalloc byte[Bytes];
        RandomNumberGenerator.Fill(secret);
        var key = new MasterKey(secret);
        CryptographicOperations.ZeroMemory(secret);
        return key;
    }

    /// <summary>Takes a copy of 32 bytes; the caller keeps and wipes its own.</summary>
    public static Result<MasterKey> FromBytes(ReadOnlySpan<byte> secret) =>
        secret.Length == Bytes
            ? new MasterKey(secret)
            : Fault.InvalidParameter("key", $"a master key has {Bytes} bytes, not {secret.Length}");

    public override string ToString() => $"master key {Id}";

    public void Dispose()
    {
        CryptographicOperations.ZeroMemory(_secret);
        _disposed = true;
    }
}
