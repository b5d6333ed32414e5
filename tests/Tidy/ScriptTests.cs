using System.Diagnostics;

namespace Pangea.DataPlane.Tidy;

/// <summary>
/// The scripts that say whether all is well: a summary that overlooks a failure, or an installation
/// that nobody agreed to, would be worse than none.
/// </summary>
public sealed class ScriptTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("pangea-tidy-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public void Summary_counts_and_names_what_failed_and_what_was_skipped()
    {
        WriteResults("One", 1, """
            <UnitTestResult testId="1" testName="A.Works(&quot;a &lt; b&quot;)" outcome="Passed" />
            <UnitTestResult testId="2" testName="A.Breaks" outcome="Failed">
              <Output><StdOut>noise</StdOut><ErrorInfo><Message>expected 1
            was 2</Message>
              <StackTrace>at A.Breaks() in A.cs:line 7</StackTrace></ErrorInfo></Output>
            </UnitTestResult>
            <UnitTestResult testId="3" testName="A.Waits" outcome="NotExecuted">
              <Output><ErrorInfo><Message>clang &amp; headers</Message></ErrorInfo></Output>
            </UnitTestResult>
            """);

        (int code, string output) = Summary();

        Assert.Equal(1, code);
        Assert.EndsWith("\n1 passed, 1 failed, 1 skipped\n", output);
        Assert.Contains("A.Waits: clang & headers\n", output);
        Assert.Contains("A.Breaks (Failed)\n      expected 1\n      was 2\n", output);
        Assert.Contains("in A.cs:line 7", output);
    }

    [Fact]
    public void Summary_of_success_is_success()
    {
        WriteResults("One", 0, """<UnitTestResult testName="A.Works" outcome="Passed" />""");
        WriteResults("Two", 0, """<UnitTestResult testName="B.Works" outcome="Passed" />""");

        (int code, string output) = Summary();

        Assert.Equal(0, code);
        Assert.Equal("\n2 passed, 0 failed, 0 skipped\n", output);
    }

    /// <summary>A test process that dies leaves results of passed tests, or none at all.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_dead_test_process_is_a_failure(bool withResults)
    {
        WriteResults(
            "One",
            134,
            withResults ? """<UnitTestResult testName="A.Works" outcome="Passed" />""" : null);
        File.WriteAllText(
            Path.Combine(_directory, "One.log"), "Process terminated. invariant broken\n");

        (int code, string output) = Summary();

        Assert.Equal(1, code);
        Assert.Contains("One: the test process ended with code 134", output);
        Assert.Contains("invariant broken", output);
        Assert.EndsWith($"\n{(withResults ? 1 : 0)} passed, 1 failed, 0 skipped\n", output);
    }

    [Fact]
    public void A_project_without_results_is_a_failure()
    {
        WriteResults("One", 0, null);

        (int code, string output) = Summary();

        Assert.Equal(1, code);
        Assert.Contains("One: no results", output);
    }

    [Fact]
    public void Without_root_the_command_is_printed_and_nothing_is_installed()
    {
        (int code, string output) = Install(userId: 1000, "need missing-one 'it must'");

        Assert.Equal(1, code);
        Assert.Contains("missing-one: it must", output);
        Assert.Contains("sudo apt-get install --no-install-recommends missing-one", output);
        Assert.DoesNotContain("APT CALLED", output);
        Assert.DoesNotContain("went on", output);
    }

    [Fact]
    public void Without_root_the_work_goes_on_when_only_tests_would_be_skipped()
    {
        (int code, string output) = Install(userId: 1000, "want missing-one 'it would help'");

        Assert.Equal(0, code);
        Assert.Contains("sudo apt-get install --no-install-recommends missing-one", output);
        Assert.DoesNotContain("APT CALLED", output);
        Assert.Contains("went on", output);
    }

    [Fact]
    public void Root_is_told_what_and_why_before_it_is_installed()
    {
        (int code, string output) = Install(
            userId: 0, "need missing-one 'it must'; need present 'x'");

        Assert.Equal(0, code);
        int told = output.IndexOf("missing-one: it must", StringComparison.Ordinal);
        int called = output.IndexOf("APT CALLED", StringComparison.Ordinal);
        Assert.InRange(told, 0, called);
        Assert.DoesNotContain("present: x", output);
        Assert.Contains("went on", output);
    }

    [Fact]
    public void Nothing_missing_is_silence()
    {
        Assert.Equal((0, "went on\n"), Install(userId: 0, "need present 'x'"));
    }

    [Fact]
    public void Without_the_compiler_for_it_nothing_is_compiled_ahead_but_all_is_built()
    {
        WriteProgram("dotnet", """
            case "$*" in *CompileAhead=true*)
                echo "a.csproj : error NU1101: Unable to find package crossgen2.linux-x64."
                exit 1;;
            esac
            """);

        (int code, string output) = Install(userId: 0, "build a.csproj");

        Assert.Equal(0, code);
        Assert.Contains("not compiled ahead", output);
        Assert.Contains("went on", output);
    }

    [Fact]
    public void A_failing_build_ends_with_its_errors()
    {
        WriteProgram("dotnet", "echo 'A.cs(1,2): error CS1002: ; expected [a.csproj]'; exit 1");

        (int code, string output) = Install(userId: 0, "build a.csproj");

        Assert.Equal(1, code);
        Assert.Contains("error CS1002: ; expected", output);
        Assert.Contains("the build of a.csproj failed", output);
        Assert.DoesNotContain("went on", output);
    }

    private void WriteResults(string project, int status, string? results)
    {
        File.AppendAllText(Path.Combine(_directory, "status.tsv"), $"{project}\t{status}\n");
        File.WriteAllText(Path.Combine(_directory, $"{project}.log"), "log\n");
        if (results is not null)
        {
            File.WriteAllText(
                Path.Combine(_directory, $"{project}.trx"),
                $"<TestRun><Results>{results}</Results></TestRun>");
        }
    }

    private (int Code, string Output) Summary() =>
        Repository.Execute(Repository.FullPath("scripts/test-summary"), _directory);

    /// <summary>
    /// Runs the functions of scripts/install with stand-ins for the programs they call: the package
    /// "present" is installed, no other; apt-get says that it was called and with what.
    /// </summary>
    private (int Code, string Output) Install(int userId, string calls)
    {
        WriteProgram("id", $"echo {userId}");
        WriteProgram("dpkg-query", "case \"$*\" in *present*) printf installed;; *) exit 1;; esac");
        WriteProgram("apt-get", "echo \"APT CALLED $*\" >>\"${0%/*}/apt.calls\"");
        string script = $"""
            export PATH="{_directory}:$PATH"
            top={Repository.Top}
            . scripts/install
            {calls}
            install_packages
            cat "{_directory}/apt.calls" 2>/dev/null
            echo 'went on'
            """;
        ProcessStartInfo start = new("bash", ["-c", $"set -u\n{{ {script}\n}} 2>&1"])
        {
            WorkingDirectory = Repository.Top,
            RedirectStandardOutput = true,
        };
        using Process process = Process.Start(start)!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output);
    }

    private void WriteProgram(string name, string body)
    {
        string path = Path.Combine(_directory, name);
        File.WriteAllText(path, $"#!/bin/sh\n{body}\n");
        File.SetUnixFileMode(
            path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }
}
