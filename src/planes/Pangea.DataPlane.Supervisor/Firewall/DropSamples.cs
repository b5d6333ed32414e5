using Pangea.DataPlane.Firewall.Image;
using Pangea.DataPlane.Firewall.Rules;
using Pangea.DataPlane.Xdp;

namespace Pangea.DataPlane.Supervisor.Firewall;

/// <summary>
/// The last samples of drops, in their order. The program gives at most one in a jiffy; here are so
/// many that a client that asks once a second misses none.
/// </summary>
internal sealed class DropSamples : IDisposable
{
    /// <summary>Of 136 bytes each.</summary>
    public const int SamplesMax = 1024;

    private readonly PolicyEvent[] _samples = new PolicyEvent[SamplesMax];

    // Found when the sample came: later the slot may be another rule's.
    private readonly Rule?[] _rules = new Rule?[SamplesMax];
    private FilterEvents? _ring;

    /// <summary>Of the last sample; they are numbered from 1.</summary>
    public long Last { get; private set; }

    /// <summary>Of the oldest that is kept; more than <see cref="Last"/> where there is none.
    /// </summary>
    public long First => Math.Max(1, Last - SamplesMax + 1);

    public ref readonly PolicyEvent this[long sequence] =>
        ref _samples[(sequence - 1) % SamplesMax];

    /// <summary>The rule that decided; null where none did.</summary>
    public Rule? RuleOf(long sequence) => _rules[(sequence - 1) % SamplesMax];

    /// <summary>Reads from that program's ring from now on; programs share the ring.</summary>
    public void Use(XdpFilter? filter)
    {
        _ring?.Dispose();
        _ring = filter is not null && FilterEvents.Open(filter) is { IsOk: true } ring
            ? ring.Value
            : null;
    }

    /// <summary>Takes what is waiting, a bounded number of samples.</summary>
    /// <param name="ruleAt">The rule of a slot.</param>
    public void Drain(Func<uint, Rule?> ruleAt)
    {
        for (int i = 0; i < SamplesMax && _ring is not null; i++)
        {
            if (!_ring.TryRead(out PolicyEvent sample))
            {
                return;
            }

            _samples[Last % SamplesMax] = sample;
            _rules[Last % SamplesMax] =
                sample.Slot == PolicyConstants.SlotNone ? null : ruleAt(sample.Slot);
            Last++;
        }
    }

    public void Dispose() => _ring?.Dispose();
}
