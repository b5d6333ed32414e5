using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Compiling;
using Pangea.DataPlane.Firewall.Image;
using Pangea.DataPlane.Firewall.Rules;

namespace Pangea.DataPlane.Xdp.Tests;

/// <summary>
/// Goal: whatever keeps the program out of the kernel is really caused, and the fault says what it
/// was and what to do. The caller then judges in user space.
/// </summary>
public sealed class LoadRefusalTests
{
    private const int CAP_CHOWN = 0;
    private const int CAP_NET_ADMIN = 12;
    private const int CAP_PERFMON = 38;
    private const int CAP_BPF = 39;

    [SkippableFact]
    public void Three_capabilities_suffice()
    {
        Kernel.NeedXdp();
        using NamespaceThread thread = Thread();
        thread.KeepOnly(CAP_NET_ADMIN, CAP_PERFMON, CAP_BPF);
        Result<XdpFilter> filter = thread.Run(() => Load(new XdpFilterOptions()));
        Assert.True(filter.IsOk, filter.Fault?.ToString());
        filter.Value.Dispose();
    }

    [SkippableTheory]
    [InlineData(CAP_NET_ADMIN, CAP_PERFMON, "CAP_BPF and CAP_NET_ADMIN")]
    [InlineData(CAP_BPF, CAP_PERFMON, "CAP_BPF and CAP_NET_ADMIN")]
    [InlineData(CAP_CHOWN, CAP_CHOWN, "kernel.unprivileged_bpf_disabled")]
    [InlineData(CAP_NET_ADMIN, CAP_BPF, "CAP_PERFMON")]
    public void Without_the_capabilities_it_says_which(int one, int two, string missing)
    {
        Kernel.NeedXdp();
        using NamespaceThread thread = Thread();
        thread.KeepOnly(one, two);
        Fault? fault = thread.Run(() => Load(new XdpFilterOptions())).Fault;
        Assert.Equal(FaultCode.Denied, fault?.Code);
        Assert.Contains(missing, fault!.Hint, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void A_kernel_that_shows_no_BTF_takes_the_program_all_the_same()
    {
        Kernel.NeedXdp();
        using NamespaceThread thread = Thread();
        Result<XdpFilter> filter = thread.Run(() =>
        {
            NamespaceThread.Command("mount", "-t", "tmpfs", "none", "/sys/kernel");
            return Load(new XdpFilterOptions());
        });
        Assert.True(filter.IsOk, filter.Fault?.ToString());
        filter.Value.Dispose();
    }

    [SkippableFact]
    public void An_object_without_BTF_says_that_it_was_stripped()
    {
        Kernel.NeedXdp();
        using Changed file = new(bytes =>
        {
            // The section loses its name, as it would be missing after strip.
            int at = bytes.AsSpan().IndexOf(".BTF\0"u8);
            Assert.True(at > 0);
            bytes[at + 1] = (byte)'X';
            return bytes;
        });
        Fault? fault = Load(new XdpFilterOptions { ObjectPath = file.Path }).Fault;
        Assert.Equal(FaultCode.Unsupported, fault?.Code);
        Assert.Contains("BTF", fault!.Message, StringComparison.Ordinal);
    }

    [SkippableTheory]
    [InlineData(0)]
    [InlineData(100)]
    [InlineData(5000)]
    public void A_file_that_is_cut_short_is_refused(int bytes)
    {
        Kernel.NeedXdp();
        using Changed file = new(all => all[..bytes]);
        Fault? fault = Load(new XdpFilterOptions { ObjectPath = file.Path }).Fault;
        Assert.Equal(FaultCode.Unsupported, fault?.Code);
        Assert.Contains(file.Path, fault!.Message, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void Broken_instructions_are_refused_by_the_verifier()
    {
        Kernel.NeedXdp();

        // The first instruction of each program becomes "r0 = *(r9 + 0)": r9 was never set.
        using Changed file = new(bytes =>
        {
            int changed = 0;
            foreach ((int offset, int length, string name) in Sections(bytes))
            {
                if (name.StartsWith("xdp", StringComparison.Ordinal) && length >= 8)
                {
                    BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(offset), 0x9079);
                    changed++;
                }
            }

            Assert.Equal(2, changed);
            return bytes;
        });
        Fault? fault = Load(new XdpFilterOptions { ObjectPath = file.Path }).Fault;
        Assert.Equal(FaultCode.Unsupported, fault?.Code);
        Assert.Contains("R9 !read_ok", fault!.Message, StringComparison.Ordinal);
        Assert.Contains("verifier", fault.Hint, StringComparison.Ordinal);
    }

    public static TheoryData<XdpFilterOptions, string> TooLarge => new()
    {
        { new XdpFilterOptions { Bans4Max = int.MaxValue }, "bans-max" },
        { new XdpFilterOptions { Bans6Max = int.MaxValue }, "bans-max" },
        { new XdpFilterOptions { RateSourcesMax = int.MaxValue }, "rate-sources-max" },
        { new XdpFilterOptions { ViolationSourcesMax = int.MaxValue }, "violations" },
    };

    [SkippableTheory]
    [MemberData(nameof(TooLarge))]
    public void A_map_that_is_too_large_says_which_and_how_to_size_it(
        XdpFilterOptions options, string option)
    {
        Kernel.NeedXdp();
        Fault? fault = Load(options).Fault;
        Assert.Equal(FaultCode.TooLarge, fault?.Code);
        Assert.Contains(option, fault!.Hint, StringComparison.Ordinal);
        Assert.Contains("2147483647", fault.Hint, StringComparison.Ordinal);
    }

    /// <summary>
    /// Maps count against the memory of whoever makes them, since Linux 5.11 instead of the locked
    /// memory that a process may have.
    /// </summary>
    [SkippableFact]
    public void A_group_without_memory_says_that_there_is_none()
    {
        Kernel.NeedXdp();
        const string root = "/sys/fs/cgroup/memory";
        Skip.IfNot(
            File.Exists(Path.Combine(root, "tasks")),
            "only the first version of control groups counts a thread's memory for itself");
        string group = Path.Combine(root, $"pangea-{Guid.NewGuid():N}");
        Directory.CreateDirectory(group);
        try
        {
            using NamespaceThread thread = Thread();
            Fault? fault = thread.Run(() =>
            {
                string self = thread.ThreadId.ToString(CultureInfo.InvariantCulture);
                File.WriteAllText(Path.Combine(group, "memory.limit_in_bytes"), "8388608");
                File.WriteAllText(Path.Combine(group, "tasks"), self);
                Fault? refused = Load(new XdpFilterOptions { Bans4Max = 4_000_000 }).Fault;
                File.WriteAllText(Path.Combine(root, "tasks"), self);
                return refused;
            });
            Assert.Equal(FaultCode.TooLarge, fault?.Code);
            Assert.Contains("no memory", fault!.Hint, StringComparison.Ordinal);
            Assert.Contains("bans-max", fault.Hint, StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(group);
        }
    }

    [SkippableFact]
    public void Without_a_file_system_for_names_it_says_how_to_mount_one()
    {
        Kernel.NeedXdp();
        using NamespaceThread thread = Thread();
        string folder = Directory.CreateTempSubdirectory("pangea-pins-").FullName;
        thread.KeepOnly(CAP_NET_ADMIN, CAP_BPF);
        Fault? fault = thread.Run(() => FilterPins.Open(Path.Combine(folder, "pangea"))).Fault;
        Directory.Delete(folder);
        Assert.Equal(FaultCode.Denied, fault?.Code);
        Assert.Contains("mount -t bpf bpf", fault!.Hint, StringComparison.Ordinal);
    }

    private static NamespaceThread Thread()
    {
        NamespaceThread thread = new();
        Skip.If(thread.Refusal is not null, thread.Refusal);
        return thread;
    }

    private static Result<XdpFilter> Load(XdpFilterOptions options)
    {
        // Each feature is in, so that nothing is left out of what the verifier sees.
        CompiledPolicy policy = PolicyCompiler.Compile(
            RuleSet.Empty,
            new CompileOptions
            {
                Now = DateTimeOffset.UnixEpoch,
                ExtraFeatures = (PolicyFeature)((1u << 18) - 1),
            }).Value;
        return XdpFilter.Load(options, policy);
    }

    private static IEnumerable<(int Offset, int Length, string Name)> Sections(byte[] elf)
    {
        // Elf64_Ehdr: e_shoff at 40, e_shnum at 60, e_shstrndx at 62; Elf64_Shdr has 64 bytes.
        int table = (int)BitConverter.ToInt64(elf, 40);
        int named = BitConverter.ToInt16(elf, 62);
        int names = (int)BitConverter.ToInt64(elf, table + (named * 64) + 24);
        for (int i = 0; i < BitConverter.ToInt16(elf, 60); i++)
        {
            int at = table + (i * 64);
            int name = names + BitConverter.ToInt32(elf, at);
            int end = Array.IndexOf(elf, (byte)0, name);
            yield return (
                (int)BitConverter.ToInt64(elf, at + 24),
                (int)BitConverter.ToInt64(elf, at + 32),
                Encoding.ASCII.GetString(elf, name, end - name));
        }
    }

    /// <summary>A copy of the object file with a change in it.</summary>
    private sealed class Changed : IDisposable
    {
        internal Changed(Func<byte[], byte[]> change)
        {
            Path = System.IO.Path.GetTempFileName();
            File.WriteAllBytes(
                Path, change(File.ReadAllBytes(new XdpFilterOptions().ObjectPath)));
        }

        internal string Path { get; }

        public void Dispose() => File.Delete(Path);
    }
}
