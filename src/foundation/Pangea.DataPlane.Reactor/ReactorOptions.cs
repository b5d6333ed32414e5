namespace Pangea.DataPlane.Reactor;

/// <summary>Which executor to use.</summary>
public enum ReactorChoice
{
    /// <summary>
    /// io_uring where the kernel lets us, plain otherwise; PANGEA_RING overrides.
    /// </summary>
    Probe,

    /// <summary>io_uring or a fault.</summary>
    IoUring,

    Plain,
}

/// <summary>Bounds and choice of a reactor.</summary>
public sealed record ReactorOptions
{
    /// <summary>Environment variable that forces an executor: "plain" or "io_uring".</summary>
    public const string Variable = "PANGEA_RING";

    public ReactorChoice Choice { get; init; } = ReactorChoice.Probe;

    /// <summary>
    /// Operations under way at once. A storage worker needs per transfer two stripes of up to 255
    /// shards; a supervisor two per connection.
    /// </summary>
    public int OperationsMax { get; init; } = 4096;

    /// <summary>
    /// Entries of the submission queue, a power of two; a full queue is submitted.
    /// </summary>
    public int QueueDepth { get; init; } = 256;

    /// <summary>
    /// Threads for file operations of the plain executor, started with the first one.
    /// </summary>
    public int IoThreads { get; init; } = 4;

    /// <summary>Register the pool with the ring, which saves pinning pages per operation.</summary>
    public bool RegisterBuffers { get; init; } = true;

    /// <summary>
    /// Register at most so much of the pool, shortest slabs first: registered memory is pinned and
    /// so counts as resident from the start.
    /// </summary>
    public long RegisterBytesMax { get; init; } = long.MaxValue;

    /// <summary>
    /// Let the kernel finish operations only inside our own waits (Linux 6.1), which saves an
    /// interruption per completion.
    /// </summary>
    public bool DeferTaskWork { get; init; } = true;

    /// <summary>
    /// Slots of the ring's table of files, into which files that are used often come by themselves;
    /// 0 for no table.
    /// </summary>
    public int FileSlots { get; init; } = 1024;

    /// <summary>
    /// At most so many entries are queued before they are submitted early, in the middle of a turn,
    /// so that the device works while the loop goes on; fewer while little is under way. 0 submits
    /// once a turn.
    /// </summary>
    public int SubmitBatch { get; init; } = 8;

    /// <summary>
    /// Threads of the kernel that may flush files for the ring at once; a flush has no other way.
    /// One for each device of an appliance with many; they exist only while there is work.
    /// </summary>
    public int SyncsMax { get; init; } = 32;

    /// <summary>
    /// Bytes of file transfers that the kernel has at once; what is beyond waits its turn.
    /// </summary>
    public long FlightBytesMax { get; init; } = 64L << 20;

    /// <summary>
    /// File transfers that the kernel has at once; what is beyond waits its turn.
    /// </summary>
    public int FlightsMax { get; init; } = 1024;

    /// <summary>
    /// For tests: behave as on a kernel from before Linux 6.1 (no deferred task work in io_uring)
    /// and 6.4 (no way to ask a pipe without waiting).
    /// </summary>
    internal bool IsOldKernel { get; init; }

    /// <summary>For tests: entries of the completion queue; 0 derives them.</summary>
    internal int CompletionDepth { get; init; }

    /// <summary>
    /// How long <see cref="IReactor.Stop"/> waits for cancelled operations to end.
    /// </summary>
    public TimeSpan StopTimeMax { get; init; } = TimeSpan.FromSeconds(10);
}
