using System.Text.Json;

namespace Pangea.DataPlane.Appliance.Tests;

/// <summary>
/// Goal: keys rotate and classes are configured through the real processes. Method: the commands,
/// with restarts in between.
/// </summary>
public sealed class KeyAndClassTests
{
    [Fact]
    public void A_rotated_key_serves_new_objects_and_old_ones_stay_readable_over_restarts()
    {
        using Appliance appliance = Appliance.Start();
        string file = Write(appliance, "file", "some content");
        string first = Current(appliance);
        Assert.Equal(0, appliance.Run("put", file, "--name", "old").ExitCode);

        CommandResult rotated = appliance.Run("key", "rotate");

        Assert.True(rotated.ExitCode == 0, rotated.Error);
        string second = Current(appliance);
        Assert.NotEqual(first, second);
        Assert.Contains(second, rotated.Output, StringComparison.Ordinal);
        Assert.Equal(0, appliance.Run("put", file, "--name", "new").ExitCode);
        Assert.Equal(first, KeyOf(appliance, "old"));
        Assert.Equal(second, KeyOf(appliance, "new"));

        Appliance.Signal(appliance.WorkerPid(), "KILL");
        appliance.WaitUntilReady();
        Assert.Equal("some content", appliance.Run("get", "old", "--output", "-").Output);
        Assert.Equal(0, appliance.Stop());
        appliance.StartSupervisor();
        appliance.WaitUntilReady();
        Assert.Equal("some content", appliance.Run("get", "old", "--output", "-").Output);
        Assert.Equal("some content", appliance.Run("get", "new", "--output", "-").Output);
        Assert.Equal(0, appliance.Run("put", file, "--name", "later").ExitCode);
        Assert.Equal(second, KeyOf(appliance, "later"));

        string keyFile = Path.Combine(appliance.StatePath, "keys", "master.key");
        string[] secrets = [.. File.ReadLines(keyFile).Select(line => line.Split(' ')[2])];
        Assert.Equal(2, secrets.Length);
        Assert.All(secrets, secret => Assert.DoesNotContain(
            secret, appliance.Log + rotated.Output + appliance.Run("key", "list").Output,
            StringComparison.Ordinal));
        Assert.Equal(
            UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(keyFile));
    }

    [Fact]
    public void A_class_of_the_configuration_keeps_its_objects_as_it_says()
    {
        using Appliance appliance = Appliance.Create(["--config", "pangea.yaml"]);
        string configuration = Path.Combine(appliance.Directory, "pangea.yaml");
        File.WriteAllText(
            configuration,
            "storage:\n  redundancy: 8+4\n  classes:\n    cold:\n      redundancy: 10+2\n"
                + "      stripeMiB: 2\n      compression: archive\n");
        appliance.StartSupervisor();
        appliance.WaitUntilReady();
        string file = Write(appliance, "file", new string('x', 100_000));

        Assert.Equal(0, appliance.Run("put", file, "--name", "a", "--class", "cold").ExitCode);
        JsonElement stat = Json(appliance.Run("stat", "a", "--json").Output);
        Assert.Equal(10, stat.GetProperty("redundancy").GetProperty("dataShards").GetInt32());
        Assert.Equal(2 << 20, stat.GetProperty("stripeBytes").GetInt32());
        CommandResult unknown = appliance.Run("put", file, "--name", "b", "--class", "warm");
        Assert.Equal(2, unknown.ExitCode);
        Assert.Contains("cold, default", unknown.Error, StringComparison.Ordinal);

        // The class goes; its objects stay.
        Assert.Equal(0, appliance.Stop());
        File.WriteAllText(configuration, "storage:\n  redundancy: 6+6\n");
        appliance.StartSupervisor();
        appliance.WaitUntilReady();
        Assert.Equal(100_000, appliance.Run("get", "a", "--output", "-").Output.Length);
    }

    private static string Write(Appliance appliance, string name, string content)
    {
        string path = Path.Combine(appliance.Directory, name);
        File.WriteAllText(path, content);
        return path;
    }

    private static string Current(Appliance appliance) =>
        Json(appliance.Run("key", "list", "--json").Output).GetProperty("current").GetString()!;

    private static string KeyOf(Appliance appliance, string name) =>
        Json(appliance.Run("stat", name, "--json").Output).GetProperty("keyId").GetString()!;

    private static JsonElement Json(string text) => JsonDocument.Parse(text).RootElement;
}
