using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Supervisor.Configuration;

/// <summary>
/// Brings the sources together: flags, then environment, then file, then defaults.
/// </summary>
public static class ConfigurationSources
{
    private const string FileVariable = "PANGEA_CONFIG";

    /// <summary>Reads all sources and completes them.</summary>
    /// <param name="arguments">Flags of <c>pangea supervise</c>: <c>--name value</c> or
    /// <c>--name=value</c>.</param>
    /// <param name="environment">Returns null for a variable that is not set.</param>
    /// <param name="context">Null: that of the running process.</param>
    public static Result<ApplianceConfiguration> Load(
        ReadOnlySpan<string> arguments,
        Func<string, string?> environment,
        ConfigurationContext? context = null)
    {
        context ??= ConfigurationContext.Own;
        Result<(ConfigurationValues Values, string? File)> flags = ReadFlags(arguments);
        if (!flags.IsOk)
        {
            return flags.Fault;
        }

        ConfigurationValues values = flags.Value.Values.Over(new ConfigurationValues
        {
            StateDirectory = Variable(environment, "PANGEA_STATE"),
            SocketPath = Variable(environment, ControlAddress.Variable),
            User = Variable(environment, "PANGEA_USER"),
        });
        string? path = flags.Value.File ?? Variable(environment, FileVariable);
        if (path is not null)
        {
            path = context.FullPath(path);
            Result<string> text = context.ReadFile(path);
            Result<ConfigurationValues> file =
                text.IsOk ? ConfigurationFile.Parse(path, text.Value) : text.Fault;
            if (!file.IsOk)
            {
                return file.Fault;
            }

            values = values.Over(file.Value);
        }

        Result<ApplianceConfiguration> complete = ApplianceConfiguration.Complete(values, context);
        return complete.IsOk
            ? complete.Value with
            {
                FilePath = path,
                Arguments = [.. arguments],
                WorkingDirectory = context.WorkingDirectory,
            }
            : complete.Fault;
    }

    private static string? Variable(Func<string, string?> environment, string name) =>
        environment(name) is { Length: > 0 } value ? value : null;

    private static Result<(ConfigurationValues Values, string? File)> ReadFlags(
        ReadOnlySpan<string> arguments)
    {
        ConfigurationValues values = new();
        string? file = null;
        for (int i = 0; i < arguments.Length; i++)
        {
            string[] parts = arguments[i].Split('=', 2);
            string? value = parts.Length == 2
                ? parts[1]
                : i + 1 < arguments.Length ? arguments[++i] : null;
            if (string.IsNullOrEmpty(value))
            {
                return Fault.InvalidParameter(
                    parts[0], $"{parts[0]} needs a value", "see pangea supervise --help");
            }

            if (parts[0] == "--config")
            {
                file = value;
                continue;
            }

            Result<ConfigurationValues> taken = TakeFlag(values, parts[0], value);
            if (!taken.IsOk)
            {
                return taken.Fault;
            }

            values = taken.Value;
        }

        return (values, file);
    }

    private static Result<ConfigurationValues> TakeFlag(
        ConfigurationValues values, string name, string value)
    {
        switch (name)
        {
            case "--state":
                return values with { StateDirectory = value };
            case "--socket":
                return values with { SocketPath = value };
            case "--user":
                return values with { User = value };
            case "--redundancy":
                Result<Redundancy> redundancy = ConfigurationValues.ParseRedundancy(value);
                return redundancy.IsOk
                    ? values with { Redundancy = redundancy.Value }
                    : redundancy.Fault;
            case "--stripe-bytes":
                Result<int> stripe = ConfigurationValues.ParseStripeBytes(value, 1);
                return stripe.IsOk ? values with { StripeBytes = stripe.Value } : stripe.Fault;
            case "--compression":
                Result<string> compression = ConfigurationValues.ParseCompression(value);
                return compression.IsOk
                    ? values with { Compression = compression.Value }
                    : compression.Fault;
            case "--durability":
                Result<string> durability = ConfigurationValues.ParseDurability(value);
                return durability.IsOk
                    ? values with
                    {
                        Settings = (values.Settings ?? new StorageSettingsValues()) with
                        {
                            Durability = durability.Value,
                        },
                    }
                    : durability.Fault;
            case "--device-places":
                return values with { DevicePlaces = value.Split(',') };
            case "--cores":
                Result<CoreRequest> cores = CoreRequest.Parse(value, name);
                return cores.IsOk ? values with { StorageCores = cores.Value } : cores.Fault;
            case "--deaths-per-minute":
                Result<int> deaths = ConfigurationValues.ParseDeathsPerMinute(value);
                return deaths.IsOk
                    ? values with { DeathsPerMinuteMax = deaths.Value }
                    : deaths.Fault;
            case "--stall-seconds":
                Result<int> stall = ConfigurationValues.ParseStallSeconds(value);
                return stall.IsOk ? values with { StallSecondsMax = stall.Value } : stall.Fault;
            case "--threads":
                Result<int> threads = ConfigurationValues.ParseThreads(value);
                return threads.IsOk
                    ? values with { StorageThreads = threads.Value }
                    : threads.Fault;
            case "--standby":
                Result<bool> standby = ConfigurationValues.ParseStandby(value);
                return standby.IsOk
                    ? values with { StorageStandby = standby.Value }
                    : standby.Fault;
            default:
                return Fault.InvalidParameter(
                    name, $"unknown option {name}", "see pangea supervise --help");
        }
    }
}
