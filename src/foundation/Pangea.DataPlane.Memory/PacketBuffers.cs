namespace Pangea.DataPlane.Memory;

/// <summary>Lengths of packets that have slabs of their own, by their class in the pool.</summary>
public enum PacketClass
{
    /// <summary>Headers, control and market-data packets: up to 512 bytes.</summary>
    Small,

    /// <summary>An Ethernet frame with room before it: up to 2048 bytes.</summary>
    Standard,

    /// <summary>A jumbo frame with room before it: up to 10240 bytes.</summary>
    Jumbo,
}

/// <summary>
/// What a worker's packet pool is made of. At the default counts a core's pool is 1000 x 512 B +
/// 500 x 2048 B + 200 x 10240 B = 3.4 MiB, two huge pages.
/// </summary>
/// <param name="Small">Slabs of <see cref="PacketClass.Small"/> per core.</param>
/// <param name="Standard">Slabs of <see cref="PacketClass.Standard"/> per core.</param>
/// <param name="Jumbo">Slabs of <see cref="PacketClass.Jumbo"/> per core.</param>
public readonly record struct PacketBuffers(int Small, int Standard, int Jumbo)
{
    public static readonly PacketBuffers Default = new(1000, 500, 200);

    /// <summary>For the buffer pool of a worker with so many cores.</summary>
    public SlabClass[] Classes(int cores) =>
    [
        new SlabClass(BytesOf(PacketClass.Small), Small * cores),
        new SlabClass(BytesOf(PacketClass.Standard), Standard * cores),
        new SlabClass(BytesOf(PacketClass.Jumbo), Jumbo * cores),
    ];

    /// <summary>Bytes of all slabs of a worker with so many cores.</summary>
    public long Bytes(int cores) =>
        Classes(cores).Sum(slabs => (long)slabs.SlabBytes * slabs.Count);

    /// <summary>Length of a slab of the class.</summary>
    public static int BytesOf(PacketClass kind) => kind switch
    {
        PacketClass.Small => 512,
        PacketClass.Standard => 2048,
        _ => 10 * 1024,
    };
}
