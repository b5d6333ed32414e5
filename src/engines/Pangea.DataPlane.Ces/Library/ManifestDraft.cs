using System.Security.Cryptography;

using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Ces;

/// <summary>What is known of an object while its stripes are being made; stripes come in
/// order.</summary>
internal sealed class ManifestDraft : IDisposable
{
    private readonly MasterKey _key;
    private readonly CesOptions _options;
    private readonly StripeGeometry _geometry;
    private readonly ObjectName _name;
    private readonly IncrementalHash _hash =
        IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    private readonly StripeTable _stripes = new();
    private readonly DateTimeOffset _created;
    private FileType _fileType;
    private long _bytes;

    public ManifestDraft(
        MasterKey key, CesOptions options, in StripeGeometry geometry, ObjectName name)
    {
        _key = key;
        _options = options;
        _geometry = geometry;
        _name = name;
        _created = options.Created ?? DateTimeOffset.UtcNow;
        Cipher = NewCipher();
    }

    public ObjectId ObjectId { get; private set; }

    public ObjectCipher Cipher { get; }

    public ulong NextStripe => (ulong)_stripes.Count;

    /// <summary>Another cipher of the same object, for another thread; the caller disposes
    /// it.</summary>
    public ObjectCipher NewCipher()
    {
        if (ObjectId == default)
        {
            ObjectId = _options.ObjectId ?? ObjectId.New();
        }

        return ObjectCipher.Create(_key, ObjectId);
    }

    /// <summary>The first stripe decides for the object; random parts are skipped by the
    /// codec.</summary>
    public CompressionLevel LevelFor(ReadOnlySpan<byte> plain)
    {
        if (_stripes.Count == 0)
        {
            _fileType = FileTypeDetector.Detect(plain, _name.Text);
        }

        return CompressionPolicy.Choose(_options.Compression, _fileType);
    }

    public Result Add(in StripeInfo stripe, ReadOnlySpan<byte> plain)
    {
        _hash.AppendData(plain);
        _bytes += plain.Length;
        return _stripes.Add(stripe);
    }

    public Manifest Finish()
    {
        if (_stripes.Count == 0)
        {
            _fileType = FileTypeDetector.Detect([], _name.Text);
        }

        return Describe();
    }

    /// <summary>With the key that the stripes were sealed with, whatever key is current by
    /// now.</summary>
    public byte[] Encode(Manifest manifest) => ManifestCodec.Encode(manifest, _key);

    public void Dispose()
    {
        Cipher.Dispose();
        _hash.Dispose();
    }

    private Manifest Describe() => new()
    {
        Name = _name,
        ObjectId = ObjectId,
        KeyId = _key.Id,
        Created = _created,
        Bytes = _bytes,
        ContentHash = [.. _hash.GetHashAndReset()],
        Geometry = _geometry,
        HeaderStride = _options.HeaderStride,
        FileType = _fileType,
        Stripes = _stripes,
        Devices = [.. new UInt128[_geometry.Redundancy.TotalShards]],
    };
}
