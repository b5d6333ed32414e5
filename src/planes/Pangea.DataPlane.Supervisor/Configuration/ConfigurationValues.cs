using System.Globalization;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Supervisor.Configuration;

/// <summary>
/// What one source (flags, environment or file) says; null where it says nothing. Later sources
/// fill the gaps of earlier ones.
/// </summary>
public sealed record ConfigurationValues
{
    private static readonly (string Suffix, int Shift)[] s_units =
        [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40)];

    public string? StateDirectory { get; init; }

    public string? SocketPath { get; init; }

    public string? User { get; init; }

    public IReadOnlyList<string>? Devices { get; init; }

    /// <summary>Directories below which devices may be added at run time.</summary>
    public IReadOnlyList<string>? DevicePlaces { get; init; }

    public Redundancy? Redundancy { get; init; }

    public int? StripeBytes { get; init; }

    /// <summary>"none", "balanced", "archive" or "adaptive".</summary>
    public string? Compression { get; init; }

    /// <summary>Object classes beside the default, in the order of the file.</summary>
    public IReadOnlyList<ObjectClassValues>? Classes { get; init; }

    /// <summary>How the storage works.</summary>
    public StorageSettingsValues? Settings { get; init; }

    /// <summary>Null where there is no such section.</summary>
    public FirewallSettings? Firewall { get; init; }

    public CoreRequest? StorageCores { get; init; }

    public CoreRequest? RelayCores { get; init; }

    public CoreRequest? GatewayCores { get; init; }

    /// <summary>Threads that compute stripes beside that loop.</summary>
    public int? StorageThreads { get; init; }

    /// <summary>Deaths within a minute after which a worker is given up.</summary>
    public int? DeathsPerMinuteMax { get; init; }

    /// <summary>Seconds without a turn of its loop after which a worker is killed.</summary>
    public int? StallSecondsMax { get; init; }

    /// <summary>Whether a process waits to take the storage worker's place.</summary>
    public bool? StorageStandby { get; init; }

    /// <summary>This source where it says something, the other one elsewhere.</summary>
    public ConfigurationValues Over(ConfigurationValues other) => new()
    {
        StateDirectory = StateDirectory ?? other.StateDirectory,
        SocketPath = SocketPath ?? other.SocketPath,
        User = User ?? other.User,
        Devices = Devices ?? other.Devices,
        DevicePlaces = DevicePlaces ?? other.DevicePlaces,
        Redundancy = Redundancy ?? other.Redundancy,
        StripeBytes = StripeBytes ?? other.StripeBytes,
        Compression = Compression ?? other.Compression,
        Classes = Classes ?? other.Classes,
        Settings = Settings is not null && other.Settings is not null
            ? Settings.Over(other.Settings)
            : Settings ?? other.Settings,
        Firewall = Firewall ?? other.Firewall,
        StorageCores = StorageCores ?? other.StorageCores,
        RelayCores = RelayCores ?? other.RelayCores,
        GatewayCores = GatewayCores ?? other.GatewayCores,
        StorageThreads = StorageThreads ?? other.StorageThreads,
        DeathsPerMinuteMax = DeathsPerMinuteMax ?? other.DeathsPerMinuteMax,
        StallSecondsMax = StallSecondsMax ?? other.StallSecondsMax,
        StorageStandby = StorageStandby ?? other.StorageStandby,
    };

    /// <summary>Reads "8+4".</summary>
    public static Result<Redundancy> ParseRedundancy(string text)
    {
        string[] parts = text.Split('+');
        return parts.Length == 2
            && TryNumber(parts[0], out int data)
            && TryNumber(parts[1], out int parity)
            ? Core.Redundancy.Create(data, parity)
            : Fault.InvalidParameter(
                "redundancy", $"\"{text}\" is not of the form data+parity", "the default is 8+4");
    }

    /// <summary>Reads a number of bytes, or of MiB, within the bounds of a stripe.</summary>
    public static Result<int> ParseStripeBytes(string text, int unit)
    {
        // A stripe is cut at the devices' block size, so anything but a multiple of it would only
        // pad.
        bool valid = TryNumber(text, out int number)
            && (long)number * unit is >= Limits.StripeBytesMin and <= Limits.StripeBytesMax
            && (long)number * unit % Limits.StripeBytesMin == 0;
        return valid
            ? number * unit
            : Fault.InvalidParameter(
                "stripeBytes",
                $"\"{text}\" is no stripe size: a multiple of {Limits.StripeBytesMin} bytes from "
                    + $"{Limits.StripeBytesMin} to {Limits.StripeBytesMax}",
                $"the default is {Limits.StripeBytesDefault}");
    }

    public static Result<string> ParseCompression(string text) =>
        text is "none" or "balanced" or "archive" or "adaptive"
            ? text
            : Fault.InvalidParameter(
                "compression", $"\"{text}\" is none of none, balanced, archive, adaptive");

    public static Result<int> ParseDeathsPerMinute(string text) =>
        TryNumber(text, out int deaths) && deaths is >= 1 and <= 10_000
            ? deaths
            : Fault.InvalidParameter(
                "deathsPerMinute", $"\"{text}\" is no number of deaths from 1 to 10000");

    public static Result<int> ParseStallSeconds(string text) =>
        TryNumber(text, out int seconds) && seconds is >= 1 and <= 3600
            ? seconds
            : Fault.InvalidParameter(
                "stallSeconds", $"\"{text}\" is no number of seconds from 1 to 3600");

    public static Result<bool> ParseStandby(string text) => text switch
    {
        "true" => true,
        "false" => false,
        _ => Fault.InvalidParameter("standby", $"\"{text}\" is neither true nor false"),
    };

    public static Result<int> ParseThreads(string text) =>
        TryNumber(text, out int threads) && threads <= Limits.ComputeThreadsMax
            ? threads
            : Fault.InvalidParameter(
                "threads",
                $"\"{text}\" is no number of threads from 0 to {Limits.ComputeThreadsMax}",
                "0 lets the loop compute by itself");

    public static Result<string> ParseDurability(string text) =>
        text is "quorum" or "all"
            ? text
            : Fault.InvalidParameter(
                "durability",
                $"\"{text}\" is none of quorum, all",
                "quorum waits for k+1 devices, all for every one of k+m");

    /// <summary>Reads a number of bytes: "67108864", "64MiB", "64 MiB".</summary>
    public static Result<long> ParseBytes(string text)
    {
        string digits = text;
        long unit = 1;
        foreach ((string suffix, int shift) in s_units)
        {
            if (text.EndsWith(suffix, StringComparison.Ordinal))
            {
                digits = text[..^suffix.Length].TrimEnd(' ');
                unit = 1L << shift;
                break;
            }
        }

        return long.TryParse(
                digits, NumberStyles.None, CultureInfo.InvariantCulture, out long number)
            && number <= long.MaxValue / unit
            ? number * unit
            : Fault.InvalidParameter(
                "bytes", $"\"{text}\" is no number of bytes such as 67108864 or 64MiB");
    }

    /// <summary>Reads the length of a log segment.</summary>
    public static Result<long> ParseSegmentBytes(string text)
    {
        Result<long> bytes = ParseBytes(text);
        return bytes.IsOk
            && bytes.Value is >= Limits.SegmentBytesMin and <= Limits.SegmentBytesMax
            && bytes.Value % Limits.SegmentBytesMin == 0
            ? bytes
            : Fault.InvalidParameter(
                "segmentBytes",
                $"\"{text}\" is no length of a segment: a multiple of 1MiB from "
                    + $"{Limits.SegmentBytesMin >> 20}MiB to {Limits.SegmentBytesMax >> 20}MiB",
                "without it the size of the device decides");
    }

    public static Result<int> ParseSeconds(string text, int min) =>
        TryNumber(text, out int seconds) && seconds >= min
            && seconds <= Limits.IntervalSecondsMax
            ? seconds
            : Fault.InvalidParameter(
                "seconds",
                $"\"{text}\" is no number of seconds from {min} to {Limits.IntervalSecondsMax}");

    /// <summary>Reads a number of shards beyond those that a get needs.</summary>
    public static Result<int> ParseSpareShards(string text) =>
        TryNumber(text, out int shards) && shards <= Limits.ShardsMax
            ? shards
            : Fault.InvalidParameter(
                "shards", $"\"{text}\" is no number of shards from 0 to {Limits.ShardsMax}");

    /// <summary>Reads how many entries a table of the firewall has.</summary>
    public static Result<int> ParseEntries(string text, int max) =>
        TryNumber(text, out int entries) && entries >= FirewallSettings.BansMin && entries <= max
            ? entries
            : Fault.InvalidParameter(
                "entries",
                $"\"{text}\" is no number of entries from {FirewallSettings.BansMin} to {max}");

    private static bool TryNumber(string text, out int number) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
}
