using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Ces;

/// <summary>
/// Keeps the buffers of the last object for the next one: fresh megabytes cost more to touch than a
/// small object costs to store. One set at most; whoever comes while it is out makes its own.
/// </summary>
internal sealed class SpareBuffers : IDisposable
{
    private StripeBuffers? _spare;

    public Result<StripeBuffers> Rent(in StripeGeometry geometry, int headerStride)
    {
        StripeBuffers? spare = Interlocked.Exchange(ref _spare, null);
        if (spare is not null && spare.Geometry == geometry && spare.HeaderStride == headerStride)
        {
            return spare;
        }

        spare?.Dispose();
        return StripeBuffers.Create(geometry, headerStride);
    }

    public void Return(StripeBuffers buffers) =>
        Interlocked.Exchange(ref _spare, buffers)?.Dispose();

    public void Dispose() => Interlocked.Exchange(ref _spare, null)?.Dispose();
}
