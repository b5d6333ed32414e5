namespace Pangea.DataPlane.Control.Schema;

/// <summary>How many open descriptors of one kind a process has.</summary>
public sealed record DescriptorCount
{
    /// <summary>"file", "directory", "socket", "pipe", "memory", "io_uring", "eventfd".</summary>
    public required string Kind { get; init; }

    public required int Count { get; init; }
}
