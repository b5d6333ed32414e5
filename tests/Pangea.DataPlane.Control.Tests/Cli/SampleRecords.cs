using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Control.Tests.Cli;

/// <summary>Results with known values, for golden texts.</summary>
internal static class SampleRecords
{
    public const string Id = "00112233445566778899aabbccddeeff";

    public const string Sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    public static DateTime Created { get; } = new(2026, 5, 4, 3, 2, 1, DateTimeKind.Utc);

    /// <summary>
    /// The text with the sample times in UTC, as golden texts have them; the tool prints local
    /// ones.
    /// </summary>
    public static string WithUtcTimes(string text)
    {
        const string form = "yyyy-MM-dd HH:mm:ss";
        int[] hours = [-1, 0, 1, 7 * 24];
        return hours.Select(hour => Created.AddHours(hour))
            .Concat([Created.AddMinutes(1), Created.AddMinutes(5)])
            .OrderDescending()
            .Aggregate(text, (result, time) => result.Replace(
                time.ToLocalTime().ToString(form), time.ToString(form)));
    }

    public static ObjectStatResult Stat { get; } = new()
    {
        Name = "a",
        Id = Id,
        Bytes = 335_544_320,
        StoredBytes = 503_500_800,
        Created = Created,
        Sha256 = Sha256,
        Stripes = 320,
        StripeBytes = 1_048_576,
        Redundancy = new RedundancyRecord { DataShards = 8, ParityShards = 4 },
        FileType = "tar",
        KeyId = "0a0b",
        Devices =
        [
            .. Enumerable.Range(0, 12).Select(i => new ObjectDevice
            {
                Index = i,
                State = i == 5 ? ShardState.Missing : ShardState.Ok,
            }),
        ],
        ShardsAvailable = 11,
        Restorable = true,
        Expires = Created.AddDays(7),
        TtlSeconds = 7 * 86_400,
        Statistics = new ObjectUse
        {
            Gets = 12,
            BytesServed = 4_026_531_840,
            LastGet = Created.AddHours(1),
        },
    };

    public static SystemStatusResult Status { get; } = new()
    {
        State = ApplianceState.Degraded,
        UptimeSeconds = 93_784,
        Pid = 4711,
        StateDirectory = "/var/lib/pangea",
        User = "pangea",
        Redundancy = new RedundancyRecord { DataShards = 8, ParityShards = 4 },
        StripeBytes = 1_048_576,
        Objects = 3,
        ObjectBytes = 1_073_741_824,
        StoredBytes = 1_610_612_736,
        Durability = "quorum",
        Catalog = new CatalogStatus
        {
            Bytes = 1_234_567,
            CheckpointAgeSeconds = 3,
            ChangesPending = 1_000,
            Reason = "no space left",
        },
        Devices =
        [
            new DeviceStatus
            {
                Index = 0,
                Path = "/var/lib/pangea/devices/00",
                State = DeviceState.Ok,
                Id = Id,
                FreeBytes = 1L << 40,
                TotalBytes = 1L << 41,
                DirectIo = true,
            },
            new DeviceStatus
            {
                Index = 1,
                Path = "/var/lib/pangea/devices/01",
                State = DeviceState.ReadOnly,
                Reason = "the file system is mounted read-only",
            },
        ],
        Workers =
        [
            new WorkerStatus
            {
                Index = 0,
                Role = "storage",
                State = WorkerState.Ready,
                Pid = 4712,
                Core = 1,
                Node = 0,
                Uid = 998,
                Restarts = 2,
                UptimeSeconds = 61,
                RssBytes = 123_456_789,
                Ring = "io_uring",
                RingReason = "io_uring works",
                Buffers = "83.2 MiB in 205 slabs, transparent huge pages",
                ErasureKernel = "gfni",
                Isolation = "uid 998, no capabilities",
            },
        ],
    };

    public static DeviceListResult Devices { get; } = new()
    {
        Devices =
        [
            new DeviceStatus
            {
                Index = 0,
                Path = "/srv/0",
                State = DeviceState.Ok,
                Id = Id,
                FreeBytes = 1L << 40,
                TotalBytes = 1L << 41,
                DirectIo = true,
                Kind = DeviceKind.Directory,
                Source = DeviceSource.Configuration,
                Segments = 17,
                LiveBytes = 1L << 30,
                GarbageBytes = 1L << 20,
            },
            new DeviceStatus
            {
                Index = 3,
                Path = "/dev/sdq",
                State = DeviceState.Ok,
                Kind = DeviceKind.Block,
                Source = DeviceSource.State,
                Draining = true,
                Healing = new DeviceHealing
                {
                    ObjectsDone = 1_000,
                    ObjectsTotal = 2_000,
                    BytesDone = 1 << 20,
                },
            },
            new DeviceStatus
            {
                Index = 4,
                Path = "/srv/4",
                State = DeviceState.Missing,
                Source = DeviceSource.State,
                Reason = "directory /srv/4 does not exist",
            },
        ],
    };

    public static ScrubStatus Scrub { get; } = new()
    {
        Running = true,
        ObjectsChecked = 1_500,
        ObjectsTotal = 3_000,
        BytesChecked = 1 << 30,
        ErrorsFound = 2,
        BytesPerSecond = 100_000_000,
        Passes = 4,
        Position = "reports/2026.pdf",
        Started = Created,
        LastFinished = Created.AddHours(-1),
    };

    public static HealStatus Heal { get; } = new()
    {
        Running = true,
        QueuedCritical = 1,
        QueuedDegraded = 2_000,
        ObjectsHealed = 10,
        ShardsHealed = 12,
        BytesWritten = 12 << 20,
        Attempts = 13,
        Failures = 3,
        SkippedTotal = 1,
        Skipped =
        [
            new HealSkipped
            {
                Name = "lost",
                Id = Id,
                Reason = "too few shards are left",
                ShardsAvailable = 7,
                ShardsNeeded = 8,
                Next = Created.AddHours(1),
            },
        ],
        BytesPerSecond = 0,
        BackoffUntil = Created.AddMinutes(1),
        NextCheck = Created.AddMinutes(5),
    };

    public static ObjectEntry Entry(string name, long bytes) => new()
    {
        Name = name,
        Id = Id,
        Bytes = bytes,
        StoredBytes = bytes * 3 / 2,
        Created = Created,
    };

    public static Fault NoObject(string name) => new(
        FaultCode.NotFound, $"no object '{name}'", "pangea ls lists the names");
}
