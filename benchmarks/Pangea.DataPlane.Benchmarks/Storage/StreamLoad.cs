using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Memory;

namespace Pangea.DataPlane.Benchmarks.Storage;

/// <summary>Large transfers one behind the other, so many at once, around the file.</summary>
internal static class StreamLoad
{
    private const int BlockBytes = 1024 * 1024;

    internal static async Task<long> RunAsync(
        RingThread ring, OwnedFd file, long fileBytes, int depth, bool isWrite)
    {
        Cursor cursor = new(fileBytes);
        Task<long>[] movers = new Task<long>[depth];
        for (int i = 0; i < depth; i++)
        {
            movers[i] = MoveAsync(ring, file, cursor, isWrite);
        }

        long operations = 0;
        foreach (Task<long> mover in movers)
        {
            operations += await mover;
        }

        return operations;
    }

    private static async Task<long> MoveAsync(
        RingThread ring, OwnedFd file, Cursor cursor, bool isWrite)
    {
        BufferLease lease = ring.Rent(BlockBytes);
        BufferSlice slice = lease.Slice(0, BlockBytes);
        long operations = 0;
        while (!ring.IsOver)
        {
            long offset = cursor.Take(BlockBytes);
            SysResult moved = isWrite
                ? await ring.Reactor.WriteAsync(file, slice, offset)
                : await ring.Reactor.ReadAsync(file, slice, offset);
            RingThread.MustMove(moved, BlockBytes);
            operations++;
        }

        ring.Pool.Return(lease);
        return operations;
    }
}
