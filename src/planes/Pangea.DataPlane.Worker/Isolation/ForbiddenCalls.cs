using Pangea.DataPlane.Linux.Jailing;
using static Pangea.DataPlane.Worker.Isolation.CallRules;

namespace Pangea.DataPlane.Worker.Isolation;

/// <summary>
/// System calls that no worker makes by any mistake, so that the first one ends it. All others that
/// no table names merely fail.
/// </summary>
internal static class ForbiddenCalls
{
    public static readonly SystemCallRule[] Rules =
    [
        // Other programs, other processes.
        Kill("execve"), Kill("execveat"), Kill("fork"), Kill("vfork"),
        Kill("ptrace"), Kill("process_vm_readv"), Kill("process_vm_writev"), Kill("kcmp"),
        Kill("pidfd_getfd"),

        // Another view of the file system.
        Kill("mount"), Kill("umount2"), Kill("pivot_root"), Kill("chroot"), Kill("fsopen"),
        Kill("fsmount"), Kill("move_mount"), Kill("open_tree"), Kill("mount_setattr"),
        Kill("open_by_handle_at"),

        // Other namespaces, users, privileges.
        Kill("unshare"), Kill("setns"), Kill("setuid"), Kill("setgid"), Kill("setreuid"),
        Kill("setregid"), Kill("setresuid"), Kill("setresgid"), Kill("setgroups"), Kill("capset"),
        Kill("personality"),

        // The kernel itself.
        Kill("init_module"), Kill("finit_module"), Kill("delete_module"), Kill("kexec_load"),
        Kill("kexec_file_load"), Kill("bpf"), Kill("perf_event_open"), Kill("userfaultfd"),
        Kill("keyctl"), Kill("add_key"), Kill("request_key"), Kill("reboot"), Kill("swapon"),
        Kill("swapoff"), Kill("iopl"), Kill("ioperm"), Kill("settimeofday"), Kill("clock_settime"),
    ];
}
