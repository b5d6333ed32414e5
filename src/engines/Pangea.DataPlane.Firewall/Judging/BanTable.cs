using System.Numerics;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Image;

namespace Pangea.DataPlane.Firewall.Judging;

/// <summary>
/// Banned sources of one family with the moment at which each ban ends. Open addressing with linear
/// probes; at most half full, so a look-up of a source that is not banned ends soon.
/// </summary>
internal sealed class BanTable
{
    private const int CapacityMin = 1024;
    private readonly ulong _seed = (ulong)Random.Shared.NextInt64();
    private Place[] _places = new Place[CapacityMin];

    private struct Place
    {
        public BanKey6 Key;

        /// <summary>0: free.</summary>
        public ulong ExpiryNs;
    }

    public int Count { get; private set; }

    public bool IsBanned(BanKey6 key, ulong nowNs)
    {
        int mask = _places.Length - 1;
        for (int i = Start(key, mask); _places[i].ExpiryNs != 0; i = (i + 1) & mask)
        {
            if (_places[i].Key == key)
            {
                return _places[i].ExpiryNs > nowNs;
            }
        }

        return false;
    }

    /// <summary>Bans or changes the end of a ban; false if the table is full.</summary>
    public bool TryAdd(BanKey6 key, ulong expiryNs)
    {
        Invariant.Check(expiryNs != 0);
        int mask = _places.Length - 1;
        int i = Start(key, mask);
        for (; _places[i].ExpiryNs != 0; i = (i + 1) & mask)
        {
            if (_places[i].Key == key)
            {
                _places[i].ExpiryNs = expiryNs;
                return true;
            }
        }

        if (Count == Limits.FirewallBansMax)
        {
            return false;
        }

        _places[i] = new Place { Key = key, ExpiryNs = expiryNs };
        Count++;
        if (Count * 2 > _places.Length)
        {
            Grow();
        }

        return true;
    }

    public bool Remove(BanKey6 key)
    {
        int mask = _places.Length - 1;
        for (int i = Start(key, mask); _places[i].ExpiryNs != 0; i = (i + 1) & mask)
        {
            if (_places[i].Key == key)
            {
                RemoveAt(i);
                return true;
            }
        }

        return false;
    }

    /// <summary>Takes out what has ended; to be called now and then, not for each packet.</summary>
    public int Expire(ulong nowNs)
    {
        List<BanKey6> ended = [];
        foreach (Place place in _places)
        {
            if (place.ExpiryNs != 0 && place.ExpiryNs <= nowNs)
            {
                ended.Add(place.Key);
            }
        }

        foreach (BanKey6 key in ended)
        {
            Remove(key);
        }

        return ended.Count;
    }

    public IEnumerable<(BanKey6 Key, ulong ExpiryNs)> List() =>
        _places.Where(place => place.ExpiryNs != 0).Select(place => (place.Key, place.ExpiryNs));

    /// <summary>Closes the gap, so that no probe ends before its key (Knuth 6.4, R).</summary>
    private void RemoveAt(int hole)
    {
        int mask = _places.Length - 1;
        for (int i = (hole + 1) & mask; _places[i].ExpiryNs != 0; i = (i + 1) & mask)
        {
            int start = Start(_places[i].Key, mask);
            if (((i - start) & mask) >= ((i - hole) & mask))
            {
                _places[hole] = _places[i];
                hole = i;
            }
        }

        _places[hole] = default;
        Count--;
    }

    private void Grow()
    {
        Place[] old = _places;
        _places = new Place[old.Length * 2];
        int mask = _places.Length - 1;
        foreach (Place place in old)
        {
            if (place.ExpiryNs == 0)
            {
                continue;
            }

            int i = Start(place.Key, mask);
            while (_places[i].ExpiryNs != 0)
            {
                i = (i + 1) & mask;
            }

            _places[i] = place;
        }
    }

    private int Start(BanKey6 key, int mask)
    {
        ulong value = (key.Low ^ _seed) * 0x9e3779b97f4a7c15;
        value = (BitOperations.RotateLeft(value, 29) ^ key.High) * 0xd6e8feb86659fd93;
        return (int)(value >> 32) & mask;
    }
}
