using System.Runtime.InteropServices;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Memory;

namespace Pangea.DataPlane.Reactor.Tests;

/// <summary>What <see cref="ProcessTests"/> runs in a process of its own.</summary>
public static partial class ChildScenarios
{
    internal const string WithoutRing = "without-ring";
    internal const string ReturnInFlight = "return-in-flight";
    internal const string UseAfterReturn = "use-after-return";
    internal const string ReturnTwice = "return-twice";
    internal const string PastTheEnd = "past-the-end";
    internal const string LittleMemlock = "little-memlock";
    internal const string AwaitTwice = "await-twice";

    public static int Main(string[] arguments)
    {
        using BufferPool pool = BufferPool.Create(
            4096, 2, new BufferPoolOptions(TryHugePages: false, Checked: true)).Value;
        pool.TryRent(out BufferLease lease);
        switch (arguments.FirstOrDefault())
        {
            case WithoutRing:
                pool.Return(lease);
                return ForbidAndChoose(arguments[1]);
            case ReturnInFlight:
                pool.BeginFlight(lease);
                pool.Return(lease);
                return 0;
            case UseAfterReturn:
                pool.Return(lease);
                _ = pool.Span(lease);
                return 0;
            case ReturnTwice:
                pool.Return(lease);
                pool.Return(lease);
                return 0;
            case PastTheEnd:
                WritePastTheEnd(pool, lease);
                pool.Return(lease);
                return 0;
            case LittleMemlock:
                pool.Return(lease);
                return RegisterWithLittleMemlock();
            case AwaitTwice:
                pool.Return(lease);
                AwaitOneTaskTwice();
                return 0;
            default:
                return 2;
        }
    }

    private static unsafe void WritePastTheEnd(BufferPool pool, BufferLease lease)
    {
        // SAFETY: the byte behind the slab is the pool's canary, mapped in a checked pool.
        *(byte*)(pool.AddressOf(lease.Slice(4095, 1)) + 1) = 1;
    }

    /// <summary>
    /// An ordinary user with 1 MiB of lockable memory and a pool that needs more: prints what was
    /// registered and reads through every class.
    /// </summary>
    private static unsafe int RegisterWithLittleMemlock()
    {
        const int memlock = 8;
        const uint nobody = 65534;
        ulong* limit = stackalloc ulong[] { 1 << 20, 1 << 20 };

        // Loads what is needed while its files can certainly be read.
        ReadThroughRing();
        Console.Out.Flush();

        // SAFETY: the kernel reads two numbers of 64 bits, struct rlimit.
        if (setrlimit(memlock, limit) != 0 || (geteuid() == 0 && setuid(nobody) != 0))
        {
            return 3;
        }

        ReadThroughRing();
        return 0;
    }

    private static void ReadThroughRing()
    {
        using BufferPool pool = BufferPool.Create(
            [new SlabClass(4096, 16), new SlabClass(1 << 20, 8)],
            new BufferPoolOptions(false, true)).Value;
        IReactor reactor = Reactors.Create(
            pool, new ReactorOptions { Choice = ReactorChoice.IoUring }).Value;
        Console.WriteLine(reactor.Reason);
        LoopRunner.Run(reactor, async () =>
        {
            using OwnedFd file = Files.CreateMemoryFile("little-memlock").Value;
            Files.WriteAt(file, new byte[1 << 20], 0);
            foreach (int bytes in new[] { 4096, 1 << 20 })
            {
                pool.TryRent(bytes, out BufferLease lease);
                SysResult read = await reactor.ReadAsync(file, lease.Slice(0, bytes), 0);
                Console.WriteLine($"read {read}");
                pool.Return(lease);
            }
        });
    }

    private static void AwaitOneTaskTwice()
    {
        IReactor reactor = Reactors.Create(
            null, new ReactorOptions { Choice = ReactorChoice.Plain }).Value;
        reactor.Post(async () =>
        {
            var delay = reactor.DelayAsync(TimeSpan.Zero);
            await delay;
            await delay;
            reactor.Stop();
        });
        reactor.Run();
    }

    /// <summary>
    /// Makes io_uring_setup fail, as a container's filter does, and prints the choice.
    /// </summary>
    private static unsafe int ForbidAndChoose(string errno)
    {
        const int setNoNewPrivileges = 38;
        const int setSeccomp = 22;
        const int filterMode = 2;
        const ushort load = 0x20; // BPF_LD | BPF_W | BPF_ABS of seccomp_data.nr
        const ushort jumpIfEqual = 0x15;
        const ushort give = 0x06;
        const uint allow = 0x7fff0000;
        const uint fail = 0x00050000; // SECCOMP_RET_ERRNO
        const uint ioUringSetup = 425;
        BpfInstruction* code = stackalloc BpfInstruction[]
        {
            new(load, 0, 0, 0),
            new(jumpIfEqual, 0, 1, ioUringSetup),
            new(give, 0, 0, fail | uint.Parse(errno)),
            new(give, 0, 0, allow),
        };
        var program = new BpfProgram { Length = 4, Code = code };

        // SAFETY: the kernel copies the program during the call.
        if (prctl(setNoNewPrivileges, 1, 0, 0, 0) != 0
            || prctl(setSeccomp, filterMode, (nint)(&program), 0, 0) != 0)
        {
            return 3;
        }

        Environment.SetEnvironmentVariable(ReactorOptions.Variable, null);
        using IReactor reactor = Reactors.Create(null).Value;
        Console.WriteLine($"{reactor.Kind}: {reactor.Reason}");
        Result<IReactor> forced = Reactors.Create(
            null, new ReactorOptions { Choice = ReactorChoice.IoUring });
        Console.WriteLine($"forced: {forced.Fault?.Code} {forced.Fault?.Hint}");
        return 0;
    }

    [LibraryImport("libc")]
    private static partial int prctl(int option, nint second, nint third, nint fourth, nint fifth);

    [LibraryImport("libc")]
    private static unsafe partial int setrlimit(int resource, ulong* limit);

    [LibraryImport("libc")]
    private static partial int setuid(uint uid);

    [LibraryImport("libc")]
    private static partial uint geteuid();

    private readonly record struct BpfInstruction(
        ushort Code, byte IfTrue, byte IfFalse, uint Value);

    private unsafe struct BpfProgram
    {
        internal ushort Length;
        internal BpfInstruction* Code;
    }
}
