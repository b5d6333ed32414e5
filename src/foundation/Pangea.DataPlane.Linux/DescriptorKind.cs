namespace Pangea.DataPlane.Linux;

/// <summary>What a descriptor that travels between our processes is said to be.</summary>
public enum DescriptorKind
{
    /// <summary>A directory, open for reading.</summary>
    Directory,

    /// <summary>A disk or a partition.</summary>
    BlockDevice,

    /// <summary>A file on a file system.</summary>
    File,

    /// <summary>Memory that processes share (memfd_create(2)), its length sealed.</summary>
    Memory,

    /// <summary>One end of a Unix stream.</summary>
    Stream,

    /// <summary>A Unix socket that takes connections.</summary>
    Listener,
}

/// <summary>What one may do with a descriptor: exactly this, no less and no more.</summary>
public enum DescriptorAccess
{
    Read,
    ReadWrite,
}
