using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Control.Tests.Cli;

/// <summary>Results with known values, for golden texts.</summary>
internal static class SampleRecords
{
    public const string Id = "00112233445566778899aabbccddeeff";

    public const string Sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    private static readonly DateTime s_created = new(2026, 5, 4, 3, 2, 1, DateTimeKind.Utc);

    public static ObjectStatResult Stat { get; } = new()
    {
        Name = "a",
        Id = Id,
        Bytes = 335_544_320,
        StoredBytes = 503_500_800,
        Created = s_created,
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
                Uid = 998,
                Restarts = 2,
                UptimeSeconds = 61,
                RssBytes = 123_456_789,
                Ring = "io_uring",
                RingReason = "io_uring works",
                ErasureKernel = "gfni",
                Isolation = "uid 998, no capabilities",
            },
        ],
    };

    public static ObjectEntry Entry(string name, long bytes) => new()
    {
        Name = name,
        Id = Id,
        Bytes = bytes,
        StoredBytes = bytes * 3 / 2,
        Created = s_created,
    };

    public static Fault NoObject(string name) => new(
        FaultCode.NotFound, $"no object '{name}'", "pangea ls lists the names");
}
