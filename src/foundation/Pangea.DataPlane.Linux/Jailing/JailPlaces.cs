using System.Runtime.InteropServices;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Linux.Jailing;

/// <summary>
/// The places that a jailed program reaches: itself, the libraries it loads, what the runtime reads
/// about the machine, and the descriptors it was given. Nothing else of the file system, readable
/// to everybody or not.
/// </summary>
internal static class JailPlaces
{
    // The program interpreter, which execve(2) opens for execution (ld.so(8)). Not the directory it
    // lies in: that one has programs too.
    private static readonly string[] s_interpreters =
    [
        "/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1",
        "/lib/ld-musl-x86_64.so.1", "/lib/ld-musl-aarch64.so.1",
    ];

    // Shared libraries and where they are looked up; OpenSSL's configuration, without which its
    // first use fails; time zones, for which the runtime looks when it first formats a local time.
    private static readonly string[] s_libraries =
    [
        "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib",
        "/etc/ld.so.cache", "/etc/ssl", "/etc/pki/tls", "/etc/crypto-policies",
        "/etc/localtime", "/usr/share/zoneinfo",
    ];

    // The runtime reads its memory, its limits and the cores from here, again and again. As wholes:
    // a rule holds for an inode, and those below /proc come and go.
    private static readonly string[] s_machine = ["/proc", "/sys"];

    private static readonly string[] s_devices =
        ["/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"];

    /// <summary>Puts the calling thread behind rules for these places.</summary>
    /// <returns>Null, or why the kernel does not do it; then nothing is restricted.</returns>
    public static Fault? Enforce(JailOptions options, bool hasPrivateRoot)
    {
        Result<LandlockRules> created = LandlockRules.Create();
        if (!created.IsOk)
        {
            return created.Fault;
        }

        using LandlockRules rules = created.Value;
        return AllowProgram(rules, options, hasPrivateRoot)
            ?? AllowAll(rules, s_libraries, PlaceAccess.Read)
            ?? AllowAll(rules, s_machine, PlaceAccess.Read)
            ?? AllowAll(rules, s_devices, PlaceAccess.Update)
            ?? AllowGiven(rules, options.Places)
            ?? rules.RestrictThread();
    }

    private static Fault? AllowProgram(
        LandlockRules rules, JailOptions options, bool hasPrivateRoot) =>
        AllowAll(rules, s_interpreters, PlaceAccess.Execute)
            ?? (hasPrivateRoot
                ? rules.Allow(options.PrivateRoot, PlaceAccess.Execute)
                : AllowAll(rules, options.Bindings.Values, PlaceAccess.Execute));

    private static Fault? AllowAll(
        LandlockRules rules, IEnumerable<string> paths, PlaceAccess access)
    {
        foreach (string path in paths)
        {
            // What the jailed user cannot reach, the worker cannot either: no rule is needed.
            Fault? fault = rules.Allow(path, access);
            if (fault is not null and not { Code: FaultCode.Denied })
            {
                return fault;
            }
        }

        return null;
    }

    private static Fault? AllowGiven(LandlockRules rules, IReadOnlyList<int> places)
    {
        foreach (int number in places)
        {
            using OwnedFd place = OwnedFd.Borrow(number);
            if (rules.Allow(place, PlaceAccess.Own) is { } fault)
            {
                return fault;
            }
        }

        return null;
    }
}
