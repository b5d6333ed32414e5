using System.Diagnostics;

namespace Pangea.DataPlane.Ces.Tests;

/// <summary>
/// libpangea_ces as strangers use it: built with cc, called from a C program and from Python's
/// ctypes, in processes of their own; the shards that C made are restored by outsider/restore.py.
/// </summary>
public sealed class NativeLibraryTests : IDisposable
{
    private readonly string _folder =
        Directory.CreateTempSubdirectory("pangea-native-").FullName;

    private static string BuildScript => Path.GetFullPath(Path.Combine(
        Tests, "../../src/engines/Pangea.DataPlane.Ces/native/build"));

    private static string Tests =>
        Path.GetDirectoryName(Path.GetDirectoryName(GoldenObjects.Folder("x")))!;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [SkippableFact]
    public void A_c_program_calls_every_function()
    {
        Build();
        string program = Path.Combine(_folder, "check");
        Run(
            "cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-o", program, "-I", _folder,
            Path.Combine(Tests, "native", "check.c"), "-L", _folder, "-lpangea_ces",
            $"-Wl,-rpath,{_folder}");

        Assert.Equal("ok", Run(program).Trim());
    }

    [SkippableFact]
    public void The_c_side_compiles_for_nativeaot_too()
    {
        // Linking needs the NativeAOT pack; what is checked is that both sides name the same
        // exports.
        Build();
        string source = Path.Combine(
            Path.GetDirectoryName(BuildScript)!, "pangea_ces.c");
        string target = Path.Combine(_folder, "aot.o");
        Run(
            "cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-DCES_NATIVE_AOT", "-c", "-o", target,
            source);

        string exports = File.ReadAllText(Path.Combine(
            Path.GetDirectoryName(BuildScript)!, "../Abi/CesExports.cs"));
        string[] wanted =
        [
            .. Run("nm", "--undefined-only", target).Split('\n')
                .Select(line => line.Trim().Split(' ')[^1])
                .Where(symbol => symbol.StartsWith("pangea_ces_", StringComparison.Ordinal)),
        ];
        Assert.Equal(6, wanted.Length);
        Assert.All(wanted, symbol => Assert.Contains($"\"{symbol}\"", exports));
    }

    [SkippableFact]
    public void Python_threads_share_a_handle_and_an_outsider_reads_the_shards()
    {
        Build();
        string library = Path.Combine(_folder, "libpangea_ces.so");
        string script = Path.Combine(Tests, "native", "check.py");

        Assert.Equal("ok", Run("python3", script, library, _folder).Trim());

        using KeyRing keys = GoldenObjects.Keys();
        string keyFile = Path.Combine(_folder, "keys");
        File.WriteAllText(keyFile, keys.FormatSecrets());
        string restored = Path.Combine(_folder, "restored");
        string[] shards =
            [.. new[] { 4, 1, 3 }.Select(i => Path.Combine(_folder, $"{i}.shard"))];
        Run(
            "python3",
            [Path.Combine(Tests, "outsider", "restore.py"), keyFile, restored, .. shards]);
        Assert.Equal(
            File.ReadAllBytes(Path.Combine(_folder, "content")), File.ReadAllBytes(restored));
    }

    private static string Run(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["DOTNET_ROOT"] = Path.GetFullPath(Path.Combine(
            System.Runtime.InteropServices.RuntimeEnvironment.GetRuntimeDirectory(), "../../.."));
        using Process? process = Start(start);
        Skip.If(process is null, $"{program} is not installed");
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{program}: {output}{errors.Result}");
        return output;
    }

    private static Process? Start(ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start);
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }

    private void Build()
    {
        Run("cc", "--version");
        // The engine that this test was built with lies beside it; a deps file of its own is not
        // needed.
        Run("bash", BuildScript, _folder, AppContext.BaseDirectory);
    }
}
