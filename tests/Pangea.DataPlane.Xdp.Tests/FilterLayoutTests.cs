using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;

namespace Pangea.DataPlane.Xdp.Tests;

/// <summary>
/// Goal: the program and its loader mean the same bytes by the constants and the shared state.
/// Method: sizes and offsets become _Static_asserts over bpf/filter.h, compiled by clang.
/// </summary>
public sealed partial class FilterLayoutTests
{
    [SkippableFact]
    public void Agrees_with_the_header_of_the_program()
    {
        string source = Source();
        (int code, string errors) = Compile(source);
        Assert.True(code == 0, errors);

        // The method itself can fail.
        string wrong = source.Replace("half_bytes) == 128", "half_bytes) == 132");
        Assert.NotEqual(source, wrong);
        Assert.NotEqual(0, Compile(wrong).Code);
    }

    private static string Source()
    {
        StringBuilder source = new("#include <stddef.h>\n#include \"filter.h\"\n");
        foreach ((Type type, string name) in new[]
        {
            (typeof(FilterConfig), "filter_config"), (typeof(FilterState), "filter_state"),
        })
        {
            source.Append(
                CultureInfo.InvariantCulture,
                $"_Static_assert(sizeof(struct {name}) == {Marshal.SizeOf(type)}, \"\");\n");
            foreach (FieldInfo field in type.GetFields())
            {
                string member =
                    Upper().Replace(field.Name, "_$0").TrimStart('_').ToLowerInvariant();
                nint offset = Marshal.OffsetOf(type, field.Name);
                source.Append(
                    CultureInfo.InvariantCulture,
                    $"_Static_assert(offsetof(struct {name}, {member}) == {offset}, \"\");\n");
            }
        }

        return source.ToString();
    }

    private static (int Code, string Errors) Compile(string source)
    {
        ProcessStartInfo start = new("clang")
        {
            RedirectStandardInput = true,
            RedirectStandardError = true,
        };
        string machine = RuntimeInformation.ProcessArchitecture == Architecture.Arm64
            ? "aarch64"
            : "x86_64";
        foreach (string argument in (string[])
            [
                "-target", "bpf", "-O2", "-fsyntax-only", "-I", Folder(),
                "-I", $"/usr/include/{machine}-linux-gnu", "-x", "c", "-",
            ])
        {
            start.ArgumentList.Add(argument);
        }

        Process? clang = null;
        try
        {
            clang = Process.Start(start);
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Skip.If(true, "no clang (apt install clang)");
        }

        using (clang)
        {
            clang!.StandardInput.Write(source);
            clang.StandardInput.Close();
            string errors = clang.StandardError.ReadToEnd();
            clang.WaitForExit();
            Skip.If(
                errors.Contains("'bpf/bpf_", StringComparison.Ordinal),
                "no headers of libbpf (apt install libbpf-dev)");
            return (clang.ExitCode, errors);
        }
    }

    private static string Folder()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "bpf", "filter.h")))
        {
            folder = Path.GetDirectoryName(folder);
        }

        Skip.If(folder is null, "not run from the repository");
        return Path.Combine(folder!, "bpf");
    }

    [GeneratedRegex("[A-Z]")]
    private static partial Regex Upper();
}
