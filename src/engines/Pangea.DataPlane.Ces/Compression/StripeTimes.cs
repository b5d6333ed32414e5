using System.Diagnostics;

namespace Pangea.DataPlane.Ces;

/// <summary>
/// What the stripes of one thread waited for, where reading, making and writing take turns on it:
/// the step that took longest is the narrow place. Tells the governor so once a stripe.
/// </summary>
internal struct StripeTimes
{
    private long _mark;
    private long _read;
    private long _made;
    private long _written;

    /// <summary>Whatever is timed next begins now.</summary>
    public void Begin() => _mark = Stopwatch.GetTimestamp();

    public void EndRead() => _read = Lap();

    public void EndMake() => _made = Lap();

    public void EndWrite() => _written = Lap();

    /// <summary>
    /// After the stripe was made and before it is written: the output's share is that of the stripe
    /// before.
    /// </summary>
    public readonly void Tell(CompressionGovernor? governor) => governor?.Observe(
        isInputWaiting: _read < _made, isOutputIdle: _written < _made);

    private long Lap()
    {
        long now = Stopwatch.GetTimestamp();
        long lap = now - _mark;
        _mark = now;
        return lap;
    }
}
