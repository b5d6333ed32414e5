using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;
using Pangea.DataPlane.Erasure.Kernels;

namespace Pangea.DataPlane.Erasure;

/// <summary>Which kernels this CPU has, which one is active and why. Decided once per
/// process.</summary>
public static class ErasureKernels
{
    /// <summary>The environment variable that forces a kernel by its name.</summary>
    public const string Variable = "PANGEA_ERASURE_KERNEL";

    private static readonly CodingKernel?[] s_kernels = new CodingKernel?[All.Length];
    private static Choice? s_choice;

    private sealed record Choice(ErasureKernel Kernel, string Reason);

    /// <summary>Every kernel there is, slowest first.</summary>
    public static ReadOnlySpan<ErasureKernel> All =>
    [
        ErasureKernel.Scalar, ErasureKernel.Vector128, ErasureKernel.Avx2, ErasureKernel.Avx512,
        ErasureKernel.Gfni256, ErasureKernel.Gfni512,
    ];

    /// <summary>The kernels this CPU has, slowest first; scalar is always among them.</summary>
    public static IReadOnlyList<ErasureKernel> Available { get; } = FindAvailable();

    /// <summary>What <see cref="ReedSolomon.Create"/> uses unless told otherwise.</summary>
    /// <exception cref="InvalidOperationException">
    /// PANGEA_ERASURE_KERNEL names no kernel, or one this CPU does not have.
    /// </exception>
    public static ErasureKernel Active => Chosen().Kernel;

    /// <summary>Why <see cref="Active"/> is what it is, for <c>pangea capabilities</c>.</summary>
    /// <exception cref="InvalidOperationException">As for <see cref="Active"/>.</exception>
    public static string ActiveReason => Chosen().Reason;

    /// <summary>The name used in PANGEA_ERASURE_KERNEL and in every output.</summary>
    public static string Name(ErasureKernel kernel) => kernel switch
    {
        ErasureKernel.Scalar => "scalar",
        ErasureKernel.Vector128 => "vector128",
        ErasureKernel.Avx2 => "avx2",
        ErasureKernel.Avx512 => "avx512",
        ErasureKernel.Gfni256 => "gfni256",
        ErasureKernel.Gfni512 => "gfni512",
        _ => throw NoSuchKernel(kernel),
    };

    /// <summary>Whether this CPU has the kernel.</summary>
    public static bool IsAvailable(ErasureKernel kernel) => MissingFeature(kernel) is null;

    /// <summary>What the CPU lacks for the kernel, as a short noun; null when it has
    /// everything.</summary>
    public static string? MissingFeature(ErasureKernel kernel) => kernel switch
    {
        ErasureKernel.Scalar => null,
        ErasureKernel.Vector128 => Ssse3.IsSupported || AdvSimd.Arm64.IsSupported
            ? null
            : RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? "AdvSimd" : "SSSE3",
        ErasureKernel.Avx2 => Avx2.IsSupported ? null : "AVX2",
        ErasureKernel.Avx512 => Avx512BW.IsSupported ? null : "AVX-512 BW",
        ErasureKernel.Gfni256 => Gfni.V256.IsSupported && Avx2.IsSupported
            ? null
            : "GFNI with AVX2",
        ErasureKernel.Gfni512 => Gfni.V512.IsSupported && Avx512BW.IsSupported
            ? null
            : "GFNI with AVX-512",
        _ => throw NoSuchKernel(kernel),
    };

    /// <summary>
    /// The kernel for a value of PANGEA_ERASURE_KERNEL; null or empty means the fastest available
    /// one. False, with a message that names the choices, for an unknown or unavailable name.
    /// </summary>
    public static bool TrySelect(string? forced, out ErasureKernel kernel, out string? error)
    {
        kernel = Available[^1];
        error = null;
        if (string.IsNullOrEmpty(forced))
        {
            return true;
        }

        foreach (ErasureKernel candidate in All)
        {
            if (Name(candidate) != forced)
            {
                continue;
            }

            kernel = candidate;
            string? missing = MissingFeature(candidate);
            error = missing is null
                ? null
                : $"{Variable}={forced}: this CPU has no {missing}; it has {AvailableNames()}";
            return missing is null;
        }

        error = $"{Variable}={forced} names no erasure kernel; this CPU has {AvailableNames()}";
        return false;
    }

    /// <summary>The implementation, made once; the caller has checked that the CPU has
    /// it.</summary>
    internal static CodingKernel Implementation(ErasureKernel kernel) =>
        s_kernels[(int)kernel] ??= kernel switch
        {
            ErasureKernel.Scalar => new ScalarKernel(),
            ErasureKernel.Vector128 => new Vector128Kernel(),
            ErasureKernel.Avx2 => new Avx2Kernel(),
            ErasureKernel.Avx512 => new Avx512Kernel(),
            ErasureKernel.Gfni256 => new Gfni256Kernel(),
            _ => new Gfni512Kernel(),
        };

    private static ArgumentOutOfRangeException NoSuchKernel(ErasureKernel kernel) =>
        new(nameof(kernel), kernel, "no such erasure kernel");

    private static Choice Chosen() => s_choice ??= Choose();

    private static Choice Choose()
    {
        string? forced = Environment.GetEnvironmentVariable(Variable);
        if (!TrySelect(forced, out ErasureKernel kernel, out string? error))
        {
            throw new InvalidOperationException(error);
        }

        return new Choice(
            kernel,
            string.IsNullOrEmpty(forced) ? "fastest this CPU has" : $"forced by {Variable}");
    }

    private static List<ErasureKernel> FindAvailable()
    {
        List<ErasureKernel> available = [];
        foreach (ErasureKernel kernel in All)
        {
            if (IsAvailable(kernel))
            {
                available.Add(kernel);
            }
        }

        return available;
    }

    private static string AvailableNames() => string.Join(", ", Available.Select(Name));
}
