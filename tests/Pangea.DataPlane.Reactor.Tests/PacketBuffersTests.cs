using Pangea.DataPlane.Memory;

namespace Pangea.DataPlane.Reactor.Tests;

/// <summary>The pool of packets: three classes in one buffer pool.</summary>
public sealed class PacketBuffersTests
{
    [Fact]
    public void The_default_sum_is_what_its_document_says()
    {
        Assert.Equal(
            (1000 * 512) + (500 * 2048) + (200 * 10240), PacketBuffers.Default.Bytes(cores: 1));
        Assert.Equal(
            3 * PacketBuffers.Default.Bytes(cores: 1), PacketBuffers.Default.Bytes(cores: 3));
        using BufferPool pool = BufferPool.Create(
            PacketBuffers.Default.Classes(1), new BufferPoolOptions(true, false)).Value;
        Assert.Equal(4 << 20, pool.Bytes);
        Assert.Equal(1700, pool.SlabCount);
        Assert.StartsWith("4.0 MiB in 1700 slabs, ", pool.Describe(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Each_class_gives_its_own_slabs_and_no_others(bool isChecked)
    {
        var counts = new PacketBuffers(3, 2, 1);
        using BufferPool pool = BufferPool.Create(
            counts.Classes(1), new BufferPoolOptions(false, isChecked)).Value;
        var leases = new List<BufferLease>();
        foreach ((PacketClass kind, int count) in new[]
        {
            (PacketClass.Small, 3), (PacketClass.Standard, 2), (PacketClass.Jumbo, 1),
        })
        {
            for (int i = 0; i < count; i++)
            {
                Assert.True(pool.TryRent(kind, out BufferLease lease));
                Assert.Equal(PacketBuffers.BytesOf(kind), lease.Bytes);
                Assert.Equal(0, pool.AddressOf(lease.Slice(0, 1)) % 64);
                leases.Add(lease);
                pool.Span(lease).Fill((byte)leases.Count);
            }

            Assert.False(pool.TryRent(kind, out _));
        }

        for (int i = 0; i < leases.Count; i++)
        {
            Assert.Equal(-1, pool.Span(leases[i]).IndexOfAnyExcept((byte)(i + 1)));
            pool.Return(leases[i]);
        }
    }

    [Fact]
    public void Slabs_for_devices_stay_aligned_behind_packets()
    {
        using BufferPool pool = BufferPool.Create(
            [new SlabClass(64 * 3, 3), new SlabClass(8192, 2)],
            new BufferPoolOptions(false, true)).Value;
        Assert.True(pool.TryRent(8192, out BufferLease lease));
        Assert.Equal(0, pool.AddressOf(lease.Slice(0, 1)) % BufferPool.Alignment);
        pool.Return(lease);
    }

    [Fact]
    public void Free_slabs_give_their_pages_back_once_they_are_idle()
    {
        const int SlabBytes = 1 << 20;
        using BufferPool pool = BufferPool.Create(
            SlabBytes, 3, new BufferPoolOptions(false, false)).Value;
        BufferLease[] leases = new BufferLease[3];
        for (int i = 0; i < leases.Length; i++)
        {
            Assert.True(pool.TryRent(out leases[i]));
            pool.Span(leases[i]).Fill(7);
        }

        pool.Return(leases[0]);
        pool.Return(leases[1]);
        pool.Trim(all: false); // Rented a moment ago: kept.
        Assert.True(pool.TryRent(out BufferLease again));
        Assert.Equal(7, pool.Span(again)[^1]);
        pool.Trim(all: false); // The other one has been free since then.
        Assert.Equal((7, 7), (pool.Span(again)[0], pool.Span(leases[2])[0]));
        Assert.True(pool.TryRent(out BufferLease idle));
        Assert.Equal(-1, pool.Span(idle).IndexOfAnyExcept((byte)0));
        pool.Discard(leases[2]);
        Assert.Equal(-1, pool.Span(leases[2]).IndexOfAnyExcept((byte)0));
        foreach (BufferLease lease in (BufferLease[])[again, idle, leases[2]])
        {
            pool.Return(lease);
        }
    }

    [Fact]
    public void Registered_slabs_keep_their_pages()
    {
        using BufferPool pool = BufferPool.Create(4096, 1).Value;
        Assert.True(pool.TryRent(out BufferLease lease));
        pool.Span(lease).Fill(7);
        pool.MarkRegistered(1);
        pool.Discard(lease);
        Assert.Equal(7, pool.Span(lease)[0]);
        pool.Return(lease);
        pool.Trim(all: true);
        Assert.True(pool.TryRent(out lease));
        Assert.Equal(7, pool.Span(lease)[0]);
        pool.Return(lease);
    }

    [Fact]
    public void Renting_and_returning_any_class_allocates_nothing()
    {
        using BufferPool pool = BufferPool.Create(PacketBuffers.Default.Classes(1)).Value;
        long before = 0;
        for (int i = -100; i < 10_000; i++)
        {
            before = i == 0 ? GC.GetAllocatedBytesForCurrentThread() : before;
            pool.TryRent((PacketClass)((i + 100) % 3), out BufferLease lease);
            pool.Return(lease);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }
}
