using Pangea.DataPlane.Erasure.Kernels;

namespace Pangea.DataPlane.Erasure;

/// <summary>
/// Tables of the loss patterns met last, for one code. All memory is taken at the start: a hit, a
/// miss and an eviction allocate nothing. A slot that is in use is counted and never overwritten; a
/// hit costs two interlocked additions, a miss takes a lock.
/// </summary>
internal sealed unsafe class DecodingCache
{
    private const int SlotsMax = 64;
    private const int SlotsMin = 4;
    private const int MemoryBytesMax = 1024 * 1024;

    /// <summary>Added to a slot's users while it is being rewritten, which makes them
    /// negative.</summary>
    private const int Rewriting = int.MinValue / 2;

    private readonly DecodingPlanner _planner;
    private readonly CodingKernel _kernel;
    private readonly Slot[] _slots;
    private readonly int[] _hashes;
    private readonly Lock _missGate = new();

    // Pinned and held here because the slots point into it.
    private readonly byte[] _memory;
    private int _nextVictim;
    private int _recent = -1;

    public DecodingCache(DecodingPlanner planner, CodingKernel kernel)
    {
        _planner = planner;
        _kernel = kernel;
        int tableBytes = kernel.TableBytes(planner.DataShards, planner.ParityShards);
        int listBytes = planner.DataShards + planner.ParityShards;
        int slotBytes = (tableBytes + listBytes + CodingKernel.Alignment - 1)
            & -CodingKernel.Alignment;
        int slots = Math.Clamp(MemoryBytesMax / slotBytes, SlotsMin, SlotsMax);
        _memory = GC.AllocateUninitializedArray<byte>(
            slots * slotBytes + CodingKernel.Alignment, pinned: true);
        _slots = new Slot[slots];
        _hashes = new int[slots];
        fixed (byte* memory = _memory)
        {
            // SAFETY: the array is on the pinned heap, so the address stays; it has one Alignment
            // to spare.
            nuint start = ((nuint)memory + CodingKernel.Alignment - 1)
                & ~(nuint)(CodingKernel.Alignment - 1);
            for (int slot = 0; slot < slots; slot++)
            {
                byte* table = (byte*)start + slot * slotBytes;
                _slots[slot].Plan = new DecodingPlan(table, default, 0)
                {
                    Shards = table + tableBytes,
                };
            }
        }
    }

    public int SlotCount => _slots.Length;

    /// <summary>Tables built so far, for tests and statistics.</summary>
    public long Misses { get; private set; }

    /// <summary>
    /// The slot used last when it was built for just these shards: while devices are missing, call
    /// after call asks for the same. It spares checking the sets, choosing inputs and hashing; that
    /// was done when the slot was built. False otherwise.
    /// </summary>
    public bool TryAcquireRecent(
        in ShardSet present, in ShardSet wanted, out int slot, out DecodingPlan plan)
    {
        slot = _recent;
        plan = default;
        if (slot < 0)
        {
            return false;
        }

        ref Slot recent = ref _slots[slot];
        if (Interlocked.Increment(ref recent.Users) > 0
            && recent.Present == present
            && recent.Wanted == wanted)
        {
            plan = recent.Plan;
            return true;
        }

        Interlocked.Decrement(ref recent.Users);
        return false;
    }

    /// <summary>
    /// The plan which makes <paramref name="wanted"/> from <paramref name="inputs"/> (exactly k
    /// shards). It stays as it is until <see cref="Release"/> of the returned slot.
    /// </summary>
    public int Acquire(
        ShardSet present, ShardSet inputs, ShardSet wanted, out DecodingPlan plan)
    {
        int hash = inputs.GetHashCode() * 31 + wanted.GetHashCode();
        int slot = Find(inputs, wanted, hash);
        if (slot < 0)
        {
            slot = Miss(present, inputs, wanted, hash);
        }

        _recent = slot;
        plan = _slots[slot].Plan;
        return slot;
    }

    public void Release(int slot) => Interlocked.Decrement(ref _slots[slot].Users);

    /// <summary>The slot that holds this pattern, counted as in use; or -1.</summary>
    private int Find(ShardSet inputs, ShardSet wanted, int hash)
    {
        for (int from = 0; from < _hashes.Length; from++)
        {
            int found = _hashes.AsSpan(from).IndexOf(hash);
            if (found < 0)
            {
                return -1;
            }

            // The hash is only a hint and may be read while it changes. The users are raised first
            // and the key is compared after that: from then on nobody rewrites the slot.
            from += found;
            ref Slot slot = ref _slots[from];
            if (Interlocked.Increment(ref slot.Users) > 0
                && slot.Inputs == inputs
                && slot.Wanted == wanted)
            {
                return from;
            }

            Interlocked.Decrement(ref slot.Users);
        }

        return -1;
    }

    private int Miss(ShardSet present, ShardSet inputs, ShardSet wanted, int hash)
    {
        lock (_missGate)
        {
            // Another thread may have built it while this one waited for the lock.
            int found = Find(inputs, wanted, hash);
            if (found >= 0)
            {
                return found;
            }

            int victim = ClaimVictim();
            ref Slot slot = ref _slots[victim];
            slot.Present = present;
            slot.Inputs = inputs;
            slot.Wanted = wanted;
            byte* shards = slot.Plan.Shards;
            slot.Plan = _planner.Build(inputs, wanted, _kernel, slot.Plan.Table) with
            {
                Shards = shards,
                Outputs = wanted.Count,
            };
            WriteList(inputs, wanted, shards);
            Volatile.Write(ref _hashes[victim], hash);
            Misses++;

            // From "being rewritten" to "one user", keeping what late finders have added meanwhile.
            Interlocked.Add(ref slot.Users, 1 - Rewriting);
            return victim;
        }
    }

    // SAFETY: k inputs and at most m wanted shards; the slot has room for k + m indices.
    private static void WriteList(ShardSet inputs, ShardSet wanted, byte* shards)
    {
        foreach (int shard in inputs)
        {
            *shards++ = (byte)shard;
        }

        foreach (int shard in wanted)
        {
            *shards++ = (byte)shard;
        }
    }

    /// <summary>
    /// The next slot nobody uses, in turn; waits when all are in use, which takes as many threads
    /// as there are slots and ends with the first of them that is done.
    /// </summary>
    private int ClaimVictim()
    {
        SpinWait wait = default;
        for (int attempt = 1; ; attempt++)
        {
            int victim = _nextVictim;
            _nextVictim = victim + 1 == _slots.Length ? 0 : victim + 1;
            if (Interlocked.CompareExchange(ref _slots[victim].Users, Rewriting, 0) == 0)
            {
                return victim;
            }

            if (attempt % _slots.Length == 0)
            {
                wait.SpinOnce();
            }
        }
    }

    private struct Slot
    {
        public DecodingPlan Plan;
        public int Users;
        public ShardSet Present;
        public ShardSet Inputs;
        public ShardSet Wanted;
    }
}
