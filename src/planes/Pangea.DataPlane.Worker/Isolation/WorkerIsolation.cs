using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Linux.Jailing;

namespace Pangea.DataPlane.Worker.Isolation;

/// <summary>
/// The last step of the jail, which only the worker itself can take: once it has opened all that
/// takes calls it needs no longer, it puts itself behind a filter of system calls, and only then
/// accepts work.
/// </summary>
internal static class WorkerIsolation
{
    /// <summary>
    /// <c>off</c> leaves the filter out, for a kernel or a library on which it proves too narrow.
    /// </summary>
    public const string Variable = "PANGEA_SECCOMP";

    /// <summary>All rules of a storage worker.</summary>
    public static IEnumerable<SystemCallRule> StorageRules(int pid) =>
    [
        .. RuntimeCalls.Rules, RuntimeCalls.OwnSignals(pid),
        .. StorageCalls.Rules, .. ForbiddenCalls.Rules,
    ];

    /// <summary>Takes the filter on, for all threads.</summary>
    /// <returns>What is missing, for the log; empty where nothing is.</returns>
    public static IReadOnlyList<string> Enter()
    {
        List<string> missing = [];
        if (!IsBehindLandlock())
        {
            missing.Add("no Landlock: the worker may open what its user may");
        }

        if (Environment.GetEnvironmentVariable(Variable) == "off")
        {
            missing.Add($"no filter of system calls: {Variable}=off");
        }
        else if (Seccomp.Install(StorageRules(Environment.ProcessId)) is { } fault)
        {
            string hint = fault.Hint is null ? "" : $" ({fault.Hint})";
            missing.Add($"no filter of system calls: {fault.Message}{hint}");
        }

        return missing;
    }

    /// <summary>
    /// The kernel does not say whether a process is restricted, so it is tried: everybody may list
    /// the root, and no worker behind its rules.
    /// </summary>
    public static bool IsBehindLandlock()
    {
        Result<OwnedFd> root = Files.Open("/", OpenFlags.Read | OpenFlags.Directory);
        if (root.IsOk)
        {
            root.Value.Dispose();
        }

        return root.Fault?.Code == FaultCode.Denied;
    }
}
