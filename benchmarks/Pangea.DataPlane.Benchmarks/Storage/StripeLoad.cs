using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Memory;

namespace Pangea.DataPlane.Benchmarks.Storage;

/// <summary>Durable stripes: a shard for each device, then the flush.</summary>
internal static class StripeLoad
{
    private const int ShardBytes = 128 * 1024;

    /// <summary>
    /// Stripe after stripe into one file; the flush of a stripe runs beside the writes of the next.
    /// Counts shards.
    /// </summary>
    internal static async Task<long> RunAsync(
        RingThread ring, OwnedFd file, long fileBytes, int shards)
    {
        BufferLease[] leases = RentAll(ring, shards);
        Cursor cursor = new(fileBytes);
        ValueTask<SysResult>[] writes = new ValueTask<SysResult>[shards];
        long operations = 0;
        while (!ring.IsOver)
        {
            for (int i = 0; i < shards; i++)
            {
                writes[i] = ring.Reactor.WriteAsync(
                    file, leases[i].Slice(0, ShardBytes), cursor.Take(ShardBytes));
            }

            RingThread.MustMove(await ring.Reactor.SyncAsync(file, dataOnly: true), 0);
            foreach (ValueTask<SysResult> write in writes)
            {
                RingThread.MustMove(await write, ShardBytes);
            }

            operations += shards;
        }

        ReturnAll(ring, leases);
        return operations;
    }

    /// <summary>
    /// One file per shard; write and flush of each are linked. Counts shards.
    /// </summary>
    internal static async Task<long> RunLinkedAsync(
        RingThread ring, OwnedFd[] files, long fileBytes)
    {
        BufferLease[] leases = RentAll(ring, files.Length);
        Task<long>[] devices = new Task<long>[files.Length];
        for (int i = 0; i < files.Length; i++)
        {
            devices[i] = WriteDeviceAsync(ring, files[i], leases[i], fileBytes);
        }

        long operations = 0;
        foreach (Task<long> device in devices)
        {
            operations += await device;
        }

        ReturnAll(ring, leases);
        return operations;
    }

    private static async Task<long> WriteDeviceAsync(
        RingThread ring, OwnedFd file, BufferLease lease, long fileBytes)
    {
        Cursor cursor = new(fileBytes);
        long operations = 0;
        while (!ring.IsOver)
        {
            SysResult written = await ring.Reactor.WriteAndSyncAsync(
                file, lease.Slice(0, ShardBytes), cursor.Take(ShardBytes));
            RingThread.MustMove(written, ShardBytes);
            operations++;
        }

        return operations;
    }

    private static BufferLease[] RentAll(RingThread ring, int count)
    {
        BufferLease[] leases = new BufferLease[count];
        for (int i = 0; i < count; i++)
        {
            leases[i] = ring.Rent(ShardBytes);
            ring.Pool.Span(leases[i]).Fill((byte)i);
        }

        return leases;
    }

    private static void ReturnAll(RingThread ring, BufferLease[] leases)
    {
        foreach (BufferLease lease in leases)
        {
            ring.Pool.Return(lease);
        }
    }
}
