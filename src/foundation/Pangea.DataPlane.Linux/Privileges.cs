using System.Globalization;
using System.Runtime.InteropServices;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux.Abi;
using Pangea.DataPlane.Linux.Sys;

namespace Pangea.DataPlane.Linux;

/// <summary>
/// Gives privilege away before an exec (decision A2). Capabilities, bounding set and no_new_privs
/// are the calling thread's alone, so every call here is made on the thread that executes the next
/// program, which begins with that one thread.
/// </summary>
public static class Privileges
{
    /// <summary>
    /// The effective capabilities of the calling thread, bit n for number n; 0 where /proc is not
    /// there to ask.
    /// </summary>
    public static ulong Effective
    {
        get
        {
            const string name = "CapEff:";
            try
            {
                foreach (string line in File.ReadLines("/proc/thread-self/status"))
                {
                    if (line.StartsWith(name, StringComparison.Ordinal))
                    {
                        return ulong.Parse(
                            line.AsSpan(name.Length).Trim(),
                            NumberStyles.HexNumber,
                            CultureInfo.InvariantCulture);
                    }
                }
            }
            catch (IOException)
            {
                // No /proc: nothing is known of any.
            }

            return 0;
        }
    }

    /// <summary>
    /// No program that this thread executes from now on gets more than these, not even as root.
    /// Where CAP_SETPCAP is missing the set stays, and no_new_privs bounds what comes.
    /// </summary>
    public static void LimitTo(ulong capabilities)
    {
        for (int number = 0; number <= Process.CapabilityMax; number++)
        {
            if ((capabilities & (1UL << number)) == 0)
            {
                // EINVAL: the kernel knows no such capability.
                _ = LibC.prctl(Process.PR_CAPBSET_DROP, (nuint)number, 0, 0, 0);
            }
        }
    }

    /// <summary>No exec adds privilege any more, not even of a set-user-id program.</summary>
    public static Fault? SetNoNew() => Control(Process.PR_SET_NO_NEW_PRIVS, 1, "set no_new_privs");

    /// <summary>
    /// Becomes the user, with these capabilities and no others, which the next program gets too.
    /// After a failure the process is half stripped and must exit.
    /// </summary>
    public static Fault? Become(UserAccount user, ulong capabilities)
    {
        LimitTo(capabilities);

        // Without this the change of user would take what is to be kept (capabilities(7)).
        if (capabilities != 0
            && Control(Process.PR_SET_KEEPCAPS, 1, "keep capabilities") is { } lost)
        {
            return lost;
        }

        return ChangeUser(user) ?? SetCapabilities(capabilities) ?? SetNoNew();
    }

    /// <summary>
    /// Nobody of the same user may look into this process (ptrace(2), /proc/PID/mem): workers run
    /// as that user too. The exec of a program ends it, so each says it for itself.
    /// </summary>
    public static Fault? ForbidInspection() =>
        Control(Process.PR_SET_DUMPABLE, 0, "close the process to its own user");

    /// <summary>Ends with the thread that started us (prctl(2)).</summary>
    public static Fault? EndWithParent() => Control(
        Process.PR_SET_PDEATHSIG, ChildProcess.SigKill, "set the parent-death signal");

    /// <summary>Groups, group, user: each needs the privilege that the next one ends.</summary>
    internal static unsafe Fault? ChangeUser(UserAccount user)
    {
        // SAFETY: zero groups are read from a null pointer.
        if (LibC.setgroups(0, null) < 0)
        {
            return LastErrno().ToFault("give up supplementary groups");
        }

        if (LibC.setresgid(user.Gid, user.Gid, user.Gid) < 0)
        {
            return LastErrno().ToFault($"become group {user.Gid}");
        }

        return LibC.setresuid(user.Uid, user.Uid, user.Uid) < 0
            ? LastErrno().ToFault($"become user {user}")
            : null;
    }

    private static unsafe Fault? SetCapabilities(ulong set)
    {
        uint low = (uint)set;
        uint high = (uint)(set >> 32);
        cap_user_header header = new() { version = Process._LINUX_CAPABILITY_VERSION_3 };
        cap_user_data data = new()
        {
            effective0 = low,
            permitted0 = low,
            inheritable0 = low,
            effective1 = high,
            permitted1 = high,
            inheritable1 = high,
        };

        // SAFETY: the kernel reads the header and two data structs, which are exactly what is
        // there.
        if (LibC.capset(&header, &data) < 0)
        {
            return LastErrno().ToFault("set capabilities");
        }

        for (int number = 0; number <= Process.CapabilityMax; number++)
        {
            if ((set & (1UL << number)) != 0
                && LibC.prctl(
                    Process.PR_CAP_AMBIENT, Process.PR_CAP_AMBIENT_RAISE, (nuint)number, 0, 0) < 0)
            {
                return LastErrno().ToFault($"keep capability {number} over an exec");
            }
        }

        return null;
    }

    private static Fault? Control(int option, nuint value, string what) =>
        LibC.prctl(option, value, 0, 0, 0) < 0 ? LastErrno().ToFault(what) : null;

    private static Errno LastErrno() => new(Marshal.GetLastPInvokeError());
}
