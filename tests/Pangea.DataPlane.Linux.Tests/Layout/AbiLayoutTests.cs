using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Pangea.DataPlane.Linux.Abi;

namespace Pangea.DataPlane.Linux.Tests.Layout;

/// <summary>
/// Goal: what Abi/ says about the kernel and the C library is what their headers say. Method: every
/// struct and constant becomes a _Static_assert, and clang compiles them for both architectures.
/// </summary>
public sealed class AbiLayoutTests
{
    private const string Arm64Headers = "/usr/aarch64-linux-gnu/include";

    [SkippableFact]
    public void Agrees_with_the_headers_of_x86_64() =>
        Compile("x86_64-linux-gnu", []);

    [SkippableFact]
    public void Agrees_with_the_headers_of_arm64()
    {
        Skip.IfNot(
            Directory.Exists(Arm64Headers),
            "no ARM64 headers (apt install libc6-dev-arm64-cross)");
        Compile("aarch64-linux-gnu", ["-isystem", Arm64Headers]);
    }

    [SkippableFact]
    public void Notices_a_wrong_offset()
    {
        // Goal: the method itself can fail. One assertion is falsified and must be reported.
        string source = Source().Replace(
            "offsetof(struct io_uring_cqe, res) == 8",
            "offsetof(struct io_uring_cqe, res) == 4",
            StringComparison.Ordinal);
        (int code, string errors) = RunClang("x86_64-linux-gnu", [], source);
        Assert.NotEqual(0, code);
        Assert.Contains("io_uring_cqe", errors, StringComparison.Ordinal);
    }

    private static void Compile(string target, string[] flags)
    {
        (int code, string errors) = RunClang(target, flags, Source());
        Assert.True(code == 0, errors);
    }

    private static (int Code, string Errors) RunClang(
        string target, string[] flags, string source)
    {
        var start = new ProcessStartInfo("clang")
        {
            RedirectStandardInput = true,
            RedirectStandardError = true,
        };
        foreach (string argument in (string[])
            ["-target", target, .. flags, "-D_GNU_SOURCE", "-fsyntax-only", "-x", "c", "-"])
        {
            start.ArgumentList.Add(argument);
        }

        System.Diagnostics.Process? clang = null;
        try
        {
            clang = System.Diagnostics.Process.Start(start);
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
            return (clang.ExitCode, errors);
        }
    }

    private static string Source()
    {
        var source = new StringBuilder();
        foreach (string header in AbiNames.Headers)
        {
            source.Append(CultureInfo.InvariantCulture, $"#include <{header}>\n");
        }

        foreach (string declaration in AbiNames.Declarations)
        {
            source.Append(declaration).Append('\n');
        }

        foreach (string relation in AbiNames.Relations)
        {
            Assertion(source, relation);
        }

        foreach (Type type in typeof(statx).Assembly.GetTypes().Append(typeof(IoVector)).Distinct())
        {
            bool isAbi = type.Namespace == typeof(statx).Namespace && !type.IsNested;
            if (isAbi || type == typeof(IoVector))
            {
                AddConstants(source, type);
                AddStruct(source, type);
            }
        }

        AddErrnos(source);
        return source.ToString();
    }

    private static void AddStruct(StringBuilder source, Type type)
    {
        if (!type.IsValueType || AbiNames.CoveredByRelations.Contains(type.Name))
        {
            return;
        }

        string name = AbiNames.Types.GetValueOrDefault(type, $"struct {type.Name}");
        Assertion(source, $"sizeof({name}) == {SizeOf(type)}");
        if (type.IsDefined(typeof(InlineArrayAttribute)) || type == typeof(IoVector))
        {
            return;
        }

        foreach (FieldInfo field in type.GetFields(BindingFlags.Instance | BindingFlags.NonPublic))
        {
            bool isPadding = field.Name.StartsWith("__", StringComparison.Ordinal)
                || (field.Name.StartsWith("resv", StringComparison.Ordinal)
                    && type != typeof(io_uring_params));
            if (!isPadding)
            {
                string member = AbiNames.Fields.GetValueOrDefault(
                    $"{type.Name}.{field.Name}", field.Name);
                nint offset = Marshal.OffsetOf(type, field.Name);
                Assertion(source, $"offsetof({name}, {member}) == {offset}");
            }
        }
    }

    private static void AddConstants(StringBuilder source, Type type)
    {
        foreach (FieldInfo field in type.GetFields(BindingFlags.Static | BindingFlags.NonPublic))
        {
            string key = $"{type.Name}.{field.Name}";
            if (!field.IsLiteral || AbiNames.CoveredByRelations.Contains(key))
            {
                continue;
            }

            object value = field.GetRawConstantValue()!;
            string name = AbiNames.Constants.GetValueOrDefault(key, field.Name);
            string? architecture = null;
            if (name.EndsWith("_X64", StringComparison.Ordinal))
            {
                (name, architecture) = (name[..^4], "__x86_64__");
            }
            else if (name.EndsWith("_ARM64", StringComparison.Ordinal))
            {
                (name, architecture) = (name[..^6], "__aarch64__");
            }

            // A macro of a header older than the constant is an error here, which is what we want:
            // the two of them are then not proven equal.
            string assertion = $"(long long)({name}) == {Convert.ToInt64(value, null)}LL";
            if (architecture is not null)
            {
                source.Append(CultureInfo.InvariantCulture, $"#ifdef {architecture}\n");
            }

            Assertion(source, assertion);
            if (architecture is not null)
            {
                source.Append("#endif\n");
            }
        }
    }

    private static void AddErrnos(StringBuilder source)
    {
        foreach (FieldInfo field in typeof(Errno).GetFields(
            BindingFlags.Static | BindingFlags.Public))
        {
            var errno = (Errno)field.GetValue(null)!;
            Assertion(source, $"{field.Name} == {errno.Value}");
        }
    }

    private static void Assertion(StringBuilder source, string condition) =>
        source.Append("_Static_assert(").Append(condition)
            .Append(", \"").Append(condition).Append("\");\n");

    private static int SizeOf(Type type) =>
        (int)typeof(Unsafe)
            .GetMethod(nameof(Unsafe.SizeOf))!
            .MakeGenericMethod(type)
            .Invoke(null, null)!;
}
