using Pangea.DataPlane.Control.Schema;

namespace Pangea.DataPlane.Supervisor.Configuration;

/// <summary>
/// How the storage works, as far as one source says it; null where it says nothing. Units and
/// meanings are those of <see cref="StorageSettings"/>.
/// </summary>
public sealed record StorageSettingsValues
{
    public string? Durability { get; init; }

    public long? SegmentBytes { get; init; }

    public int? CheckpointSeconds { get; init; }

    public int? ScrubEverySeconds { get; init; }

    public long? ScrubBytesPerSecond { get; init; }

    public int? HealCheckSeconds { get; init; }

    public int? HealCriticalShards { get; init; }

    public int? HealTargetShards { get; init; }

    public long? HealBytesPerSecond { get; init; }

    public int? HealBackoffSeconds { get; init; }

    public int? HealBackoffSecondsMax { get; init; }

    public long? CompactionBytesPerSecond { get; init; }

    /// <summary>This source where it says something, the other one elsewhere.</summary>
    public StorageSettingsValues Over(StorageSettingsValues other) => new()
    {
        Durability = Durability ?? other.Durability,
        SegmentBytes = SegmentBytes ?? other.SegmentBytes,
        CheckpointSeconds = CheckpointSeconds ?? other.CheckpointSeconds,
        ScrubEverySeconds = ScrubEverySeconds ?? other.ScrubEverySeconds,
        ScrubBytesPerSecond = ScrubBytesPerSecond ?? other.ScrubBytesPerSecond,
        HealCheckSeconds = HealCheckSeconds ?? other.HealCheckSeconds,
        HealCriticalShards = HealCriticalShards ?? other.HealCriticalShards,
        HealTargetShards = HealTargetShards ?? other.HealTargetShards,
        HealBytesPerSecond = HealBytesPerSecond ?? other.HealBytesPerSecond,
        HealBackoffSeconds = HealBackoffSeconds ?? other.HealBackoffSeconds,
        HealBackoffSecondsMax = HealBackoffSecondsMax ?? other.HealBackoffSecondsMax,
        CompactionBytesPerSecond = CompactionBytesPerSecond ?? other.CompactionBytesPerSecond,
    };

    /// <summary>Fills the gaps with <see cref="StorageSettings.Default"/>.</summary>
    public StorageSettings Complete()
    {
        StorageSettings defaults = StorageSettings.Default;
        int backoff = HealBackoffSeconds ?? defaults.Heal.BackoffSeconds;
        return new StorageSettings
        {
            Durability = Durability ?? defaults.Durability,
            SegmentBytes = SegmentBytes,
            CheckpointSeconds = CheckpointSeconds ?? defaults.CheckpointSeconds,
            Scrub = new ScrubSettings
            {
                EverySeconds = ScrubEverySeconds ?? defaults.Scrub.EverySeconds,
                BytesPerSecond = ScrubBytesPerSecond ?? defaults.Scrub.BytesPerSecond,
            },
            Heal = new HealSettings
            {
                CheckSeconds = HealCheckSeconds ?? defaults.Heal.CheckSeconds,
                CriticalShards = HealCriticalShards ?? defaults.Heal.CriticalShards,
                TargetShards = HealTargetShards,
                BytesPerSecond = HealBytesPerSecond ?? defaults.Heal.BytesPerSecond,
                BackoffSeconds = backoff,

                // Who lengthens the first pause past the default bound means the bound as well.
                BackoffSecondsMax = HealBackoffSecondsMax
                    ?? Math.Max(defaults.Heal.BackoffSecondsMax, backoff),
            },
            Compaction = new CompactionSettings
            {
                BytesPerSecond =
                    CompactionBytesPerSecond ?? defaults.Compaction.BytesPerSecond,
            },
        };
    }
}
