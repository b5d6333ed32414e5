using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Linux.Jailing;

/// <summary>What this machine has to confine a worker with.</summary>
internal static class JailProbes
{
    public static Capability Landlock()
    {
        const string name = "Landlock";
        Result<int> version = LandlockRules.KernelVersion();
        return version.IsOk
            ? new Capability(name, true, $"version {version.Value}")
            : new Capability(name, false, version.Fault.Message, version.Fault.Hint);
    }

    public static Capability SystemCallFilter()
    {
        const string name = "system call filter";
        Result<string> library = Seccomp.Probe();
        return library.IsOk
            ? new Capability(name, true, $"libseccomp {library.Value}")
            : new Capability(name, false, library.Fault.Message, library.Fault.Hint);
    }
}
