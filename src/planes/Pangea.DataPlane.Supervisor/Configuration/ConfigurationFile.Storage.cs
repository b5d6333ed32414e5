using Pangea.DataPlane.Core;
using YamlDotNet.RepresentationModel;

namespace Pangea.DataPlane.Supervisor.Configuration;

/// <content>The keys of <c>storage</c> that say how it works.</content>
public sealed partial class ConfigurationFile
{
    private StorageSettingsValues Settings
    {
        get => _values.Settings ?? new StorageSettingsValues();
        set => _values = _values with { Settings = value };
    }

    private bool ReadSettings(string key, YamlNode value)
    {
        switch (key)
        {
            case "durability":
                ReadParsed(value, key, ConfigurationValues.ParseDurability, parsed =>
                    Settings = Settings with { Durability = parsed });
                return true;
            case "segmentBytes":
                ReadParsed(value, key, ConfigurationValues.ParseSegmentBytes, parsed =>
                    Settings = Settings with { SegmentBytes = parsed });
                return true;
            case "checkpointSeconds":
                ReadSeconds(value, key, 1, parsed =>
                    Settings = Settings with { CheckpointSeconds = parsed });
                return true;
            case "scrub":
                ReadMapping(value, "storage.scrub", ReadScrub);
                return true;
            case "heal":
                ReadMapping(value, "storage.heal", ReadHeal);
                CheckHeal(value);
                return true;
            case "compaction":
                ReadMapping(value, "storage.compaction", ReadCompaction);
                return true;
            default:
                return false;
        }
    }

    private bool ReadScrub(string key, YamlNode value)
    {
        switch (key)
        {
            case "everySeconds":
                ReadSeconds(value, key, 0, parsed =>
                    Settings = Settings with { ScrubEverySeconds = parsed });
                return true;
            case "bytesPerSecond":
                ReadParsed(value, key, ConfigurationValues.ParseBytes, parsed =>
                    Settings = Settings with { ScrubBytesPerSecond = parsed });
                return true;
            default:
                return false;
        }
    }

    private bool ReadHeal(string key, YamlNode value)
    {
        switch (key)
        {
            case "checkSeconds":
                ReadSeconds(value, key, 0, parsed =>
                    Settings = Settings with { HealCheckSeconds = parsed });
                return true;
            case "criticalShards":
                ReadParsed(value, key, ConfigurationValues.ParseSpareShards, parsed =>
                    Settings = Settings with { HealCriticalShards = parsed });
                return true;
            case "targetShards":
                ReadParsed(value, key, ConfigurationValues.ParseSpareShards, parsed =>
                    Settings = Settings with { HealTargetShards = parsed });
                return true;
            case "bytesPerSecond":
                ReadParsed(value, key, ConfigurationValues.ParseBytes, parsed =>
                    Settings = Settings with { HealBytesPerSecond = parsed });
                return true;
            case "backoffSeconds":
                ReadSeconds(value, key, 1, parsed =>
                    Settings = Settings with { HealBackoffSeconds = parsed });
                return true;
            case "backoffSecondsMax":
                ReadSeconds(value, key, 1, parsed =>
                    Settings = Settings with { HealBackoffSecondsMax = parsed });
                return true;
            default:
                return false;
        }
    }

    /// <summary>What only two keys together can get wrong.</summary>
    private void CheckHeal(YamlNode node)
    {
        if (Settings.HealTargetShards < Settings.HealCriticalShards)
        {
            Error(
                node,
                $"targetShards {Settings.HealTargetShards} is below criticalShards "
                    + $"{Settings.HealCriticalShards}: critical objects would never be healed");
        }

        if (Settings.HealBackoffSecondsMax < Settings.HealBackoffSeconds)
        {
            Error(
                node,
                $"backoffSecondsMax {Settings.HealBackoffSecondsMax} is below backoffSeconds "
                    + $"{Settings.HealBackoffSeconds}");
        }
    }

    private bool ReadCompaction(string key, YamlNode value)
    {
        if (key != "bytesPerSecond")
        {
            return false;
        }

        ReadParsed(value, key, ConfigurationValues.ParseBytes, parsed =>
            Settings = Settings with { CompactionBytesPerSecond = parsed });
        return true;
    }

    private void ReadSeconds(YamlNode node, string key, int min, Action<int> take) => ReadParsed(
        node, key, text => ConfigurationValues.ParseSeconds(text, min), take);
}
