using System.Text;
using Pangea.DataPlane.Cli;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Control.Tests.Cli;

/// <summary>
/// Goal: what a person or a script sees of each command, on success and on failure.
/// </summary>
[Collection("current directory")] // One for the whole process.
public sealed class CommandLineTests : IDisposable
{
    private readonly FakeAppliance _appliance = new();

    public static readonly string[] Commands =
    [
        "", "put", "get", "ls", "stat", "rm", "status", "worker", "worker list", "capabilities",
        "version", "rpc", "supervise", "key", "key list", "key rotate",
        "device", "device list", "device add", "device remove", "device replace",
        "scrub", "scrub start", "scrub stop", "scrub status", "heal", "heal start", "heal status",
        "catalog", "catalog rebuild",
        "firewall", "firewall status", "firewall attach", "firewall detach", "firewall rule",
        "firewall rule list", "firewall rule add", "firewall rule remove",
        "firewall rule replace", "firewall rule check", "firewall rule export",
        "firewall confirm", "firewall rollback", "firewall ban", "firewall unban",
        "firewall bans", "firewall stats", "firewall events", "firewall test",
    ];

    public static TheoryData<string> HelpCommands => [.. Commands];

    public void Dispose() => _appliance.Dispose();

    [Theory]
    [MemberData(nameof(HelpCommands))]
    public void Help_is_as_agreed(string command)
    {
        CommandLine run = CommandLine.Run(
            [.. command.Split(' ', StringSplitOptions.RemoveEmptyEntries), "--help"]);
        Assert.Equal(ExitCodes.Ok, run.ExitCode);
        if (command.Length > 0)
        {
            Assert.Contains("Examples:\n  pangea ", run.Output);
        }

        // The host's name is the test runner's here.
        string text = run.Output.Replace(System.CommandLine.RootCommand.ExecutableName, "pangea");
        string name = command.Length == 0 ? "pangea" : command.Replace(' ', '-');
        Golden.Check(Golden.Text($"help-{name}.txt"), text);
    }

    [Fact]
    public void Stores_and_fetches_a_file()
    {
        string source = Write("source.bin", "hello");
        CommandLine put = CommandLine.Run(_appliance, "put", source);
        Assert.Equal("", put.Error);
        Assert.StartsWith("stored source.bin: 5 B in ", put.Output);
        Assert.EndsWith(", 7 B on 12 of 12 devices\n", put.Output);
        Assert.Equal("hello", Encoding.UTF8.GetString(_appliance.Objects["source.bin"]));

        string target = PathOf("target.bin");
        CommandLine get = CommandLine.Run(_appliance, "get", "source.bin", "-o", target);
        Assert.Equal((0, ""), (get.ExitCode, get.Error));
        Assert.Equal("hello", File.ReadAllText(target));
        AssertNoLeftovers();
    }

    [Fact]
    public void Put_reads_from_the_descriptor_and_names_the_object_as_asked()
    {
        string source = Write("source.bin", "hello");
        Assert.Equal(0, CommandLine.Run(_appliance, "put", source, "--name", "deep/er").ExitCode);
        CommandLine again = CommandLine.Run(
            _appliance, "put", source, "--name", "deep/er", "-o", "json");
        Assert.Contains("\"replaced\":true", again.Output);
        CommandLine refused = CommandLine.Run(
            _appliance, "put", source, "-n", "deep/er", "--no-clobber");
        Assert.Equal(
            (ExitCodes.Exists, "pangea: object 'deep/er' exists\n"),
            (refused.ExitCode, refused.Error));
    }

    [Fact]
    public void Get_into_a_directory_uses_the_last_part_of_the_name()
    {
        _appliance.Objects["a/b/c.txt"] = "x"u8.ToArray();
        Assert.Equal(
            0,
            CommandLine.Run(_appliance, "get", "a/b/c.txt", "-o", _appliance.Directory).ExitCode);
        Assert.Equal("x", File.ReadAllText(PathOf("c.txt")));
    }

    [Fact]
    public void Get_replaces_a_file_that_was_named_and_keeps_it_on_failure()
    {
        _appliance.Objects["new"] = "new"u8.ToArray();
        string target = Write("target", "old");
        _appliance.Failure = new Fault(
            FaultCode.Unavailable, "needs 8 of 12 shards, has 7", "bring back a device");
        _appliance.BytesBeforeFailure = 100;
        CommandLine failed = CommandLine.Run(_appliance, "get", "new", "-o", target);
        Assert.Equal(ExitCodes.Unavailable, failed.ExitCode);
        Assert.Equal(
            "pangea: needs 8 of 12 shards, has 7\nhint: bring back a device\n", failed.Error);
        Assert.Equal("old", File.ReadAllText(target));
        AssertNoLeftovers();

        _appliance.Failure = null;
        Assert.Equal(0, CommandLine.Run(_appliance, "get", "new", "-o", target).ExitCode);
        Assert.Equal("new", File.ReadAllText(target));
    }

