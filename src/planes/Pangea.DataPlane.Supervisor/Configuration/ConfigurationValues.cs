using System.Globalization;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Supervisor.Configuration;

/// <summary>
/// What one source (flags, environment or file) says; null where it says nothing. Later sources
/// fill the gaps of earlier ones.
/// </summary>
public sealed record ConfigurationValues
{
    public string? StateDirectory { get; init; }

    public string? SocketPath { get; init; }

    public string? User { get; init; }

    public IReadOnlyList<string>? Devices { get; init; }

    public Redundancy? Redundancy { get; init; }

    public int? StripeBytes { get; init; }

    /// <summary>"none", "balanced", "archive" or "adaptive".</summary>
    public string? Compression { get; init; }

    /// <summary>Object classes beside the default, in the order of the file.</summary>
    public IReadOnlyList<ObjectClassValues>? Classes { get; init; }

    /// <summary>Core of the storage worker's loop.</summary>
    public int? StorageCore { get; init; }

    /// <summary>Threads that compute stripes beside that loop.</summary>
    public int? StorageThreads { get; init; }

    /// <summary>This source where it says something, the other one elsewhere.</summary>
    public ConfigurationValues Over(ConfigurationValues other) => new()
    {
        StateDirectory = StateDirectory ?? other.StateDirectory,
        SocketPath = SocketPath ?? other.SocketPath,
        User = User ?? other.User,
        Devices = Devices ?? other.Devices,
        Redundancy = Redundancy ?? other.Redundancy,
        StripeBytes = StripeBytes ?? other.StripeBytes,
        Compression = Compression ?? other.Compression,
        Classes = Classes ?? other.Classes,
        StorageCore = StorageCore ?? other.StorageCore,
        StorageThreads = StorageThreads ?? other.StorageThreads,
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

    public static Result<int> ParseCore(string text) =>
        TryNumber(text, out int core) && core < 1024
            ? core
            : Fault.InvalidParameter("core", $"\"{text}\" is no core number");

    public static Result<int> ParseThreads(string text) =>
        TryNumber(text, out int threads) && threads <= Limits.ComputeThreadsMax
            ? threads
            : Fault.InvalidParameter(
                "threads",
                $"\"{text}\" is no number of threads from 0 to {Limits.ComputeThreadsMax}",
                "0 lets the loop compute by itself");

    private static bool TryNumber(string text, out int number) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
}
