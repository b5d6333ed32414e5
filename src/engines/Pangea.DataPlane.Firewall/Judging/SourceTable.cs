using System.Numerics;
using Pangea.DataPlane.Firewall.Image;

namespace Pangea.DataPlane.Firewall.Judging;

/// <summary>
/// State by source and rule, of fixed size: sets of eight places, in which the one that was not
/// used for the longest time gives way. An attacker with many sources can push out states, not fill
/// the memory; which set a source is in, it cannot know.
/// </summary>
internal sealed class SourceTable<TState>
    where TState : struct
{
    private const int Ways = 8;
    private readonly Place[] _places;
    private readonly int _setMask;
    private readonly ulong _seed = (ulong)Random.Shared.NextInt64();
    private uint _clock;

    /// <param name="capacity">Places; rounded up to a power of two.</param>
    public SourceTable(int capacity)
    {
        int sets = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(1, capacity / Ways));
        _places = new Place[sets * Ways];
        _setMask = sets - 1;
    }

    private struct Place
    {
        public RateKey Key;
        public uint Used;
        public TState State;
    }

    /// <summary>The state of the key; a new one is all zero.</summary>
    public ref TState At(in RateKey key)
    {
        Span<Place> set = _places.AsSpan(((int)Hash(key) & _setMask) * Ways, Ways);
        uint now = ++_clock == 0 ? ++_clock : _clock;
        int oldest = 0;
        for (int i = 0; i < set.Length; i++)
        {
            if (set[i].Used != 0 && set[i].Key == key)
            {
                set[i].Used = now;
                return ref set[i].State;
            }

            if (now - set[i].Used > now - set[oldest].Used || set[i].Used == 0)
            {
                oldest = i;
            }
        }

        ref Place place = ref set[oldest];
        place.Key = key;
        place.Used = now;
        place.State = default;
        return ref place.State;
    }

    /// <summary>Forgets all states of rules whose slots have a new owner.</summary>
    public void Clear(HashSet<uint> slots)
    {
        foreach (ref Place place in _places.AsSpan())
        {
            if (place.Used != 0 && slots.Contains(place.Key.Slot))
            {
                place = default;
            }
        }
    }

    private ulong Hash(in RateKey key)
    {
        ulong value = _seed ^ key.Low ^ (key.High * 0x9e3779b97f4a7c15)
            ^ ((((ulong)key.Slot << 8) | key.Family) * 0xd6e8feb86659fd93);
        value = (value ^ (value >> 32)) * 0xff51afd7ed558ccd;
        return value ^ (value >> 32);
    }
}