    [Fact]
    public void A_failed_get_leaves_no_file()
    {
        CommandLine run = CommandLine.Run(_appliance, "get", "nothing", "-o", PathOf("target"));
        Assert.Equal(ExitCodes.NotFound, run.ExitCode);
        Assert.Equal("pangea: no object 'nothing'\nhint: pangea ls lists the names\n", run.Error);
        Assert.False(File.Exists(PathOf("target")));
        AssertNoLeftovers();
    }

    [Fact]
    public void Get_writes_to_a_device_directly()
    {
        _appliance.Objects["x"] = "x"u8.ToArray();
        CommandLine run = CommandLine.Run(_appliance, "get", "x", "-o", "/dev/null");
        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        Assert.True(File.Exists("/dev/null"));
    }

    [Fact]
    public void A_file_fetched_without_a_path_is_never_overwritten()
    {
        _appliance.Objects["a/README.md"] = "x"u8.ToArray();
        string before = Environment.CurrentDirectory;
        Write("README.md", "mine");
        try
        {
            Environment.CurrentDirectory = _appliance.Directory;
            CommandLine run = CommandLine.Run(_appliance, "get", "a/README.md");
            Assert.Equal(ExitCodes.Exists, run.ExitCode);
            Assert.Equal(
                "pangea: README.md exists already\nhint: replace it with: -o README.md\n",
                run.Error);
            Assert.Equal("mine", File.ReadAllText("README.md"));
        }
        finally
        {
            Environment.CurrentDirectory = before;
        }

        AssertNoLeftovers();
    }

    [Fact]
    public void Lists_all_pages()
    {
        foreach (int i in Enumerable.Range(0, 25))
        {
            _appliance.Objects[$"n{i:00}"] = new byte[i];
        }

        _appliance.Objects["other"] = [];
        _appliance.PageMax = 10;
        CommandLine text = CommandLine.Run(_appliance, "ls", "n");
        string[] lines = text.Output.TrimEnd().Split('\n');
        Assert.Equal(26, lines.Length);
        Assert.EndsWith("NAME", lines[0]);
        Assert.All(lines[1..], (l, i) => Assert.EndsWith($" n{i:00}", l));
        Assert.Single(lines.Select(l => l.LastIndexOf(' ')).Distinct());

        CommandLine json = CommandLine.Run(_appliance, "ls", "-o", "json");
        using var document = System.Text.Json.JsonDocument.Parse(json.Output);
        Assert.Equal(26, document.RootElement.GetProperty("objects").GetArrayLength());
    }

    [Fact]
    public void Shows_an_empty_list()
    {
        Assert.Equal((0, "", ""), Parts(CommandLine.Run(_appliance, "ls")));
        Assert.Equal(
            (0, "{\"objects\":[]}\n", ""), Parts(CommandLine.Run(_appliance, "ls", "--json")));
    }

    [Theory]
    [InlineData("status")]
    [InlineData("worker list")]
    [InlineData("stat a")]
    public void Text_for_people_is_as_agreed(string command)
    {
        _appliance.Objects["a"] = [];
        CommandLine run = CommandLine.Run(_appliance, command.Split(' '));
        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        string text = SampleRecords.WithUtcTimes(run.Output);
        Golden.Check(Golden.Text(command.Replace(' ', '-') + ".txt"), text);
    }

    [Fact]
    public void Removes_what_it_can_and_reports_the_rest()
    {
        _appliance.Objects["a"] = new byte[2048];
        _appliance.Objects["c"] = [];
        CommandLine run = CommandLine.Run(_appliance, "rm", "a", "b", "c");
        Assert.Equal(ExitCodes.NotFound, run.ExitCode);
        Assert.Equal("removed a: 2.00 KiB\nremoved c: 0 B\n", run.Output);
        Assert.Empty(_appliance.Objects);
    }

    [Fact]
    public void Raw_calls_print_result_and_error()
    {
        CommandLine ok = CommandLine.Run(_appliance, "rpc", "object.list", "{\n\"limit\": 5\n}");
        Assert.Equal((0, "{\"objects\":[]}\n", ""), Parts(ok));
        CommandLine unknown = CommandLine.Run(_appliance, "rpc", "no.such");
        Assert.Equal(ExitCodes.Usage, unknown.ExitCode);
        Assert.Equal(
            "pangea: no method 'no.such'\nhint: rpc.discover lists the methods\n", unknown.Error);
        Assert.Equal(
            ExitCodes.Usage, CommandLine.Run(_appliance, "rpc", "object.list", "{").ExitCode);
    }

