using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Pangea.DataPlane.Firewall.Image;
using Pangea.DataPlane.Packets;

namespace Pangea.DataPlane.Firewall.Tests.Image;

/// <summary>
/// Goal: the XDP program and the twin mean the same bytes. Method: every struct, constant and enum
/// of the C# side becomes a _Static_assert over bpf/policy.h, compiled by clang for BPF; every name
/// of the header must have its twin.
/// </summary>
public sealed class PolicyLayoutTests
{
    private static readonly Type[] s_enums =
    [
        typeof(PolicyFeature), typeof(PolicyReason), typeof(PolicyScope), typeof(PacketFamily),
        typeof(FragmentKind), typeof(MalformedKind),
    ];

    private static string Header =>
        File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "policy.h"));

    [SkippableFact]
    public void Agrees_with_the_header_of_the_program()
    {
        (int code, string errors) = RunClang(Source());
        Assert.True(code == 0, errors);
    }

    [SkippableFact]
    public void Notices_a_wrong_offset()
    {
        string right = Source();
        string wrong = right.Replace(
            "offsetof(struct policy_result, vector) == 8",
            "offsetof(struct policy_result, vector) == 10",
            StringComparison.Ordinal);
        Assert.NotEqual(right, wrong);
        (int code, string errors) = RunClang(wrong);
        Assert.NotEqual(0, code);
        Assert.Contains("policy_result", errors, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_name_of_the_header_has_a_twin()
    {
        string source = Source();
        foreach (string line in Header.Split('\n'))
        {
            string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            string? name = words switch
            {
                ["#define", "PANGEA_POLICY_H"] => null,
                ["#define", string constant, ..] => $"({constant} ==",
                ["struct", string type, "{"] => $"sizeof(struct {type})",
                [string member, "=", ..] => $"({member} ==",
                _ => null,
            };
            Assert.True(name is null || source.Contains(name, StringComparison.Ordinal), line);
        }
    }

    private static string Source()
    {
        var source = new StringBuilder(Header).Append("\n#include <stddef.h>\n");
        foreach (FieldInfo constant in typeof(PolicyConstants).GetFields())
        {
            Assertion(source, $"POLICY_{Snake(constant.Name).ToUpperInvariant()}",
                Convert.ToInt64(constant.GetRawConstantValue(), CultureInfo.InvariantCulture));
        }

        foreach (Type type in s_enums)
        {
            foreach (object value in Enum.GetValues(type))
            {
                if (type != typeof(PolicyFeature) || (PolicyFeature)value != PolicyFeature.None)
                {
                    string name = $"{Snake(type.Name)}_{Snake(value.ToString()!)}";
                    Assertion(source, name.ToUpperInvariant(),
                        Convert.ToInt64(value, CultureInfo.InvariantCulture));
                }
            }
        }

        foreach (Type type in typeof(PolicyHeader).Assembly.GetTypes())
        {
            if (type.Namespace == typeof(PolicyHeader).Namespace && type.IsLayoutSequential
                && type.IsValueType && !type.IsEnum && !type.IsNested
                && type.GetCustomAttribute<InlineArrayAttribute>() is null
                && type.GetCustomAttribute<CompilerGeneratedAttribute>() is null
                && type.IsPublic && !type.IsByRefLike && type.StructLayoutAttribute is { Pack: 0 })
            {
                AddStruct(source, type);
            }
        }

        return source.ToString();
    }

    private static void AddStruct(StringBuilder source, Type type)
    {
        string name = $"struct {Snake(type.Name)}";
        Assertion(source, $"sizeof({name})", SizeOf(type));
        long offset = 0;
        foreach (FieldInfo field in type.GetFields(BindingFlags.Public | BindingFlags.Instance))
        {
            int bytes = SizeOf(field.FieldType);
            long alignment = Alignment(field.FieldType);
            offset = (offset + alignment - 1) / alignment * alignment;
            string member = Snake(field.Name);
            Assertion(source, $"offsetof({name}, {member})", offset);
            Assertion(source, $"sizeof((({name} *)0)->{member})", bytes);
            offset += bytes;
        }
    }

    private static int SizeOf(Type type) =>
        (int)typeof(Unsafe).GetMethod(nameof(Unsafe.SizeOf))!.MakeGenericMethod(type)
            .Invoke(null, null)!;

    private static long Alignment(Type type)
    {
        if (type.IsPrimitive || type.IsEnum)
        {
            return SizeOf(type);
        }

        // The rest are inline arrays of a primitive.
        return SizeOf(type.GetFields(BindingFlags.NonPublic | BindingFlags.Instance)[0].FieldType);
    }

    private static void Assertion(StringBuilder source, string left, long right) =>
        source.Append(
            CultureInfo.InvariantCulture,
            $"_Static_assert({(left.Contains('(') ? left : $"({left}")} == {right}")
            .Append(left.Contains('(') ? "" : ")")
            .Append(CultureInfo.InvariantCulture, $", \"{left}\");\n");

    private static string Snake(string name)
    {
        var snake = new StringBuilder();
        for (int i = 0; i < name.Length; i++)
        {
            if (i > 0 && char.IsUpper(name[i]))
            {
                snake.Append('_');
            }

            snake.Append(char.ToLowerInvariant(name[i]));
        }

        return snake.ToString();
    }

    private static (int Code, string Errors) RunClang(string source)
    {
        var start = new ProcessStartInfo("clang")
        {
            RedirectStandardInput = true,
            RedirectStandardError = true,
        };
        string architecture =
            RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? "aarch64" : "x86_64";
        foreach (string argument in (string[])
            ["-target", "bpf", $"-I/usr/include/{architecture}-linux-gnu", "-Werror",
             "-fsyntax-only", "-x", "c", "-"])
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
            return (clang.ExitCode, errors);
        }
    }
}
