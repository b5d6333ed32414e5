using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Memory;

namespace Pangea.DataPlane.Benchmarks.Storage;

/// <summary>Random reads of one block, so many at once.</summary>
internal static class ReadLoad
{
    private const int BlockBytes = 4096;

    internal static async Task<long> RunAsync(
        RingThread ring, OwnedFd file, long fileBytes, int depth)
    {
        Task<long>[] readers = new Task<long>[depth];
        for (int i = 0; i < depth; i++)
        {
            readers[i] = ReadAsync(ring, file, fileBytes, (ulong)Random.Shared.NextInt64() | 1);
        }

        long operations = 0;
        foreach (Task<long> reader in readers)
        {
            operations += await reader;
        }

        return operations;
    }

    private static async Task<long> ReadAsync(
        RingThread ring, OwnedFd file, long fileBytes, ulong random)
    {
        BufferLease lease = ring.Rent(BlockBytes);
        ulong blocks = (ulong)(fileBytes / BlockBytes);
        long operations = 0;
        while (!ring.IsOver)
        {
            // xorshift64 (Marsaglia 2003): a generator that costs nothing beside a read.
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            SysResult read = await ring.Reactor.ReadAsync(
                file, lease.Slice(0, BlockBytes), (long)(random % blocks) * BlockBytes);
            RingThread.MustMove(read, BlockBytes);
            operations++;
        }

        ring.Pool.Return(lease);
        return operations;
    }
}
