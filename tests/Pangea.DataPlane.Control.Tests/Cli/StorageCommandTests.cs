using System.Text;
using Pangea.DataPlane.Cli;
using Pangea.DataPlane.Cli.Text;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Control.Tests.Cli;

/// <summary>
/// Goal: what a person or a script sees of the commands about devices, scrub, heal and catalog, and
/// of ranges and times to live.
/// </summary>
[Collection("current directory")] // One for the whole process.
public sealed class StorageCommandTests : IDisposable
{
    private readonly FakeAppliance _appliance = new();

    public void Dispose() => _appliance.Dispose();

    [Theory]
    [InlineData("device list", "device-list")]
    [InlineData("scrub status", "scrub-status")]
    [InlineData("heal status", "heal-status")]
    public void Tables_are_as_agreed(string command, string golden)
    {
        _appliance.QuestionsUntilDone = int.MaxValue;
        CommandLine run = CommandLine.Run(_appliance, command.Split(' '));
        Assert.Equal((0, ""), (run.ExitCode, run.Error));

        string text = SampleRecords.WithUtcTimes(run.Output);
        Golden.Check(Golden.Text(golden + ".txt"), text);
        CommandLine json = CommandLine.Run(_appliance, [.. command.Split(' '), "--json"]);
        Assert.Null(Wire.JsonText.Check(Encoding.UTF8.GetBytes(json.Output)));
    }

    [Fact]
    public void An_added_device_is_named_with_its_index()
    {
        CommandLine run = CommandLine.Run(_appliance, "device", "add", "/srv/new");
        Assert.Equal((0, "added device 3: /srv/new, new\n"), (run.ExitCode, run.Output));
        Assert.Equal("{\"path\":\"/srv/new\"}", _appliance.LastParameters);
        CommandLine.Run(_appliance, "device", "add", "here");
        Assert.Equal(
            $"{{\"path\":\"{Path.GetFullPath("here")}\"}}", _appliance.LastParameters);
    }

    [Fact]
    public void A_removal_waits_for_the_emptying_only_when_asked()
    {
        CommandLine run = CommandLine.Run(_appliance, "device", "remove", "3");
        Assert.Equal(
            (0, "emptying device 3, /dev/sdq; pangea device list shows how far it is\n"),
            (run.ExitCode, run.Output));
        run = CommandLine.Run(_appliance, "device", "remove", "/dev/sdq", "--wait");
        Assert.Equal((0, "removed device 3, /dev/sdq\n"), (run.ExitCode, run.Output));
        run = CommandLine.Run(_appliance, "device", "remove", "3", "--force", "--json");
        Assert.Contains("\"draining\":false", run.Output);
        Assert.Equal("{\"device\":\"3\",\"force\":true}", _appliance.LastParameters);
    }

    [Fact]
    public void A_device_that_cannot_be_emptied_ends_the_wait_with_its_reason()
    {
        _appliance.NotDrained = "cannot be emptied: no room";
        CommandLine run = CommandLine.Run(_appliance, "device", "remove", "3", "--wait");
        Assert.Equal(ExitCodes.Failed, run.ExitCode);
        Assert.Contains("device 3 stays: cannot be emptied: no room", run.Error);
    }

    [Fact]
    public void A_replacement_tells_where_to_look()
    {
        CommandLine run = CommandLine.Run(_appliance, "device", "replace", "3", "/srv/new");
        Assert.Equal(
            (0, "replaced device 3 by /srv/new; pangea device list shows its refilling\n"),
            (run.ExitCode, run.Output));
    }

    [Fact]
    public void A_refused_change_ends_with_the_code_of_its_fault()
    {
        _appliance.Failure = new Fault(FaultCode.Unavailable, "too few remain", "add one first");
        CommandLine run = CommandLine.Run(_appliance, "device", "remove", "3");
        Assert.Equal(
            (ExitCodes.Unavailable, "pangea: too few remain\nhint: add one first\n"),
            (run.ExitCode, run.Error));
        _appliance.Failure = new Fault(FaultCode.Unsupported, "not here");
        Assert.Equal(ExitCodes.Failed, CommandLine.Run(_appliance, "heal", "start").ExitCode);
    }

