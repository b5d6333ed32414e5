using System.Globalization;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Supervisor.Configuration;

namespace Pangea.DataPlane.Supervisor;

/// <summary>Starts worker processes: a channel, a jail, nothing else.</summary>
internal static class WorkerLaunch
{
    /// <summary>
    /// Starts a worker through the jail. Call on the loop's thread: the worker dies with the thread
    /// that started it.
    /// </summary>
    /// <param name="configuration">Core, user.</param>
    /// <param name="places">Directories and block devices in which the worker may open files; the
    /// rest of the file system is closed to it. Stay the caller's.</param>
    public static Result<(ChildProcess Child, UnixSocket Channel)> Start(
        ApplianceConfiguration configuration, IReadOnlyList<OwnedFd> places)
    {
        Result<(UnixSocket First, UnixSocket Second)> pair = UnixSocket.Pair();
        if (!pair.IsOk)
        {
            return pair.Fault;
        }

        (UnixSocket ours, UnixSocket theirs) = pair.Value;
        using (theirs)
        {
            Result<OwnedFd> nothing = Files.Open("/dev/null", OpenFlags.Read);
            if (!nothing.IsOk)
            {
                ours.Dispose();
                return nothing.Fault;
            }

            using OwnedFd input = nothing.Value;
            using OwnedFd log = OwnedFd.Borrow(2);
            ApplicationFiles files = ApplicationFiles.Current;

            // Standard output goes where the log goes: whoever reads the supervisor's own output
            // gets nothing of a worker's into it.
            Result<ChildProcess> child = ChildProcess.Start(
                files.Program,
                [.. files.LeadingArguments, .. Arguments(configuration, places.Count)],
                files.Environment(),
                [
                    new(input, 0), new(log, 1), new(log, 2),
                    new(theirs.Fd, WorkerVerb.ChannelFd),
                    .. places.Select(
                        (place, i) => new DescriptorMapping(place, WorkerVerb.FirstPlaceFd + i)),
                ]);
            if (!child.IsOk)
            {
                ours.Dispose();
                return child.Fault;
            }

            return (child.Value, ours);
        }
    }

    private static List<string> Arguments(ApplianceConfiguration configuration, int places)
    {
        List<string> arguments =
        [
            "jail",
            WorkerVerb.CoresOption, CoreList.Format(configuration.Cores.MaskOf(WorkerRole.Storage)),
            WorkerVerb.PlacesOption, places.ToString(CultureInfo.InvariantCulture),
        ];
        if (configuration.Cores.NodeOf(WorkerRole.Storage) is { } node)
        {
            arguments.AddRange(
                [WorkerVerb.NodeOption, node.ToString(CultureInfo.InvariantCulture)]);
        }

        if (configuration.User is { } user)
        {
            // As numbers, so that the jail does not look the name up a second time.
            arguments.AddRange(["--user", $"{user.Uid}:{user.Gid}"]);
        }

        arguments.AddRange(["--", WorkerVerb.Verb, WorkerVerb.ChannelOption]);
        return arguments;
    }
}
