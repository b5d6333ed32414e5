using System.Collections.Immutable;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Storage;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// The frames of one position as they are written anew: stripes may end in any order, extents are
/// built in the object's. Loop thread only.
/// </summary>
internal sealed class FrameRuns
{
    private readonly SortedDictionary<uint, LogAddress> _early = [];
    private readonly List<Extent> _extents = [];
    private uint _lastEnd;

    /// <summary>Goes on behind what was written before a restart.</summary>
    /// <param name="stripes">Stripes that are there.</param>
    /// <param name="extents">Where they are, in order.</param>
    public FrameRuns(uint stripes, ImmutableArray<Extent> extents)
    {
        Stripes = stripes;
        _extents.AddRange(extents);
    }

    public FrameRuns()
        : this(0, [])
    {
    }

    /// <summary>Stripes 0 to this (exclusive) are written.</summary>
    public uint Stripes { get; private set; }

    public ImmutableArray<Extent> Extents => [.. _extents];

    /// <summary>The frame of a stripe is at that address.</summary>
    public void Add(uint stripe, LogAddress frame)
    {
        Invariant.Check(stripe >= Stripes);
        _early.Add(stripe, frame);
        while (_early.Remove(Stripes, out LogAddress next))
        {
            Append(next);
            Stripes++;
        }
    }

    private void Append(LogAddress frame)
    {
        // Where the last extent of a former run of the program ends is not known: begin anew.
        if (_lastEnd == frame.Offset && _extents.Count > 0
            && _extents[^1].Segment == frame.Segment)
        {
            _extents[^1] = _extents[^1] with { Stripes = _extents[^1].Stripes + 1 };
        }
        else
        {
            _extents.Add(new Extent(Stripes, 1, frame.Segment, frame.Offset));
        }

        _lastEnd = frame.Offset + frame.Bytes;
    }
}