    [Fact]
    public void A_scrub_that_finds_damage_says_so_by_its_exit_code()
    {
        Assert.Equal(0, CommandLine.Run(_appliance, "scrub", "start").ExitCode);
        CommandLine run = CommandLine.Run(_appliance, "scrub", "start", "--wait");
        Assert.Equal(ExitCodes.Corrupt, run.ExitCode);
        Assert.Contains("errors found", run.Output);
    }

    [Fact]
    public void A_rebuilt_catalog_is_counted() => Assert.StartsWith(
        "rebuilt the catalog: 12,345 objects, 1.00 MiB read in ",
        CommandLine.Run(_appliance, "catalog", "rebuild").Output);

    [Theory]
    [InlineData("1-3", "ell")]
    [InlineData("0-0", "h")]
    [InlineData("2-", "llo")]
    [InlineData("-2", "lo")]
    [InlineData("3-99", "lo")]
    public void A_range_fetches_only_its_bytes(string range, string expected)
    {
        _appliance.Objects["x"] = "hello"u8.ToArray();
        string target = Path.Combine(_appliance.Directory, "part");
        CommandLine run = CommandLine.Run(_appliance, "get", "x", "-o", target, "--range", range);
        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        Assert.Equal(expected, File.ReadAllText(target));
        Assert.Contains($": {expected.Length} B in ", run.Output);
    }

    [Theory]
    [InlineData("")]
    [InlineData("-")]
    [InlineData("5")]
    [InlineData("3-2")]
    [InlineData("-0")]
    [InlineData("a-b")]
    [InlineData("1-2-3")]
    [InlineData("--1")]
    [InlineData("0-9223372036854775808")]
    [InlineData("0-9223372036854775807")]
    public void A_range_that_is_none_is_refused_before_anything_is_made(string range)
    {
        CommandLine run = CommandLine.Run(_appliance, "get", "x", "-o", "none", $"--range={range}");
        Assert.Equal(ExitCodes.Usage, run.ExitCode);
        Assert.False(File.Exists("none"));
    }

    [Theory]
    [InlineData("90", 90)]
    [InlineData("90s", 90)]
    [InlineData("15m", 900)]
    [InlineData("12h", 43_200)]
    [InlineData("7d", 604_800)]
    public void A_time_to_live_is_read(string text, long seconds) =>
        Assert.Equal(seconds, TimeSpanText.ParseSeconds(text).Value);

    [Theory]
    [InlineData("0")]
    [InlineData("-5")]
    [InlineData("d")]
    [InlineData("7 d")]
    [InlineData("1.5h")]
    [InlineData("99999999999d")]
    public void A_time_to_live_that_is_none_is_refused(string text)
    {
        string file = Path.Combine(_appliance.Directory, "f");
        File.WriteAllText(file, "x");
        CommandLine run = CommandLine.Run(_appliance, "put", file, $"--ttl={text}");
        Assert.Equal(ExitCodes.Usage, run.ExitCode);
        Assert.Empty(_appliance.Objects);
    }

    [Fact]
    public void A_put_with_a_time_to_live_tells_until_when()
    {
        string file = Path.Combine(_appliance.Directory, "f");
        File.WriteAllText(file, "x");
        CommandLine run = CommandLine.Run(_appliance, "put", file, "--ttl", "7d");
        Assert.Matches(", until 20\\d\\d-\\d\\d-\\d\\d ", run.Output);
    }

    [Fact]
    public void Head_is_stat_by_another_name()
    {
        _appliance.Objects["a"] = [];
        Assert.Equal(
            CommandLine.Run(_appliance, "stat", "a").Output,
            CommandLine.Run(_appliance, "head", "a").Output);
    }
}
