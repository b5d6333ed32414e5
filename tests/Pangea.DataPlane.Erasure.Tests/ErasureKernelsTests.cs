using System.Diagnostics;

namespace Pangea.DataPlane.Erasure.Tests;

public sealed class ErasureKernelsTests
{
    public static TheoryData<string> Names =>
        [.. ErasureKernels.All.ToArray().Select(ErasureKernels.Name)];

    [Fact]
    public void Scalar_is_always_there_and_the_last_available_one_is_the_choice()
    {
        Assert.Equal(ErasureKernel.Scalar, ErasureKernels.Available[0]);
        Assert.True(ErasureKernels.TrySelect(null, out ErasureKernel chosen, out string? error));
        Assert.Equal(ErasureKernels.Available[^1], chosen);
        Assert.Null(error);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_name_selects_its_kernel_or_says_what_is_missing(string name)
    {
        bool selected = ErasureKernels.TrySelect(name, out ErasureKernel kernel, out string? error);

        Assert.Equal(name, ErasureKernels.Name(kernel));
        Assert.Equal(ErasureKernels.IsAvailable(kernel), selected);
        if (!selected)
        {
            Assert.Contains(ErasureKernels.MissingFeature(kernel)!, error);
            Assert.Throws<NotSupportedException>(() => ReedSolomon.Create(8, 4, kernel));
        }
    }

    [Fact]
    public void An_unknown_name_is_refused_and_the_choices_are_named()
    {
        Assert.False(ErasureKernels.TrySelect("AVX2", out _, out string? error));
        Assert.Contains("PANGEA_ERASURE_KERNEL=AVX2", error);
        Assert.Contains("scalar", error);
    }

    /// <summary>Goal: the variable works in a process of its own, where nothing has been
    /// decided.</summary>
    [Theory]
    [MemberData(nameof(Names))]
    public void The_variable_forces_the_kernel_of_a_process(string name)
    {
        (int exitCode, string output) = RunProcess(name);

        ErasureKernels.TrySelect(name, out ErasureKernel kernel, out string? error);
        if (error is null)
        {
            Assert.Equal($"{kernel}, forced by PANGEA_ERASURE_KERNEL, True", output);
            Assert.Equal(0, exitCode);
        }
        else
        {
            Assert.Equal(error, output);
            Assert.Equal(1, exitCode);
        }
    }

    [Fact]
    public void Without_the_variable_a_process_takes_the_fastest()
    {
        (int exitCode, string output) = RunProcess(null);

        Assert.Equal($"{ErasureKernels.Available[^1]}, fastest this CPU has, True", output);
        Assert.Equal(0, exitCode);
    }

    [Fact]
    public void A_process_with_an_unknown_name_gets_the_message()
    {
        (int exitCode, string output) = RunProcess("fastest");

        Assert.StartsWith("PANGEA_ERASURE_KERNEL=fastest names no erasure kernel", output);
        Assert.Equal(1, exitCode);
    }

    /// <summary>Runs <see cref="Program"/> of this assembly and returns what it printed.</summary>
    private static (int ExitCode, string Output) RunProcess(string? kernel)
    {
        string host = Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";
        ProcessStartInfo start = new(host, ["exec", typeof(Program).Assembly.Location])
        {
            RedirectStandardOutput = true,
        };
        start.Environment.Remove(ErasureKernels.Variable);
        if (kernel is not null)
        {
            start.Environment[ErasureKernels.Variable] = kernel;
        }

        using Process process = Process.Start(start)!;
        string output = process.StandardOutput.ReadToEnd().Trim();
        process.WaitForExit();
        return (process.ExitCode, output);
    }
}
