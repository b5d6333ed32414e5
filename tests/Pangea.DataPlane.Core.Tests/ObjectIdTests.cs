using System.Buffers.Binary;

namespace Pangea.DataPlane.Core.Tests;

public sealed class ObjectIdTests
{
    [Fact]
    public void New_ids_differ_and_begin_with_the_time()
    {
        long before = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        ObjectId[] ids = [.. Enumerable.Range(0, 10_000).Select(_ => ObjectId.New())];
        long after = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();

        Assert.Equal(ids.Length, ids.Distinct().Count());
        Assert.Equal(ids.Length, ids.Select(id => (ulong)id.Value).Distinct().Count());
        byte[] bytes = new byte[ObjectId.Bytes];
        foreach (ObjectId id in ids)
        {
            id.Write(bytes);
            long createdMs = BinaryPrimitives.ReadInt64BigEndian(bytes) >> 16;
            Assert.InRange(createdMs, before, after);
        }
    }
}
