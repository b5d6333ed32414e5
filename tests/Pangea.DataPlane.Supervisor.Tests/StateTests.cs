using System.Security.Cryptography;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Supervisor.Configuration;
using Pangea.DataPlane.Supervisor.State;

namespace Pangea.DataPlane.Supervisor.Tests;

public sealed class StateTests : IDisposable
{
    private const UnixFileMode PrivateFile = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("pangea-state-");

    private string StatePath => Path.Combine(_directory.FullName, "var");

    public void Dispose() => _directory.Delete(recursive: true);

    [Fact]
    public void A_known_state_without_its_key_is_refused_and_gets_no_new_one()
    {
        StateDirectory.Open(StatePath).Value.Dispose();
        File.Delete(Path.Combine(StatePath, "keys", "master.key"));

        Result<StateDirectory> opened = StateDirectory.Open(StatePath);

        Assert.Equal(FaultCode.Corrupt, opened.Fault!.Code);
        Assert.Contains("restore", opened.Fault.Hint, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(Path.Combine(StatePath, "keys")));
    }

    [Fact]
    public void A_second_key_stands_behind_the_first_in_a_private_file()
    {
        using StateDirectory state = StateDirectory.Open(StatePath).Value;
        string first = Assert.Single(state.KeyIds().Value);

        string second = state.AddKey().Value;

        Assert.Equal([first, second], state.KeyIds().Value);
        Assert.Equal(PrivateFile, File.GetUnixFileMode(state.KeyPath));
        Assert.Equal(["master.key"], Directory.GetFiles(
            Path.Combine(StatePath, "keys")).Select(Path.GetFileName));
    }

    [Fact]
    public void Devices_in_use_are_remembered()
    {
        using (StateDirectory state = StateDirectory.Open(StatePath).Value)
        {
            Assert.Empty(state.DevicesInUse);
            Directory.CreateDirectory(Path.Combine(StatePath, "devices")); // As the default has it.
            Assert.Null(state.NoteDevicesInUse(["/b", "/a"]));
            Assert.Null(state.NoteDevicesInUse(["/a"]));
        }

        using StateDirectory again = StateDirectory.Open(StatePath).Value;
        Assert.Equal(["/a", "/b"], again.DevicesInUse.Order());
    }

    [Fact]
    public void Geometries_of_every_configuration_are_remembered()
    {
        using (StateDirectory state = StateDirectory.Open(StatePath).Value)
        {
            Assert.Null(state.NoteGeometries(Configuration("--redundancy", "6+6")));
            Assert.Null(state.NoteGeometries(Configuration("--stripe-bytes", "4096")));
        }

        File.AppendAllText(Path.Combine(StatePath, "geometries"), "a line that is none\n");
        using StateDirectory again = StateDirectory.Open(StatePath).Value;
        Assert.Equal(
            ["6+6 1048576", "8+4 4096"],
            again.Geometries.Select(known => $"{known.Redundancy.DataShards}+"
                + $"{known.Redundancy.ParityShards} {known.StripeBytes}").Order());
    }

    [Fact]
    public void The_first_start_makes_a_private_key_and_an_identity_and_the_next_keeps_them()
    {
        string id;
        string key;
        using (StateDirectory state = StateDirectory.Open(StatePath).Value)
        {
            id = state.Id;
            key = File.ReadAllText(state.KeyPath);
            Assert.Equal(PrivateFile, File.GetUnixFileMode(state.KeyPath));
            Assert.Equal(
                UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute,
                File.GetUnixFileMode(StatePath));
        }

        string[] parts = key.TrimEnd('\n').Split(' ');
        Assert.Equal("pangea-key-v1", parts[0]);
        byte[] secret = Convert.FromHexString(parts[2]);
        Assert.Equal(32, secret.Length);
        byte[] implied = HKDF.DeriveKey(
            HashAlgorithmName.SHA256, secret, 8, null, "pangea key id v1"u8.ToArray());
        Assert.Equal(Convert.ToHexStringLower(implied), parts[1]);

        using StateDirectory again = StateDirectory.Open(StatePath).Value;
        Assert.Equal(id, again.Id);
        Assert.Equal(key, File.ReadAllText(again.KeyPath));
    }

