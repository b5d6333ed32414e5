namespace Pangea.DataPlane.Ces;

/// <summary>What one thread needs for itself while it works on the stripes of an object.</summary>
internal sealed class StripeThread : IDisposable
{
    public StripeThread(StripeCodec codec, ObjectCipher cipher)
    {
        Codec = codec;
        Cipher = cipher;
    }

    public StripeCodec Codec { get; }

    public ObjectCipher Cipher { get; }

    /// <summary>What the stripes of this thread waited for.</summary>
    public ref StripeTimes Times => ref _times;

    /// <summary>The codec belongs to the pool.</summary>
    public void Dispose() => Cipher.Dispose();

    private StripeTimes _times;
}
