using System.Numerics;
using System.Runtime.CompilerServices;

namespace Pangea.DataPlane.Erasure;

/// <summary>
/// A set of shard indices, 0..254: data shards 0..k-1, parity shards k..k+m-1. A value of four
/// words, so that it can be a key and costs no allocation.
/// </summary>
public readonly record struct ShardSet
{
    /// <summary>2^64 divided by the golden ratio, odd.</summary>
    private const ulong Mixer = 0x9E3779B97F4A7C15;

    private readonly ulong _word0;
    private readonly ulong _word1;
    private readonly ulong _word2;
    private readonly ulong _word3;

    private ShardSet(ulong word0, ulong word1, ulong word2, ulong word3)
    {
        _word0 = word0;
        _word1 = word1;
        _word2 = word2;
        _word3 = word3;
    }

    /// <summary>How many shards are in the set.</summary>
    public int Count =>
        BitOperations.PopCount(_word0) + BitOperations.PopCount(_word1)
        + BitOperations.PopCount(_word2) + BitOperations.PopCount(_word3);

    public bool IsEmpty => (_word0 | _word1 | _word2 | _word3) == 0;

    /// <summary>The set of these indices.</summary>
    /// <exception cref="ArgumentException">An index is out of range or given twice.</exception>
    public static ShardSet Of(params ReadOnlySpan<int> indices)
    {
        ShardSet set = default;
        foreach (int index in indices)
        {
            set = set.With(index);
        }

        return set;
    }

    /// <summary>The set {first, .., first + count - 1}.</summary>
    public static ShardSet Range(int first, int count)
    {
        ShardSet set = default;
        for (int index = first; index < first + count; index++)
        {
            set = set.With(index);
        }

        return set;
    }

    public bool Contains(int index) =>
        (uint)index < ReedSolomon.ShardsMax && (Word(index >> 6) >> (index & 63) & 1) != 0;

    /// <summary>This set and one more shard.</summary>
    /// <exception cref="ArgumentException">The index is out of range or already in the
    /// set.</exception>
    public ShardSet With(int index)
    {
        if ((uint)index >= ReedSolomon.ShardsMax)
        {
            throw new ArgumentOutOfRangeException(
                nameof(index), index, $"a shard index is 0..{ReedSolomon.ShardsMax - 1}");
        }

        if (Contains(index))
        {
            throw new ArgumentException($"shard {index} is given twice", nameof(index));
        }

        ulong bit = 1UL << (index & 63);
        return (index >> 6) switch
        {
            0 => new ShardSet(_word0 | bit, _word1, _word2, _word3),
            1 => new ShardSet(_word0, _word1 | bit, _word2, _word3),
            2 => new ShardSet(_word0, _word1, _word2 | bit, _word3),
            _ => new ShardSet(_word0, _word1, _word2, _word3 | bit),
        };
    }

    /// <summary>The shards of this set which are not in <paramref name="other"/>.</summary>
    public ShardSet Except(ShardSet other) => new(
        _word0 & ~other._word0,
        _word1 & ~other._word1,
        _word2 & ~other._word2,
        _word3 & ~other._word3);

    public ShardSet Intersect(ShardSet other) => new(
        _word0 & other._word0, _word1 & other._word1, _word2 & other._word2, _word3 & other._word3);

    /// <summary>The members, ascending.</summary>
    public Enumerator GetEnumerator() => new(this);

    /// <summary>The <paramref name="count"/> smallest members; all of them when there are
    /// fewer.</summary>
    public ShardSet Lowest(int count)
    {
        ulong word0 = Lowest(_word0, ref count);
        ulong word1 = Lowest(_word1, ref count);
        ulong word2 = Lowest(_word2, ref count);
        return new ShardSet(word0, word1, word2, Lowest(_word3, ref count));
    }

    /// <summary>Spreads the set for a hash table; not for anything that lasts.</summary>
    public override int GetHashCode()
    {
        ulong mixed = ((_word0 * Mixer) ^ BitOperations.RotateLeft(_word1, 17) ^ _word2) * Mixer;
        mixed ^= _word3;
        return (int)(mixed ^ (mixed >> 32));
    }

    public bool Equals(ShardSet other) =>
        ((_word0 ^ other._word0) | (_word1 ^ other._word1)
            | (_word2 ^ other._word2) | (_word3 ^ other._word3)) == 0;

    /// <summary>The smallest index in the set that is at least <paramref name="from"/>, or
    /// -1.</summary>
    public int Next(int from)
    {
        ulong mask = ulong.MaxValue << (from & 63);
        for (int word = from >> 6; word < 4; word++)
        {
            ulong bits = Word(word) & mask;
            mask = ulong.MaxValue;
            if (bits != 0)
            {
                return word * 64 + BitOperations.TrailingZeroCount(bits);
            }
        }

        return -1;
    }

    public override string ToString()
    {
        List<int> indices = [];
        foreach (int index in this)
        {
            indices.Add(index);
        }

        return $"{{{string.Join(", ", indices)}}}";
    }

    private ulong Word(int word) => word switch
    {
        0 => _word0,
        1 => _word1,
        2 => _word2,
        _ => _word3,
    };

    private static ulong Lowest(ulong word, ref int count)
    {
        int members = BitOperations.PopCount(word);
        if (members <= count)
        {
            count -= members;
            return word;
        }

        ulong rest = word;
        for (; count > 0; count--)
        {
            rest &= rest - 1;
        }

        return word ^ rest;
    }

    /// <summary>Walks through the members word by word.</summary>
    public ref struct Enumerator
    {
        private readonly ShardSet _set;
        private ulong _bits;
        private int _word;

        internal Enumerator(ShardSet set)
        {
            _set = set;
            _bits = set._word0;
        }

        public int Current { get; private set; }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public bool MoveNext()
        {
            if (_bits == 0 && !NextWord())
            {
                return false;
            }

            Current = _word * 64 + BitOperations.TrailingZeroCount(_bits);
            _bits &= _bits - 1;
            return true;
        }

        /// <summary>Most sets end within the first word, which takes one comparison.</summary>
        private bool NextWord()
        {
            while (_word < 3)
            {
                _bits = _set.Word(++_word);
                if (_bits != 0)
                {
                    return true;
                }
            }

            return false;
        }
    }
}
