using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Pangea.DataPlane.Appliance.Tests;

/// <summary>
/// Makes a running worker do a system call, with a small C program that traces it
/// (native/inject.c).
/// </summary>
public sealed class SystemCallInjection : IDisposable
{
    private const int WrongArchitecture = 77;

    private readonly string _program = Path.Combine(
        Path.GetTempPath(), $"pangea-inject-{Environment.ProcessId}");

    /// <summary>Compiles the program, or skips the test where that cannot be.</summary>
    public SystemCallInjection()
    {
        string? compiler = new[] { "/usr/bin/cc", "/usr/bin/clang", "/usr/bin/gcc" }
            .FirstOrDefault(File.Exists);
        Skip.If(compiler is null, "no C compiler (apt install clang)");
        Run(compiler!, ["-O1", "-Wall", "-Werror", "-o", _program, Source()]);
    }

    /// <summary>"returned -1" or "killed by 31".</summary>
    /// <param name="arguments">Numbers, or texts after an @.</param>
    public string Do(int pid, int call, params object[] arguments)
    {
        string[] words = [$"{pid}", $"{call}", .. arguments.Select(argument => $"{argument}")];
        return Run(_program, words).TrimEnd();
    }

    public void Dispose() => File.Delete(_program);

    private static string Source([CallerFilePath] string file = "") =>
        Path.Combine(Path.GetDirectoryName(file) ?? "/", "native", "inject.c");

    private static string Run(string program, string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Skip.If(process.ExitCode == WrongArchitecture, output.TrimEnd());
        Assert.True(process.ExitCode == 0, $"{program}: {errors.Result}");
        return output;
    }
}
