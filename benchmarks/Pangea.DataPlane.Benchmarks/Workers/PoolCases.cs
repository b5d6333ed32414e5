using System.Buffers;
using Pangea.DataPlane.Benchmarks.Frame;
using Pangea.DataPlane.Memory;

namespace Pangea.DataPlane.Benchmarks.Workers;

/// <summary>Renting and returning a packet buffer, beside what .NET has for the same.</summary>
internal static class PoolCases
{
    private const string Name = "packet pool, rent and return";
    private const double GoalNanoseconds = 10;

    internal static IEnumerable<BenchRow> Run(BenchOptions options)
    {
        if (!options.Wants(Name))
        {
            yield break;
        }

        using BufferPool pool = BufferPool.Create(
            PacketBuffers.Default.Classes(cores: 1), new BufferPoolOptions(true, false)).Value;
        foreach (PacketClass kind in Enum.GetValues<PacketClass>())
        {
            int bytes = PacketBuffers.BytesOf(kind);
            Action<int> ours = count =>
            {
                for (int i = 0; i < count; i++)
                {
                    _ = pool.TryRent(kind, out BufferLease lease);
                    pool.Return(lease);
                }
            };
            (string Name, Action<int> Run)[] rivals =
            [
                ("new byte[]", count => New(count, bytes)),
                ("ArrayPool", count => Array(count, bytes)),
                ("MemoryPool", count => Memory(count, bytes)),
            ];
            foreach ((string rival, Action<int> run) in rivals)
            {
                long before = GC.GetAllocatedBytesForCurrentThread();
                ours(10_000);
                long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
                PairedResult result =
                    PairedRun.MeasureBatches(options, ours, run, threadTime: true);
                yield return result.Duration(
                    $"{Name}, {kind.ToString().ToLowerInvariant()} of {bytes} B, beside {rival}",
                    "ns", GoalNanoseconds, rival, $"{allocated / 10_000} B allocated")
                    with { GoalIsAbsolute = true };
            }
        }
    }

    private static void New(int count, int bytes)
    {
        for (int i = 0; i < count; i++)
        {
            GC.KeepAlive(new byte[bytes]);
        }
    }

    private static void Array(int count, int bytes)
    {
        for (int i = 0; i < count; i++)
        {
            byte[] array = ArrayPool<byte>.Shared.Rent(bytes);
            ArrayPool<byte>.Shared.Return(array);
        }
    }

    private static void Memory(int count, int bytes)
    {
        for (int i = 0; i < count; i++)
        {
            using IMemoryOwner<byte> owner = MemoryPool<byte>.Shared.Rent(bytes);
        }
    }
}