    [SkippableFact]
    public void The_catalog_directory_is_private_and_belongs_to_the_workers_user()
    {
        Skip.IfNot(UserAccount.IsRoot, "only root gives files away");
        UserAccount user = UserAccount.Find("7:8").Value;
        using StateDirectory state = StateDirectory.Open(StatePath).Value;
        using (OwnedFd first = state.OpenCatalog(null).Value)
        {
            FileStatus status = Files.Status(first).Value;
            Assert.Equal((0u, 0x1C0), (status.Uid, status.Mode));
        }

        // What another user left in it goes over to the new one with it.
        string file = Path.Combine(StatePath, "catalog", "data.mdb");
        File.WriteAllText(file, "x");
        using (OwnedFd second = state.OpenCatalog(user).Value)
        {
            FileStatus status = Files.Status(second).Value;
            Assert.Equal((7u, 8u, 0x1C0), (status.Uid, status.Gid, status.Mode));
        }

        using OwnedFd data = Files.Open(file, OpenFlags.Read).Value;
        Assert.Equal(7u, Files.Status(data).Value.Uid);
    }

    [Fact]
    public void Two_states_have_two_identities_and_two_keys()
    {
        using StateDirectory one = StateDirectory.Open(StatePath).Value;
        using StateDirectory two = StateDirectory.Open(StatePath + "2").Value;
        Assert.NotEqual(one.Id, two.Id);
        Assert.NotEqual(File.ReadAllText(one.KeyPath), File.ReadAllText(two.KeyPath));
    }

    [Fact]
    public void A_second_supervisor_is_refused_until_the_first_has_gone()
    {
        using (StateDirectory.Open(StatePath).Value)
        {
            Assert.Equal(FaultCode.Busy, StateDirectory.Open(StatePath).Fault?.Code);
        }

        using StateDirectory next = StateDirectory.Open(StatePath).Value;
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("not json")]
    [InlineData("{\"version\":2,\"id\":\"00000000000000000000000000000001\"}")]
    [InlineData("{\"version\":1,\"id\":\"short\"}")]
    [InlineData("{\"version\":1,\"id\":7}")]
    public void A_damaged_identity_is_reported_and_never_replaced(string text)
    {
        StateDirectory.Open(StatePath).Value.Dispose();
        string file = Path.Combine(StatePath, "state.json");
        File.WriteAllText(file, text);
        Assert.Equal(FaultCode.Corrupt, StateDirectory.Open(StatePath).Fault?.Code);
        Assert.Equal(text, File.ReadAllText(file));
    }

    [Fact]
    public void The_socket_is_private_taken_over_from_the_dead_and_never_from_the_living()
    {
        string path = Path.Combine(_directory.FullName, "run", "control.sock");
        using (ControlSocket socket = ControlSocket.Listen(path).Value)
        {
            Assert.Equal(PrivateFile, File.GetUnixFileMode(path));
            Assert.Equal(FaultCode.Busy, ControlSocket.Listen(path).Fault?.Code);
        }

        Assert.False(File.Exists(path));

        // What a killed supervisor leaves: the file without a listener and without a lock.
        UnixSocket.Listen(path, 0x180, 1).Value.Dispose();
        ControlSocket.Listen(path).Value.Dispose();

        // A listener that is no supervisor and holds no lock.
        using (UnixSocket other = UnixSocket.Listen(path, 0x180, 1).Value)
        {
            Assert.Equal(FaultCode.Busy, ControlSocket.Listen(path).Fault?.Code);
        }

        File.Delete(path);
        File.WriteAllText(path, "precious");
        Assert.Equal(FaultCode.Exists, ControlSocket.Listen(path).Fault?.Code);
        Assert.Equal("precious", File.ReadAllText(path));
    }

    [Fact]
    public void A_log_line_stays_one_line_whatever_its_values_are()
    {
        string line = EventLog.Format(
            new DateTime(2026, 1, 31, 12, 0, 0, DateTimeKind.Utc),
            "area.event",
            [
                ("n", 7),
                ("word", "plain"),
                ("text", "two words \"quoted\"\n"),
                ("none", null),
                ("empty", ""),
            ]);
        Assert.Equal(
            "2026-01-31T12:00:00.000Z area.event n=7 word=plain "
                + "text=\"two words \\\"quoted\\\"\\u000a\" empty=\"\"\n",
            line);
    }

    private static ApplianceConfiguration Configuration(params string[] arguments) =>
        ConfigurationSources.Load(arguments, _ => null).Value;
}
