using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Supervisor.Configuration;

/// <summary>
/// Roles whose names are reserved: there is no worker of them yet. Their cores are checked and kept
/// free of the others, and whoever names some hears that nothing runs there.
/// </summary>
internal static class ReservedRoles
{
    private static readonly WorkerRole[] s_reserved = [WorkerRole.Relay, WorkerRole.Gateway];

    /// <summary>A line in the log for each that was given cores.</summary>
    public static void Tell(ApplianceConfiguration configuration)
    {
        foreach (WorkerRole role in s_reserved)
        {
            IReadOnlyList<int> cores = configuration.Cores.Of(role);
            if (cores.Count > 0)
            {
                string name = CorePlan.NameOf(role);
                EventLog.Write(
                    "role.reserved",
                    ("role", name),
                    ("cores", CoreList.Format(cores)),
                    ("effect", "no worker has this role yet: nothing runs there, and other roles "
                        + "get these cores only where there are no more"),
                    ("hint", $"leave workers.{name} out of the configuration"));
            }
        }
    }
}