    [Fact]
    public void Errors_are_json_where_json_was_asked()
    {
        CommandLine run = CommandLine.Run(_appliance, "stat", "x", "--json");
        Assert.Equal(
            "{\"error\":{\"code\":-32001,\"message\":\"no object 'x'\"," +
            "\"data\":{\"name\":\"notFound\"," +
            "\"hint\":\"pangea ls lists the names\",\"retryable\":false}}}\n",
            run.Error);
    }

    [Fact]
    public void Says_when_no_appliance_answers()
    {
        CommandLine run = CommandLine.Run("ls", "--socket", PathOf("nobody.sock"));
        Assert.Equal(ExitCodes.NotReachable, run.ExitCode);
        Assert.StartsWith(
            $"pangea: no appliance answers on {PathOf("nobody.sock")}: No such file", run.Error);
        Assert.Contains("hint: start it with 'pangea supervise'", run.Error);
    }

    [Fact]
    public void Names_local_files_that_cannot_be_read()
    {
        CommandLine missing = CommandLine.Run(_appliance, "put", PathOf("missing"));
        Assert.Equal(ExitCodes.BadFile, missing.ExitCode);
        Assert.StartsWith($"pangea: no file {PathOf("missing")}\nhint: ", missing.Error);
        CommandLine directory = CommandLine.Run(_appliance, "put", _appliance.Directory);
        Assert.Equal(ExitCodes.BadFile, directory.ExitCode);
        Assert.Contains("is a directory\nhint: pack it: tar", directory.Error);
        CommandLine nowhere = CommandLine.Run(_appliance, "get", "x", "-o", PathOf("no/where"));
        Assert.Equal(ExitCodes.BadFile, nowhere.ExitCode);
        Assert.Empty(_appliance.Objects);
    }

    [Theory]
    [InlineData("put", "Required argument 'FILE' missing for command: 'put'")]
    [InlineData("pud x", "'pud' is no command, option or argument here")]
    [InlineData("ls --bogus", "'--bogus' is no command, option or argument here")]
    [InlineData("ls -o xml", "Argument 'xml' not recognized. Must be one of: 'text' 'json'")]
    [InlineData("put -", "'-' does not say how the object is named")]
    [InlineData("worker", "Required command was not provided")]
    [InlineData("worker lst", "'lst' is no command, option or argument here")]
    public void Refuses_a_wrong_command_line(string line, string message)
    {
        CommandLine run = CommandLine.Run(line.Split(' '));
        Assert.Equal(ExitCodes.Usage, run.ExitCode);
        Assert.StartsWith($"pangea: {message}\nhint: ", run.Error);
        Assert.Equal("", run.Output);
    }

    [Fact]
    public void A_name_that_begins_with_a_dash_comes_after_two()
    {
        _appliance.Objects["-x"] = [];
        Assert.Equal(ExitCodes.Usage, CommandLine.Run("rm", "-x").ExitCode);
        Assert.Equal(
            0, CommandLine.Run("rm", "--socket", _appliance.SocketPath, "--", "-x").ExitCode);
        Assert.Empty(_appliance.Objects);
    }

    [Fact]
    public void Control_characters_do_not_reach_the_terminal()
    {
        _appliance.Failure = new Fault(FaultCode.NotFound, "no object '\u001b[2J'");
        CommandLine run = CommandLine.Run(_appliance, "stat", "\u00e4");
        Assert.Equal("pangea: no object '?[2J'\n", run.Error);
    }

    [Fact]
    public void The_supervisor_gets_its_arguments_untouched()
    {
        string[] seen = [];
        RoleVerbs roles = CommandLine.Roles with
        {
            Supervise = rest =>
            {
                seen = rest;
                return 100;
            },
        };
        Assert.Equal(100, PangeaCommandLine.Run(["supervise", "--bogus", "-o"], roles));
        Assert.Equal(["--bogus", "-o"], seen);
    }

    private static (int, string, string) Parts(CommandLine run) =>
        (run.ExitCode, run.Output, run.Error);

    private string PathOf(string name) => Path.Combine(_appliance.Directory, name);

    private string Write(string name, string text)
    {
        File.WriteAllText(PathOf(name), text);
        return PathOf(name);
    }

    private void AssertNoLeftovers() =>
        Assert.Empty(Directory.GetFiles(_appliance.Directory, ".pangea-get-*"));
}
