using System.Globalization;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Supervisor.Configuration;
using Pangea.DataPlane.Supervisor.Privilege;

namespace Pangea.DataPlane.Supervisor;

/// <summary>Starts worker processes: a channel, a jail, nothing else.</summary>
internal static class WorkerLaunch
{
    /// <summary>
    /// Starts a worker through the jail. Call on the loop's thread: the worker dies with the thread
    /// that started it.
    /// </summary>
    /// <param name="steps">Executes it.</param>
    /// <param name="configuration">Core, user.</param>
    /// <param name="places">Directories and block devices in which the worker may open files; the
    /// rest of the file system is closed to it. Stay the caller's.</param>
    public static Result<(ChildProcess Child, UnixSocket Channel)> Start(
        IPrivilegedSteps steps,
        ApplianceConfiguration configuration,
        IReadOnlyList<OwnedFd> places)
    {
        Result<(UnixSocket First, UnixSocket Second)> pair = UnixSocket.Pair();
        if (!pair.IsOk)
        {
            return pair.Fault;
        }

        (UnixSocket ours, UnixSocket theirs) = pair.Value;
        using (theirs)
        {
            Result<ChildProcess> child = steps.Launch(
                Arguments(configuration, places.Count), theirs, places);
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
            JailVerb.Verb,
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
            arguments.AddRange([JailVerb.UserOption, $"{user.Uid}:{user.Gid}"]);
        }

        arguments.Add("--");
        arguments.AddRange(WorkerVerb.Command);
        return arguments;
    }
}
