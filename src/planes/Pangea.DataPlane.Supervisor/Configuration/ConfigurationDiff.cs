using Pangea.DataPlane.Control.Schema;

namespace Pangea.DataPlane.Supervisor.Configuration;

/// <summary>What a new configuration changes, and what it takes to bring each.</summary>
internal static class ConfigurationDiff
{
    public const string Now = "now";
    public const string Worker = "worker";
    public const string Start = "start";
    public const string FirewallRules = "firewall.rules";

    /// <summary>In the order of the file; empty where nothing has changed.</summary>
    public static IReadOnlyList<ConfigurationChange> Between(
        ApplianceConfiguration old, ApplianceConfiguration next)
    {
        var changes = new List<ConfigurationChange>();
        void Note(string key, bool isSame, string effect)
        {
            if (!isSame)
            {
                changes.Add(new ConfigurationChange { Key = key, Effect = effect });
            }
        }

        // State and socket are open and locked, and only root could become another user.
        Note("state", old.StateDirectory == next.StateDirectory, Start);
        Note("socket", old.SocketPath == next.SocketPath, Start);
        Note("user", old.User?.Uid == next.User?.Uid && old.User?.Gid == next.User?.Gid, Start);

        // A worker gets these with its start.
        Note("storage.devices", old.Devices.SequenceEqual(next.Devices), Worker);
        Note("storage.redundancy", old.Redundancy.Equals(next.Redundancy), Worker);
        Note("storage.stripeBytes", old.StripeBytes == next.StripeBytes, Worker);
        Note("storage.compression", old.Compression == next.Compression, Worker);
        Note("storage.classes", old.Classes.SequenceEqual(next.Classes), Worker);
        Note("storage", old.Settings.Equals(next.Settings), Worker);
        Note("workers cores", old.Cores.ToString() == next.Cores.ToString(), Worker);
        Note("workers.storage.threads", old.StorageThreads == next.StorageThreads, Worker);

        // Only a start can keep the privilege, and the maps have the sizes they were made with.
        bool switched = (old.Firewall is null) != (next.Firewall is null);
        Note("firewall", !switched, Start);
        if (old.Firewall is { } before && next.Firewall is { } after)
        {
            Note(FirewallRules, before.RulesPath == after.RulesPath, Now);
            Note("firewall.interfaces", before.Interfaces.SequenceEqual(after.Interfaces), Now);
            Note("firewall.onStop", before.KeepsOnStop == after.KeepsOnStop, Now);
            Note("firewall.bansMax", before.BansMax == after.BansMax, Start);
            Note("firewall.rateSourcesMax", before.RateSourcesMax == after.RateSourcesMax, Start);
        }

        // The supervisor asks for these each time it needs them.
        Note("workers.deathsPerMinute", old.DeathsPerMinuteMax == next.DeathsPerMinuteMax, Now);
        Note("storage.devicePlaces", old.DevicePlaces.SequenceEqual(next.DevicePlaces), Now);
        Note("workers.stallSeconds", old.StallSecondsMax == next.StallSecondsMax, Now);
        Note("workers.storage.standby", old.StorageStandby == next.StorageStandby, Now);
        return changes;
    }

    /// <summary>The new configuration but for what only a start can bring.</summary>
    public static ApplianceConfiguration Apply(
        ApplianceConfiguration old, ApplianceConfiguration next) => next with
        {
            StateDirectory = old.StateDirectory,
            SocketPath = old.SocketPath,
            User = old.User,
            Firewall = old.Firewall is null || next.Firewall is null
                ? old.Firewall
                : next.Firewall with
                {
                    BansMax = old.Firewall.BansMax,
                    RateSourcesMax = old.Firewall.RateSourcesMax,
                },
        };
}
