using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Ces;

/// <summary>
/// Keeps buffers and codecs of finished objects for the next ones: fresh megabytes cost more to
/// touch than a small object costs to store, on virtual machines many times more. Safe for several
/// threads; a renter beyond its bound gets new buffers.
/// </summary>
public sealed class StripePool : IDisposable
{
    private readonly Lock _gate = new();
    private readonly List<StripeBuffers> _spare;
    private readonly int _stripesMax;
    private bool _isDisposed;

    /// <param name="stripesMax">
    /// Stripes kept at most; each is about (2k + m) / k stripe lengths of memory.
    /// </param>
    public StripePool(int stripesMax)
    {
        _stripesMax = stripesMax;
        _spare = new List<StripeBuffers>(stripesMax);
    }

    /// <summary>Frees what is spare now, and what comes back later.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _isDisposed = true;
            _spare.ForEach(spare => spare.Dispose());
            _spare.Clear();
        }
    }

    internal Result<StripeBuffers> Rent(in StripeGeometry geometry, int headerStride)
    {
        lock (_gate)
        {
            for (int i = _spare.Count - 1; i >= 0; i--)
            {
                StripeBuffers spare = _spare[i];
                if (spare.Geometry == geometry && spare.HeaderStride == headerStride)
                {
                    _spare.RemoveAt(i);
                    return spare;
                }
            }
        }

        return StripeBuffers.Create(geometry, headerStride);
    }

    internal void Return(StripeBuffers buffers)
    {
        StripeBuffers? dropped = buffers;
        lock (_gate)
        {
            if (!_isDisposed && _stripesMax > 0)
            {
                // The oldest goes: it may have a geometry that nobody uses any more.
                dropped = _spare.Count < _stripesMax ? null : _spare[0];
                if (dropped is not null)
                {
                    _spare.RemoveAt(0);
                }

                _spare.Add(buffers);
            }
        }

        dropped?.Dispose();
    }
}
