using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Supervisor.Configuration;

namespace Pangea.DataPlane.Supervisor.Tests;

public sealed class ConfigurationTests : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory(
        "pangea-configuration-");

    public void Dispose() => _directory.Delete(recursive: true);

    [Fact]
    public void Nothing_said_means_the_embedded_default()
    {
        ApplianceConfiguration configuration = Load([]).Value;
        Assert.Equal(Path.GetFullPath("var"), configuration.StateDirectory);
        Assert.Equal("/run/pangea/control.sock", configuration.SocketPath);
        Assert.Equal(Redundancy.Default, configuration.Redundancy);
        Assert.Equal(12, configuration.Devices.Count);
        Assert.Equal(Path.GetFullPath("var/devices/11"), configuration.Devices[11]);
        Assert.True(configuration.CreatesDevices);
        Assert.Equal(Limits.StripeBytesDefault, configuration.StripeBytes);
    }

    [Fact]
    public void Flags_go_before_environment_before_file_before_default()
    {
        // Only root may name somebody else, and the test is the same for everyone.
        uint user = UserAccount.IsRoot ? 7 : UserAccount.Current.Uid;
        string file =
            Write(
                $"user: {user}\nstate: from-file\nsocket: from-file.sock\n"
                + "storage:\n  compression: none\n");
        ApplianceConfiguration configuration = Load(
            ["--state", "/from-flag", $"--config={file}"],
            ("PANGEA_STATE", "/from-environment"),
            ("PANGEA_SOCKET", "/from-environment.sock")).Value;
        Assert.Equal("/from-flag", configuration.StateDirectory);
        Assert.Equal("/from-environment.sock", configuration.SocketPath);
        Assert.Equal("none", configuration.Compression);
    }

    [Fact]
    public void Every_key_of_the_file_is_read()
    {
        string devices = string.Concat(Enumerable.Range(0, 3).Select(i => $"    - /srv/{i}\n"));
        string file = Write(
            $"state: st\nsocket: /s.sock\nstorage:\n  devices:\n{devices}  redundancy: 2+1\n"
            + "  stripeMiB: 2\n  compression: balanced\nworkers:\n  storage:\n    cores: 0\n"
            + "  relay:\n    cores: auto\n");
        Result<ConfigurationValues> read = ConfigurationFile.Read(file);
        Assert.True(read.IsOk, read.Fault?.ToString());
        Assert.Equal(Path.Combine(_directory.FullName, "st"), read.Value.StateDirectory);
        Assert.Equal("/s.sock", read.Value.SocketPath);
        Assert.Equal(["/srv/0", "/srv/1", "/srv/2"], read.Value.Devices);
        Assert.Equal(new Redundancy(2, 1), read.Value.Redundancy);
        Assert.Equal(2 * 1024 * 1024, read.Value.StripeBytes);
        Assert.Equal([0], read.Value.StorageCores?.Cores);
        Assert.Equal($"{file}:15:12", read.Value.RelayCores?.Place);
        Assert.False(Load(["--config", file]).Value.CreatesDevices);
    }

    [Fact]
    public void How_the_storage_works_is_read_and_the_rest_is_default()
    {
        string file = Write(
            "storage:\n  durability: all\n  segmentBytes: 16MiB\n  checkpointSeconds: 7\n"
            + "  scrub:\n    everySeconds: 0\n    bytesPerSecond: 1 GiB\n"
            + "  heal:\n    checkSeconds: 60\n    criticalShards: 2\n    targetShards: 3\n"
            + "    bytesPerSecond: 1000\n    backoffSeconds: 5000\n"
            + "  compaction:\n    bytesPerSecond: 0\n");
        StorageSettings settings = Load(["--config", file]).Value.Settings;
        Assert.Equal("all", settings.Durability);
        Assert.Equal(16 << 20, settings.SegmentBytes);
        Assert.Equal(7, settings.CheckpointSeconds);
        Assert.Equal(
            new ScrubSettings { EverySeconds = 0, BytesPerSecond = 1 << 30 }, settings.Scrub);
        Assert.Equal(
            new HealSettings
            {
                CheckSeconds = 60,
                CriticalShards = 2,
                TargetShards = 3,
                BytesPerSecond = 1000,
                BackoffSeconds = 5000,
                BackoffSecondsMax = 5000,
            },
            settings.Heal);
        Assert.Equal(0, settings.Compaction.BytesPerSecond);
        Assert.Equal("quorum", Load(["--config", file, "--durability", "quorum"])
            .Value.Settings.Durability);
        Assert.Equal(StorageSettings.Default, Load([]).Value.Settings);
    }

    [Fact]
    public void The_packaged_example_is_valid()
    {
        string path = Path.Combine(RepositoryRoot(), "packaging", "pangea.yaml");
        Result<ConfigurationValues> read = ConfigurationFile.Read(path);
        Assert.True(read.IsOk, read.Fault?.ToString());
        Assert.Equal(12, read.Value.Devices?.Count);
    }

    [Fact]
    public void An_empty_file_means_every_default() =>
        Assert.True(ConfigurationFile.Read(Write("")).IsOk);

    /// <summary>All errors at once, each with its place.</summary>
    [Fact]
    public void Every_error_is_reported_with_line_and_column()
    {
        string file = Write(
            "stat: x\nstorage:\n  redundancy: 8+\n  stripeBytes: 5000\n  colour: red\n"
            + "workers:\n  storage:\n    cores: -1\n");
        Fault fault = Refused(file);
        string[] lines = fault.Message.Split('\n');
        Assert.Equal(5, lines.Length);
        Assert.StartsWith($"{file}:1:1: unknown key \"stat\"", lines[0]);
        Assert.StartsWith($"{file}:3:15: redundancy: \"8+\"", lines[1]);
        Assert.StartsWith($"{file}:4:16: stripeBytes: \"5000\"", lines[2]);
        Assert.StartsWith($"{file}:5:3: unknown key \"colour\" in storage", lines[3]);
        Assert.StartsWith($"{file}:8:12: cores: \"-1\"", lines[4]);
    }

    [Theory]
    [InlineData("storage: [1, 2]", ":1:10: storage is a mapping")]
    [InlineData("state: [a]", ":1:8: state needs a text")]
    [InlineData("state:", "state needs a text")]
    [InlineData("- a", "the configuration is a mapping")]
    [InlineData("storage:\n  devices: /one", ":2:12: devices is a list")]
    [InlineData("storage:\n  devices: [/a, /b, /a]", ":2:21: /a is named twice in devices")]
    [InlineData(
        "storage:\n  stripeBytes: 4096\n  stripeMiB: 1", ":3:14: stripeBytes and stripeMiB")]
    [InlineData("state: a\nstate: b", "uplicate key")]
    [InlineData("state: \"a", ":1:")]
    [InlineData("state: a\n---\nstate: b", "second document")]
    [InlineData("? [a]\n: b", "unknown key")]
    [InlineData("storage:\n  classes:\n    default:\n      redundancy: 4+2", "no name for a class")]
    [InlineData("storage:\n  classes:\n    a:\n      colour: red", "unknown key \"colour\"")]
    [InlineData("storage:\n  classes:\n    a:\n      compression: lots", "none of none")]
    [InlineData("storage:\n  classes: a", "mapping")]
    [InlineData("storage:\n  durability: some", "none of quorum, all")]
    [InlineData("storage:\n  segmentBytes: 3000", "segmentBytes")]
    [InlineData("storage:\n  segmentBytes: 2GiB", "segmentBytes")]
    [InlineData("storage:\n  checkpointSeconds: 0", "from 1 to")]
    [InlineData("storage:\n  scrub: fast", ":2:10: storage.scrub is a mapping")]
    [InlineData("storage:\n  scrub:\n    speed: 1", "unknown key \"speed\" in storage.scrub")]
    [InlineData("storage:\n  scrub:\n    bytesPerSecond: -1", "no number of bytes")]
    [InlineData("storage:\n  scrub:\n    bytesPerSecond: 9999999999TiB", "no number of bytes")]
    [InlineData("storage:\n  heal:\n    targetShards: 256", "no number of shards")]
    [InlineData(
        "storage:\n  heal:\n    targetShards: 1\n    criticalShards: 2", "below criticalShards")]
    [InlineData(
        "storage:\n  heal:\n    backoffSeconds: 9\n    backoffSecondsMax: 8", "below backoff")]
    [InlineData("storage:\n  compaction:\n    everySeconds: 1", "in storage.compaction")]
    public void A_wrong_file_is_refused(string text, string message) =>
        Assert.Contains(message, Refused(Write(text)).Message);

    [Theory]
    [InlineData("--colour", "red", "--colour")]
    [InlineData("--redundancy", "8", "redundancy")]
    [InlineData("--redundancy", "0+4", "redundancy")]
    [InlineData("--redundancy", "64+4", "devices")]
    [InlineData("--stripe-bytes", "0", "stripeBytes")]
    [InlineData("--stripe-bytes", "4294967296", "stripeBytes")]
    [InlineData("--compression", "on", "compression")]
    [InlineData("--cores", "999", "cores")]
    [InlineData("--cores", "0,0", "cores")]
    [InlineData("--durability", "most", "durability")]
    [InlineData("--threads", "17", "threads")]
    [InlineData("--threads", "-1", "threads")]
    [InlineData("--standby", "maybe", "standby")]
    [InlineData("--user", "12:x", "user")]
    [InlineData("--state", "", "--state")]
    public void A_wrong_flag_is_refused_with_its_name(string name, string value, string field)
    {
        Fault? fault = Load([name, value]).Fault;
        Assert.Equal(field, fault?.Field);
    }

    [Fact]
    public void An_impossible_core_is_refused_with_its_place_in_the_file()
    {
        string file = Write("workers:\n  relay:\n    cores: 0,8000\n");
        Fault? fault = Load(["--config", file]).Fault;
        Assert.StartsWith(
            $"{file}:3:12: cores of relay: there is no core 8000;", fault?.Message);
    }

    [Fact]
    public void A_flag_without_its_value_is_refused() =>
        Assert.Equal("--state", Load(["--state"]).Fault?.Field);

    [Fact]
    public void A_file_that_is_not_there_is_not_found() =>
        Assert.Equal(FaultCode.NotFound, Load(["--config", "/nowhere/pangea.yaml"]).Fault?.Code);

    [Fact]
    public void Bytes_that_are_no_text_are_refused()
    {
        string path = Path.Combine(_directory.FullName, "binary.yaml");
        File.WriteAllBytes(path, [0xff, 0xfe, 0x80, 0x00]);
        Assert.Equal(FaultCode.InvalidParameters, ConfigurationFile.Read(path).Fault?.Code);
    }

    private static Fault Refused(string file)
    {
        Fault? fault = ConfigurationFile.Read(file).Fault;
        Assert.Equal(FaultCode.InvalidParameters, fault?.Code);
        return fault!;
    }

    private static Result<ApplianceConfiguration> Load(
        string[] arguments, params (string Name, string Value)[] environment) =>
        ConfigurationSources.Load(
            arguments, name => environment.FirstOrDefault(variable => variable.Name == name).Value);

    private static string RepositoryRoot()
    {
        string directory = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(directory, "Pangea.DataPlane.sln")))
        {
            directory = Path.GetDirectoryName(directory) ?? throw new DirectoryNotFoundException();
        }

        return directory;
    }

    private string Write(string text)
    {
        string path = Path.Combine(_directory.FullName, "pangea.yaml");
        File.WriteAllText(path, text);
        return path;
    }
}
