using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Pangea.DataPlane.Tidy;

/// <summary>The files of the project as the rules see them: what git tracks or would
/// track.</summary>
public static class Repository
{
    /// <summary>The top directory, found from where this file was compiled.</summary>
    public static readonly string Top = FindTop();

    /// <summary>Relative paths with forward slashes, in ordinal order.</summary>
    public static readonly IReadOnlyList<string> Files = ListFiles();

    public static string FullPath(string file) => Path.Combine(Top, file);

    public static bool Exists(string file) =>
        File.Exists(FullPath(file)) || Directory.Exists(FullPath(file));

    public static string Text(string file) => File.ReadAllText(FullPath(file));

    public static string[] Lines(string file) => File.ReadAllLines(FullPath(file));

    /// <summary>Files below a folder ("" for all) with one of the given endings.</summary>
    public static IEnumerable<string> Under(string folder, params string[] endings) =>
        Files.Where(file => file.StartsWith(folder, StringComparison.Ordinal)
            && endings.Any(ending => file.EndsWith(ending, StringComparison.Ordinal)));

    /// <summary>C# source of the project, without what a tool generated.</summary>
    public static IEnumerable<string> Sources(string folder = "") => Under(folder, ".cs");

    /// <summary>Everything a person wrote: no lock files, licence or binary data.</summary>
    public static IEnumerable<string> Written() => Files.Where(file =>
        !file.EndsWith("packages.lock.json", StringComparison.Ordinal)
        && file != "LICENSE"
        && !IsBinary(file));

    /// <summary>As git decides it: a zero byte near the start.</summary>
    private static bool IsBinary(string file)
    {
        using FileStream stream = File.OpenRead(FullPath(file));
        Span<byte> head = stackalloc byte[8192];
        int count = stream.ReadAtLeast(head, head.Length, throwOnEndOfStream: false);
        return head[..count].Contains((byte)0);
    }

    /// <summary>Runs a program in the top directory; returns its exit code and output.</summary>
    public static (int Code, string Output) Execute(string program, params string[] arguments)
    {
        ProcessStartInfo start = new(program, arguments)
        {
            WorkingDirectory = Top,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using Process process = Process.Start(start)
            ?? throw new InvalidOperationException($"{program} could not be started");
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output + errors.Result);
    }

    private static string FindTop([CallerFilePath] string thisFile = "")
    {
        string? directory = Path.GetDirectoryName(thisFile);
        while (directory is not null && !File.Exists(Path.Combine(directory, "global.json")))
        {
            directory = Path.GetDirectoryName(directory);
        }

        return directory
            ?? throw new DirectoryNotFoundException($"no global.json above {thisFile}");
    }

    private static List<string> ListFiles()
    {
        (int code, string output) = Execute(
            "git", "ls-files", "--cached", "--others", "--exclude-standard", "-z");
        if (code != 0)
        {
            throw new InvalidOperationException($"git ls-files failed ({code}): {output}");
        }

        List<string> files = [.. output
            .Split('\0', StringSplitOptions.RemoveEmptyEntries)
            .Distinct()
            .Where(file => File.Exists(Path.Combine(Top, file)))];
        files.Sort(StringComparer.Ordinal);
        return files;
    }
}
