using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Ces.Abi;

/// <summary>What a C handle stands for: one key and one set of options.</summary>
internal sealed class CesInstance : IDisposable
{
    /// <summary>Leaves room for k + m copies and their array in memory.</summary>
    public const long ObjectBytesMax = 1L << 30;

    // In the order of native/pangea_ces.h: CES_BALANCED, CES_NONE, CES_ARCHIVE, CES_ADAPTIVE.
    private static readonly CompressionMode[] s_modes =
    [
        CompressionMode.Balanced, CompressionMode.None, CompressionMode.Archive,
        CompressionMode.Adaptive,
    ];

    private readonly KeyRing _keys;
    private readonly CesOptions _options;
    private readonly CesEncoder _encoder;
    private readonly CesDecoder _decoder;

    // The handle itself is the first user. Whoever releases last disposes: a key that is
    // overwritten during a call would seal with zeros.
    private int _users = 1;

    private CesInstance(KeyRing keys, CesOptions options, CesEncoder encoder)
    {
        _keys = keys;
        _options = options;
        _encoder = encoder;
        _decoder = new CesDecoder(keys) { ObjectBytesMax = ObjectBytesMax };
    }

    public MasterKey Key => _keys.Current;

    /// <summary>Owns the key from now on, also where it fails.</summary>
    public static Result<CesInstance> Create(MasterKey key, CesNativeOptions native)
    {
        Result<CesInstance> instance = CreateWith(key, native);
        if (!instance.IsOk)
        {
            key.Dispose();
        }

        return instance;
    }

    public Result<MemoryStream[]> Process(Stream source)
    {
        MemoryStream[] shards =
        [
            .. Enumerable.Range(0, _options.Redundancy.TotalShards).Select(_ => new MemoryStream()),
        ];

        Result<Manifest> manifest = Guard(() => _encoder.EncodeAsync(source, shards));
        return manifest.IsOk ? shards : manifest.Fault;
    }

    public Result<MemoryStream> Reconstruct(Stream?[] shards)
    {
        var output = new MemoryStream();
        Result<Manifest> manifest = Guard(() => _decoder.DecodeAsync(shards, output));
        return manifest.IsOk ? output : manifest.Fault;
    }

    /// <summary>
    /// One more call uses it. Only while it is certain that another user has not left yet.
    /// </summary>
    public void Retain() => Interlocked.Increment(ref _users);

    /// <summary>A call has ended, or the handle was freed.</summary>
    public void Release()
    {
        if (Interlocked.Decrement(ref _users) == 0)
        {
            Dispose();
        }
    }

    /// <summary>What a C caller is told where an exception ended its call.</summary>
    public static Fault Defect(Exception defect) => new(
        FaultCode.Internal,
        defect is OutOfMemoryException
            ? "out of memory"
            : $"{defect.GetType().Name}: {defect.Message}");

    public void Dispose()
    {
        _encoder.Dispose();
        _decoder.Dispose();
        _keys.Dispose();
    }

    private static Result<CesInstance> CreateWith(MasterKey key, CesNativeOptions native)
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

    /// <summary>
    /// The edge to C: an exception would end the caller's process. Memory streams complete at once,
    /// so nothing is waited for.
    /// </summary>
    private static Result<Manifest> Guard(Func<Task<Result<Manifest>>> work)
    {
        try
        {
            return work().GetAwaiter().GetResult();
        }
        catch (Exception defect)
        {
            return Defect(defect);
        }
    }

    // Half, so that k + m of a caller without measure is still a number.
    private static uint Or(uint value, int byDefault) =>
        value == 0 ? (uint)byDefault : Math.Min(value, int.MaxValue / 2);
}
