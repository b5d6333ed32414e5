using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Ces.Abi;

/// <summary>What a C handle stands for: one key and one set of options.</summary>
internal sealed class CesInstance : IDisposable
{
    // In the order of native/pangea_ces.h: CES_BALANCED, CES_NONE, CES_ARCHIVE.
    private static readonly CompressionMode[] s_modes =
        [CompressionMode.Balanced, CompressionMode.None, CompressionMode.Archive];

    private readonly KeyRing _keys;
    private readonly CesOptions _options;
    private readonly CesEncoder _encoder;

    private CesInstance(KeyRing keys, CesOptions options, CesEncoder encoder)
    {
        _keys = keys;
        _options = options;
        _encoder = encoder;
    }

    public MasterKey Key => _keys.Current;

    public static Result<CesInstance> Create(MasterKey key, CesNativeOptions native)
    {
        if (native.Compression >= (uint)s_modes.Length)
        {
            return Fault.InvalidParameter(
                "compression", $"compression {native.Compression} is unknown");
        }

        var options = new CesOptions
        {
            Redundancy = new Redundancy(
                (int)Or(native.DataShards, Redundancy.Default.DataShards),
                (int)Or(native.ParityShards, Redundancy.Default.ParityShards)),
            StripeBytes = (int)Or(native.StripeBytes, Limits.StripeBytesDefault),
            Compression = s_modes[native.Compression],
        };
        KeyRing keys = KeyRing.Of(key);
        Result<CesEncoder> encoder = CesEncoder.Create(keys, options);
        return encoder.IsOk ? new CesInstance(keys, options, encoder.Value) : encoder.Fault;
    }

    public Result<MemoryStream[]> Process(Stream source)
    {
        MemoryStream[] shards =
        [
            .. Enumerable.Range(0, _options.Redundancy.TotalShards).Select(_ => new MemoryStream()),
        ];

        // Memory streams complete at once: nothing is waited for.
        Result<Manifest> manifest =
            _encoder.EncodeAsync(source, shards).GetAwaiter().GetResult();
        return manifest.IsOk ? shards : manifest.Fault;
    }

    public Result<MemoryStream> Reconstruct(Stream?[] shards, long bytesMax)
    {
        var output = new MemoryStream();
        Result<Manifest> manifest = new CesDecoder(_keys) { ObjectBytesMax = bytesMax }
            .DecodeAsync(shards, output).GetAwaiter().GetResult();
        return manifest.IsOk ? output : manifest.Fault;
    }

    public void Dispose() => _keys.Dispose();

    private static uint Or(uint value, int byDefault) =>
        value == 0 ? (uint)byDefault : Math.Min(value, int.MaxValue);
}
