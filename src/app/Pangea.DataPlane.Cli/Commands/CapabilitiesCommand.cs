using System.CommandLine;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;
using System.Text.Json;
using Pangea.DataPlane.Cli.Text;
using Pangea.DataPlane.Control.Connection;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Erasure;
using Pangea.DataPlane.Linux;
using Spectre.Console;

namespace Pangea.DataPlane.Cli.Commands;

/// <summary>
/// <c>pangea capabilities</c>: what this machine can do, what the appliance chose, and why
/// (decision A7). Works without an appliance; then only the machine is shown.
/// </summary>
internal static class CapabilitiesCommand
{
    public static Verb Create(GlobalOptions options) =>
        new Verb("capabilities", "Show what this machine can do and what the appliance chose")
        {
            Examples = ["pangea capabilities", "pangea capabilities --json"],
        }.WithFormat(options).Does(options, Run);

    private static int Run(CommandContext context)
    {
        var rows = new List<Capability>(Machine());
        Result<RpcClient> connected = context.TryConnect();
        if (connected.IsOk)
        {
            using RpcClient client = connected.Value;
            Result<WorkerListResult> workers = client.Call(RpcMethods.WorkerList, Nothing.Value);
            if (!workers.IsOk)
            {
                return context.Fail(workers.Fault);
            }

            rows.AddRange(workers.Value.Workers.SelectMany(Chosen));
        }

        if (context.IsJson)
        {
            context.Out.WriteLine(JsonSerializer.Serialize(rows, CliJson.Default.ListCapability));
            return ExitCodes.Ok;
        }

        Table table = Tables.Make("WHERE", "WHAT", "VALUE", "REASON");
        foreach (Capability row in rows)
        {
            table.Add(row.Where, row.What, row.Value, row.Reason ?? "");
        }

        Tables.Print(table, context.Out);
        if (!connected.IsOk)
        {
            context.Err.WriteLine(
                $"pangea: no appliance answers on {context.SocketPath}; this is the machine alone");
        }

        return ExitCodes.Ok;
    }

    private static IEnumerable<Capability> Machine()
    {
        yield return new("machine", "runtime", BuildIdentity.Runtime, null);
        yield return new("machine", "vector instructions", string.Join(' ', Vectors()), null);
        foreach (ErasureKernel kernel in ErasureKernels.All.ToArray())
        {
            string? missing = ErasureKernels.MissingFeature(kernel);
            yield return new(
                "machine",
                $"erasure {ErasureKernels.Name(kernel)}",
                missing is null ? "yes" : "no",
                missing is null ? null : $"this CPU has no {missing}");
        }

        string? forcedKernel = Environment.GetEnvironmentVariable(ErasureKernels.Variable);
        bool usable = ErasureKernels.TrySelect(
            forcedKernel, out ErasureKernel chosen, out string? error);
        yield return new(
            "machine",
            "erasure kernel",
            usable ? ErasureKernels.Name(chosen) : "none",
            usable && !string.IsNullOrEmpty(forcedKernel) ? $"forced by {ErasureKernels.Variable}"
                : error ?? "fastest this CPU has");
        foreach (Linux.Capability probe in Probes.Run())
        {
            yield return new(
                "machine",
                probe.Name,
                probe.IsAvailable ? "yes" : "no",
                probe.Hint is null ? probe.Detail : $"{probe.Detail}; {probe.Hint}");
        }

        (string What, string Variable)[] forcing =
        [
            ("ring forced", "PANGEA_RING"), ("system call filter forced", "PANGEA_SECCOMP"),
            ("Landlock forced", "PANGEA_LANDLOCK"),
        ];
        foreach ((string what, string variable) in forcing)
        {
            if (Environment.GetEnvironmentVariable(variable) is { Length: > 0 } forced)
            {
                yield return new("machine", what, forced, $"{variable} of this shell");
            }
        }
    }

    private static IEnumerable<Capability> Chosen(WorkerStatus worker)
    {
        string where = $"worker {worker.Index}";
        yield return new(where, "ring", worker.Ring ?? "-", worker.RingReason);
        yield return new(
            where, "erasure kernel", worker.ErasureKernel ?? "-", worker.ErasureKernelReason);
        yield return new(where, "isolation", worker.Isolation ?? "-", null);
        foreach (string missing in worker.Missing ?? [])
        {
            yield return new(where, "lacks", "", missing);
        }
    }

    private static IEnumerable<string> Vectors()
    {
        (bool Has, string Name)[] known =
        [
            (Sse2.IsSupported, "sse2"), (Ssse3.IsSupported, "ssse3"), (Avx2.IsSupported, "avx2"),
            (Avx512BW.IsSupported, "avx512bw"), (Gfni.IsSupported, "gfni"),
            (AdvSimd.IsSupported, "neon"),
        ];
        return known.Where(k => k.Has).Select(k => k.Name).DefaultIfEmpty("none");
    }
}
