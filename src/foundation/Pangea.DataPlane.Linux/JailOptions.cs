namespace Pangea.DataPlane.Linux;

/// <summary>What a process becomes before it executes the real program.</summary>
public sealed record JailOptions
{
    /// <summary>
    /// Whom to become; null keeps the present user, the only choice without root.
    /// </summary>
    public UserAccount? User { get; init; }

    /// <summary>Cores that any of its threads may use.</summary>
    public required IReadOnlyList<int> Cores { get; init; }

    /// <summary>
    /// Node its memory comes from while it has some; null where there is only one.
    /// </summary>
    public int? MemoryNode { get; init; }

    /// <summary>Open files allowed; as many of them as the hard limit lets us have.</summary>
    public ulong OpenFilesMax { get; init; } = 16 * 1024;

    /// <summary>Locked bytes allowed: ring buffers count against it.</summary>
    public ulong LockedBytesMax { get; init; } = 512UL * 1024 * 1024;

    /// <summary>Descriptors up to this number are kept; all others end with the exec.</summary>
    public int HighestKeptFd { get; init; } = 3;

    /// <summary>
    /// Descriptors of directories and devices that the program may use in every ordinary way; all
    /// the rest of the file system is closed to it but for what it takes to run.
    /// </summary>
    public IReadOnlyList<int> Places { get; init; } = [];

    /// <summary>
    /// Directories that the program needs, bound read-only under <see cref="PrivateRoot"/>; key:
    /// name there, value: real path. Needed because the user may have no way to the real path.
    /// </summary>
    public IReadOnlyDictionary<string, string> Bindings { get; init; } =
        new Dictionary<string, string>();

    /// <summary>Becomes a private empty directory that holds the bindings.</summary>
    public string PrivateRoot { get; init; } = "/tmp";
}
