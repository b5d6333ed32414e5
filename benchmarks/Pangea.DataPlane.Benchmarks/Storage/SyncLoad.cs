using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Memory;

namespace Pangea.DataPlane.Benchmarks.Storage;

/// <summary>Durable writes of one block, so many at once.</summary>
internal static class SyncLoad
{
    private const int BlockBytes = 4096;

    internal static async Task<long> RunAsync(
        RingThread ring, OwnedFd file, long fileBytes, int depth, bool isLinked)
    {
        Cursor cursor = new(fileBytes);
        Task<long>[] writers = new Task<long>[depth];
        for (int i = 0; i < depth; i++)
        {
            writers[i] = WriteAsync(ring, file, cursor, isLinked);
        }

        long operations = 0;
        foreach (Task<long> writer in writers)
        {
            operations += await writer;
        }

        return operations;
    }

    private static async Task<long> WriteAsync(
        RingThread ring, OwnedFd file, Cursor cursor, bool isLinked)
    {
        BufferLease lease = ring.Rent(BlockBytes);
        BufferSlice slice = lease.Slice(0, BlockBytes);
        long operations = 0;
        while (!ring.IsOver)
        {
            long offset = cursor.Take(BlockBytes);
            SysResult written = isLinked
                ? await ring.Reactor.WriteAndSyncAsync(file, slice, offset)
                : await ring.Reactor.WriteAsync(file, slice, offset);
            RingThread.MustMove(written, BlockBytes);
            if (!isLinked)
            {
                RingThread.MustMove(await ring.Reactor.SyncAsync(file, dataOnly: true), 0);
            }

            operations++;
        }

        ring.Pool.Return(lease);
        return operations;
    }
}
