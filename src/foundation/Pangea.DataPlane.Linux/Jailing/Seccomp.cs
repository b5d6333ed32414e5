using System.Runtime.InteropServices;
using System.Text;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Linux.Jailing;

/// <summary>
/// The one door to libseccomp (Debian package libseccomp2): a filter of system calls for all
/// threads of this process at once. Signatures and numbers: seccomp.h of libseccomp 2.5, a stable
/// interface.
/// </summary>
public static unsafe partial class Seccomp
{
    private const string Library = "libseccomp.so.2";

    private const uint SCMP_ACT_KILL_PROCESS = 0x80000000;
    private const uint SCMP_ACT_ALLOW = 0x7fff0000;
    private const uint SCMP_ACT_ERRNO = 0x00050000;

    private const int SCMP_FLTATR_ACT_BADARCH = 2;
    private const int SCMP_FLTATR_CTL_TSYNC = 4;
    private const int SCMP_FLTATR_CTL_SSB = 7;
    private const int SCMP_FLTATR_CTL_OPTIMIZE = 8;

    private const int SCMP_CMP_MASKED_EQ = 7;
    private const int NotKnown = -1; // __NR_SCMP_ERROR

    /// <summary>The library's version, or why it cannot be used.</summary>
    public static Result<string> Version()
    {
        try
        {
            // SAFETY: the library returns a pointer to a static struct that it never frees.
            scmp_version* version = seccomp_version();
            return version is null
                ? new Fault(FaultCode.Unsupported, $"{Library} does not tell its version")
                : $"{version->major}.{version->minor}.{version->micro}";
        }
        catch (TypeLoadException)
        {
            return new Fault(
                FaultCode.Unsupported,
                $"{Library} cannot be loaded",
                "install the package libseccomp2");
        }
    }

    /// <summary>The library's version, or why neither it nor the kernel has a filter.</summary>
    public static Result<string> Probe()
    {
        Result<string> version = Version();

        // Level 2: seccomp(2) with TSYNC, which the library finds out by trying.
        const uint threadsAtOnce = 2;
        return version.IsOk && seccomp_api_get() < threadsAtOnce
            ? new Fault(
                FaultCode.Unsupported,
                "the kernel has no seccomp(2), or a filter hides it",
                "Linux 3.17 with CONFIG_SECCOMP_FILTER has it")
            : version;
    }

    /// <summary>
    /// Puts every thread of this process, and every later one, behind the rules, for ever. What no
    /// rule names fails with EPERM; calls of another architecture's table end the process.
    /// </summary>
    /// <returns>Null, or why there is no filter; then nothing is restricted.</returns>
    public static Fault? Install(IEnumerable<SystemCallRule> rules)
    {
        Result<string> probed = Probe();
        if (!probed.IsOk)
        {
            return probed.Fault;
        }

        nint filter = seccomp_init(ActionOf(CallVerdict.Refuse));
        Invariant.Check(filter != 0, "libseccomp has no memory");
        try
        {
            // All threads at once: the runtime's other ones were there before this line. The
            // mitigation of speculative stores (SSB) is for processes that run others' code beside
            // their own secrets; on kernels before 5.16 a filter would switch it on and cost speed.
            int failed = Attribute(filter, SCMP_FLTATR_CTL_TSYNC, 1)
                ?? Attribute(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS)
                ?? Attribute(filter, SCMP_FLTATR_CTL_SSB, 1)

                // Sorted as a binary tree: eight comparisons instead of a hundred.
                ?? Attribute(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2)
                ?? 0;
            if (failed < 0)
            {
                return new Errno(-failed).ToFault("prepare a filter of system calls");
            }

            foreach (SystemCallRule rule in rules)
            {
                if (Add(filter, rule) is { } fault)
                {
                    return fault;
                }
            }

            int loaded = seccomp_load(filter);
            return loaded < 0
                ? new Errno(-loaded).ToFault(
                    "filter system calls", "the kernel needs CONFIG_SECCOMP_FILTER")
                : null;
        }
        finally
        {
            seccomp_release(filter);
        }
    }

    /// <summary>Whether the name means a system call here.</summary>
    public static bool Knows(string name) => Resolve(name) >= 0;

    private static Fault? Add(nint filter, SystemCallRule rule)
    {
        int number = Resolve(rule.Name);
        if (number == NotKnown)
        {
            return null; // Of a later kernel than the library: refused like everything unnamed.
        }

        int added;
        if (rule.When is { } when)
        {
            scmp_arg_cmp condition = new()
            {
                arg = (uint)when.Index,
                op = SCMP_CMP_MASKED_EQ,
                datum_a = when.Mask,
                datum_b = when.Value,
            };

            // SAFETY: the library reads one condition and keeps no pointer to it.
            added = seccomp_rule_add_array(
                filter, ActionOf(rule.Verdict), number, 1, &condition);
        }
        else
        {
            added = seccomp_rule_add_array(filter, ActionOf(rule.Verdict), number, 0, null);
        }

        // EDOM: a call that this architecture does not have, such as open on ARM64.
        return added is 0 or -33
            ? null
            : new Errno(-added).ToFault($"add the rule for {rule.Name} to the filter");
    }

    private static int Resolve(string name)
    {
        // SAFETY: zero-terminated and pinned during the call.
        fixed (byte* text = Encoding.UTF8.GetBytes(name + '\0'))
        {
            return seccomp_syscall_resolve_name(text);
        }
    }

    private static int? Attribute(nint filter, int attribute, uint value) =>
        seccomp_attr_set(filter, attribute, value) is var set and < 0 ? set : null;

    private static uint ActionOf(CallVerdict verdict) => verdict switch
    {
        CallVerdict.Allow => SCMP_ACT_ALLOW,
        CallVerdict.Kill => SCMP_ACT_KILL_PROCESS,
        CallVerdict.Missing => SCMP_ACT_ERRNO | (uint)Errno.ENOSYS.Value,
        _ => SCMP_ACT_ERRNO | (uint)Errno.EPERM.Value,
    };

    [LibraryImport(Library)]
    private static partial scmp_version* seccomp_version();

    [LibraryImport(Library)]
    private static partial uint seccomp_api_get();

    [LibraryImport(Library)]
    private static partial nint seccomp_init(uint defaultAction);

    [LibraryImport(Library)]
    private static partial void seccomp_release(nint filter);

    [LibraryImport(Library)]
    private static partial int seccomp_attr_set(nint filter, int attribute, uint value);

    [LibraryImport(Library)]
    private static partial int seccomp_syscall_resolve_name(byte* name);

    [LibraryImport(Library)]
    private static partial int seccomp_rule_add_array(
        nint filter, uint action, int number, uint conditions, scmp_arg_cmp* condition);

    [LibraryImport(Library)]
    private static partial int seccomp_load(nint filter);

    [StructLayout(LayoutKind.Sequential)]
    private struct scmp_version
    {
        internal uint major;
        internal uint minor;
        internal uint micro;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct scmp_arg_cmp
    {
        internal uint arg;
        internal int op;
        internal ulong datum_a;
        internal ulong datum_b;
    }
}
