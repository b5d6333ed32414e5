using FsCheck;
using FsCheck.Fluent;
using Pangea.DataPlane.Memory;

namespace Pangea.DataPlane.Reactor.Tests;

/// <summary>Leases and their states.</summary>
public sealed class BufferPoolTests
{
    private static readonly BufferPoolOptions s_checked = new(TryHugePages: false, Checked: true);

    [Fact]
    public void Gives_each_slab_to_one_leaseholder_and_never_grows()
    {
        using BufferPool pool = BufferPool.Create(8192, 3).Value;
        var leases = new List<BufferLease>();
        while (pool.TryRent(out BufferLease lease))
        {
            Assert.Equal(0, pool.AddressOf(lease.Slice(0, 1)) % BufferPool.Alignment);
            pool.Span(lease).Fill((byte)(leases.Count + 1));
            leases.Add(lease);
        }

        Assert.Equal(3, leases.Count);
        Assert.Equal((0, 3, 3), (pool.FreeCount, pool.LeasedCount, pool.LeasedCountMax));
        for (int i = 0; i < leases.Count; i++)
        {
            Assert.Equal(-1, pool.Span(leases[i]).IndexOfAnyExcept((byte)(i + 1)));
            pool.Return(leases[i]);
        }

        Assert.Equal(3, pool.FreeCount);
    }

    [Fact]
    public void A_returned_lease_is_dead_even_when_its_slab_lives_again()
    {
        using BufferPool pool = BufferPool.Create(4096, 1).Value;
        Assert.True(pool.TryRent(out BufferLease first));
        pool.Return(first);
        Assert.False(pool.IsLive(first));
        Assert.True(pool.TryRent(out BufferLease second));
        Assert.Equal(first.SlabIndex, second.SlabIndex);
        Assert.False(pool.IsLive(first));
        Assert.True(pool.IsLive(second));
        pool.Return(second);
    }

    [Fact]
    public void Classes_do_not_borrow_from_each_other()
    {
        using BufferPool pool = BufferPool.Create(
            [new SlabClass(4096, 2), new SlabClass(65536, 1)]).Value;
        Assert.True(pool.TryRent(4097, out BufferLease large));
        Assert.Equal(65536, large.Bytes);
        Assert.False(pool.TryRent(65536, out _));
        Assert.True(pool.TryRent(100, out BufferLease small));
        Assert.True(pool.TryRent(out BufferLease other));
        Assert.False(pool.TryRent(1, out _));
        pool.Return(large);
        Assert.False(pool.TryRent(1, out _));
        pool.Return(small);
        pool.Return(other);
    }

    [Fact]
    public void A_checked_pool_names_who_kept_a_lease()
    {
        BufferPool pool = BufferPool.Create(4096, 2, s_checked).Value;
        Assert.True(pool.TryRent(out _));
        InvalidOperationException thrown = Assert.Throws<InvalidOperationException>(pool.Dispose);
        Assert.Contains(
            nameof(A_checked_pool_names_who_kept_a_lease),
            thrown.Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_checked_pool_poisons_what_comes_back()
    {
        using BufferPool pool = BufferPool.Create(4096, 1, s_checked).Value;
        Assert.True(pool.TryRent(out BufferLease lease));
        pool.Span(lease).Fill(1);
        pool.Return(lease);
        Assert.True(pool.TryRent(out lease));
        Assert.Equal(-1, pool.Span(lease).IndexOfAnyExcept((byte)0xDB));
        pool.Return(lease);
    }

    [Fact]
    public void Counts_flights_per_slab()
    {
        using BufferPool pool = BufferPool.Create(4096, 2).Value;
        Assert.True(pool.TryRent(out BufferLease lease));
        pool.BeginFlight(lease);
        pool.BeginFlight(lease);
        Assert.Equal((2, 2), (pool.FlightsOf(lease), pool.FlightCount));
        pool.EndFlight(lease);
        pool.EndFlight(lease);
        Assert.Equal(0, pool.FlightCount);
        pool.Return(lease);
    }

    [Fact]
    public void Renting_and_returning_allocates_nothing()
    {
        using BufferPool pool = BufferPool.Create(4096, 4).Value;
        long before = 0;
        for (int i = -100; i < 10_000; i++)
        {
            if (i == 0)
            {
                before = GC.GetAllocatedBytesForCurrentThread();
            }

            pool.TryRent(out BufferLease lease);
            pool.BeginFlight(lease);
            pool.EndFlight(lease);
            pool.Span(lease.Slice(8, 8))[0] = 1;
            pool.Return(lease);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void Random_renting_never_overlaps()
    {
        // Goal: whatever the order of renting and returning, live slabs are disjoint and counted
        // right.
        Prop.ForAll<byte[]>(steps =>
        {
            using BufferPool pool = BufferPool.Create(4096, 5).Value;
            var live = new List<BufferLease>();
            foreach (byte step in steps)
            {
                if (step % 2 == 0 && pool.TryRent(out BufferLease lease))
                {
                    live.Add(lease);
                }
                else if (live.Count > 0)
                {
                    pool.Return(live[step % live.Count]);
                    live.RemoveAt(step % live.Count);
                }
            }

            bool isRight = live.Count == pool.LeasedCount
                && live.Select(l => pool.AddressOf(l.Slice(0, 1))).Distinct().Count() == live.Count;
            live.ForEach(pool.Return);
            return isRight && pool.FreeCount == pool.SlabCount;
        }).QuickCheckThrowOnFailure();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Every_slab_lies_in_the_range_of_its_class(bool isChecked)
    {
        using BufferPool pool = BufferPool.Create(
            [new SlabClass(4096, 3), new SlabClass(8192, 2), new SlabClass(65536, 1)],
            new BufferPoolOptions(false, isChecked)).Value;
        var leases = new List<BufferLease>();
        Assert.Equal([4096, 8192, 65536], pool.Ranges.Select(range => range.SlabBytes));
        foreach (int bytes in new[] { 4096, 4096, 4096, 8192, 8192, 65536 })
        {
            Assert.True(pool.TryRent(bytes, out BufferLease lease));
            BufferRange range = pool.Ranges[pool.RangeOf(lease)];
            long start = pool.AddressOf(lease.Slice(0, bytes)) - range.Address;
            Assert.Equal(bytes, range.SlabBytes);
            Assert.InRange(start, 0, range.Bytes - bytes);
            leases.Add(lease);
        }

        for (int i = 1; i < pool.Ranges.Count; i++)
        {
            BufferRange before = pool.Ranges[i - 1];
            Assert.Equal(before.Address + (nint)before.Bytes, pool.Ranges[i].Address);
        }

        leases.ForEach(pool.Return);
    }
}
