// HOT PATH: see ReusableJob.

using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Memory;
using Pangea.DataPlane.Reactor;

namespace Pangea.DataPlane.Storage;

/// <content>
/// The operations of which many are under way at once, as jobs that are used again.
/// </content>
public sealed partial class DeviceLog
{
    private readonly Stack<ShardAppend> _shardAppends = new();
    private readonly Stack<ShardRead> _shardReads = new();
    private readonly Stack<InlineRead> _inlineReads = new();

    private sealed class ShardAppend(DeviceLog log)
        : ReusableJob<ShardAppend, Result<LogAddress>>(log._shardAppends)
    {
        internal ObjectId Id { get; set; }

        internal BufferSlice Header { get; set; }

        internal BufferSlice Payload { get; set; }

        protected override async Task RunAsync()
        {
            while (true)
            {
                int bytes = Header.Bytes + Payload.Bytes;
                Fault? fault = null;
                while (fault is null && (log._isClosed || log._shards?.HasRoomFor(bytes) != true))
                {
                    Result rolled = log._isClosed
                        ? log.Closed()
                        : await log.RollAsync(SegmentKind.Shards, bytes, essential: false)
                            .ConfigureAwait(false);
                    fault = rolled.Fault;
                }

                if (fault is not null)
                {
                    log._report(fault);
                    await Finish(fault);
                    continue;
                }

                LogSegment segment = log.TakeShardPlace(Id, Header, bytes, out LogAddress address);
                SegmentFile file = segment.File!.Value;
                SysResult written = await log._reactor.WriteAsync(
                    file.Fd, Header, Payload, file.Base + address.Offset);
                if (written.IsOk && written.Value < bytes)
                {
                    written = await log.WriteRestAsync(
                        file, Header, Payload, address.Offset, (int)written.Value)
                        .ConfigureAwait(false);
                }

                await Finish(log.EndShardWrite(segment, address, written));
            }
        }
    }

    private sealed class ShardRead(DeviceLog log)
        : ReusableJob<ShardRead, SysResult>(log._shardReads)
    {
        internal LogAddress Address { get; set; }

        internal BufferSlice Header { get; set; }

        internal BufferSlice Payload { get; set; }

        protected override async Task RunAsync()
        {
            while (true)
            {
                Result<LogSegment> used = log.Use(Address.Segment);
                if (!used.IsOk)
                {
                    await Finish(log.Failed(used.Fault));
                    continue;
                }

                LogSegment segment = used.Value;
                SegmentFile file = segment.File!.Value;
                SysResult read = await log._reactor.ReadAsync(
                    file.Fd, Header, Payload, file.Base + Address.Offset);
                if (read.IsOk && read.Value < Header.Bytes + Payload.Bytes)
                {
                    read = await log.ReadRestAsync(
                        file, Header, Payload, Address.Offset, (int)read.Value)
                        .ConfigureAwait(false);
                }

                log.Leave(segment);
                await Finish(log.JudgeShard(Address, Header, read));
            }
        }
    }

    private sealed class InlineRead(DeviceLog log)
        : ReusableJob<InlineRead, Result<InlineShard>>(log._inlineReads)
    {
        internal LogAddress Address { get; set; }

        internal BufferSlice Blocks { get; set; }

        protected override async Task RunAsync()
        {
            while (true)
            {
                Result<LogSegment> used = log.Use(Address.Segment);
                if (!used.IsOk)
                {
                    await Finish(used.Fault);
                    continue;
                }

                LogSegment segment = used.Value;
                SegmentFile file = segment.File!.Value;
                long start = Address.Offset & ~(LogFormat.BlockBytes - 1L);
                SysResult read = await log._reactor.ReadAsync(
                    file.Fd, Blocks, file.Base + start);
                if (read.IsOk && read.Value < Blocks.Bytes)
                {
                    read = await log.ReadRestAsync(
                        file, Blocks, Blocks with { Bytes = 0 }, start, (int)read.Value)
                        .ConfigureAwait(false);
                }

                log.Leave(segment);
                await Finish(log.FindInline(Address, Blocks, read));
            }
        }
    }
}
