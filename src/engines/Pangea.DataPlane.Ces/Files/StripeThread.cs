namespace Pangea.DataPlane.Ces;

/// <summary>What one thread needs for itself while it works on the stripes of an object.</summary>
internal sealed class StripeThread : IDisposable
{
    private StripeTimes _times;

    /// <param name="codec">Belongs to the pool.</param>
    /// <param name="cipher">Ends with the thread.</param>
    public StripeThread(StripeCodec codec, ObjectCipher cipher)
    {
        Codec = codec;
        Cipher = cipher;
    }

    public StripeCodec Codec { get; }

    public ObjectCipher Cipher { get; }

    /// <summary>What the stripes of this thread waited for.</summary>
    public ref StripeTimes Times => ref _times;

    /// <summary>Header and payload of the record being written.</summary>
    public ReadOnlyMemory<byte>[] Record { get; } = new ReadOnlyMemory<byte>[2];

    public void Dispose() => Cipher.Dispose();
}
