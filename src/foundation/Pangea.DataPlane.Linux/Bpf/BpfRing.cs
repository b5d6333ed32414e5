using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Linux.Bpf;

/// <summary>
/// The reading end of a ring buffer map: one reader, no copies in the kernel, no allocation here.
/// Layout (kernel/bpf/ringbuf.c): a page with the consumer's position that we write, then a page
/// with the producer's position and the data, mapped twice in a row.
/// </summary>
public sealed unsafe class BpfRing : IDisposable
{
    private readonly MappedRegion _consumer;
    private readonly MappedRegion _producer;
    private readonly uint _mask;

    private BpfRing(MappedRegion consumer, MappedRegion producer, uint bytes)
    {
        _consumer = consumer;
        _producer = producer;
        _mask = bytes - 1;
    }

    public static Result<BpfRing> Open(BpfMap map)
    {
        long page = Environment.SystemPageSize;
        Result<MappedRegion> consumer = MappedRegion.Shared(map.Fd, page, writable: true);
        if (!consumer.IsOk)
        {
            return consumer.Fault;
        }

        Result<MappedRegion> producer = MappedRegion.Shared(
            map.Fd, page + (2L * map.Entries), writable: false, offset: page);
        if (!producer.IsOk)
        {
            consumer.Value.Dispose();
            return producer.Fault;
        }

        return new BpfRing(consumer.Value, producer.Value, map.Entries);
    }

    /// <summary>
    /// Copies the next record, cut to the span; -1 where there is none that is finished.
    /// </summary>
    public int TryRead(Span<byte> record)
    {
        // SAFETY: positions are 8-byte aligned words of the shared pages; the data area is mapped
        // twice, so a record that begins inside it can be read in one piece. Lengths come from the
        // kernel and are checked against the ring all the same.
        ulong* consumed = (ulong*)_consumer.Address;
        ulong* produced = (ulong*)_producer.Address;
        byte* data = _producer.Address + Environment.SystemPageSize;
        while (true)
        {
            ulong position = *consumed;
            if (position >= Volatile.Read(ref *produced))
            {
                return -1;
            }

            byte* header = data + (position & _mask);
            uint length = Volatile.Read(ref *(uint*)header);
            if ((length & Abi.Bpf.BPF_RINGBUF_BUSY_BIT) != 0)
            {
                return -1;
            }

            uint bytes = length & ~Abi.Bpf.BPF_RINGBUF_DISCARD_BIT;
            Invariant.Check(bytes <= _mask, "a record is longer than its ring");
            int copied = -1;
            if ((length & Abi.Bpf.BPF_RINGBUF_DISCARD_BIT) == 0)
            {
                copied = (int)Math.Min(bytes, (uint)record.Length);
                new ReadOnlySpan<byte>(header + Abi.Bpf.BPF_RINGBUF_HDR_SZ, copied).CopyTo(record);
            }

            ulong next = position + ((bytes + Abi.Bpf.BPF_RINGBUF_HDR_SZ + 7) & ~7u);
            Volatile.Write(ref *consumed, next);
            if (copied >= 0)
            {
                return copied;
            }
        }
    }

    public void Dispose()
    {
        _consumer.Dispose();
        _producer.Dispose();
    }
}
