namespace Pangea.DataPlane.Appliance.Tests;

/// <summary>A new configuration for a running appliance: all of it, or nothing.</summary>
public sealed class ReloadTests
{
    [Fact]
    public void Each_change_comes_as_far_as_it_can_without_a_start()
    {
        using Appliance appliance = Start(out string file, "workers: {stallSeconds: 10}");
        int before = appliance.WorkerPid();
        Write(file, "workers: {stallSeconds: 11}");
        Assert.Equal(
            [("workers.stallSeconds", "now")],
            Changes(appliance.Run("config", "reload", "--json")));
        Assert.Equal(before, appliance.WorkerPid());

        Write(file, "workers: {stallSeconds: 11}\nstorage: {compression: none}");
        Assert.Equal(
            [("storage.compression", "worker")],
            Changes(appliance.Run("config", "reload", "--json")));
        Assert.NotEqual(before, appliance.WorkerPid());
        Assert.Equal(0, appliance.Run("ls").ExitCode);
        Assert.Empty(Changes(appliance.Run("config", "reload", "--json")));
        Assert.Contains("worker.restart", appliance.Log);
        Assert.DoesNotContain("worker.lost", appliance.Log);
    }

    [Fact]
    public void A_wrong_file_changes_nothing_and_says_where_it_is_wrong()
    {
        using Appliance appliance = Start(out string file, "workers: {stallSeconds: 10}");
        int before = appliance.WorkerPid();
        Write(file, "workers: {stallSeconds: 11}\nstorage:\n  compresion: none\n");
        CommandResult refused = appliance.Run("config", "reload");
        Assert.Equal(2, refused.ExitCode);
        Assert.Contains($"{file}:3:3: unknown key \"compresion\"", refused.Error);

        // The signal means the same, and the log says it.
        Appliance.Signal(appliance.SupervisorPid, "HUP");
        appliance.WaitFor(
            "second refusal", () => appliance.Log.Split("config.refused").Length == 3);
        Assert.Contains(":3:3:", appliance.Log);
        Assert.Equal(before, appliance.WorkerPid());

        Write(file, "workers: {stallSeconds: 12}");
        Appliance.Signal(appliance.SupervisorPid, "HUP");
        appliance.WaitFor(
            "reload", () => appliance.Log.Contains("changes=\"workers.stallSeconds (now)\""));
        File.Delete(file);
        Assert.Equal(3, appliance.Run("config", "reload").ExitCode);
        Assert.Equal(0, appliance.Run("ls").ExitCode);
    }

    [Fact]
    public void A_redundancy_with_too_few_devices_is_refused_and_the_old_one_serves()
    {
        using Appliance appliance = Start(out string file, "storage: {durability: quorum}");
        Write(
            file,
            $"storage:\n  redundancy: 4+2\n  devices: [{string.Join(
                ", ", Enumerable.Range(0, 3).Select(appliance.DevicePath))}]");
        CommandResult refused = appliance.Run("config", "reload");
        Assert.Equal(2, refused.ExitCode);
        Assert.Contains("devices", refused.Error);
        Assert.Equal(0, appliance.Run("ls").ExitCode);
    }

    /// <summary>Nobody believes that something runs where nothing does.</summary>
    [Fact]
    public void A_role_without_workers_that_is_given_cores_is_told()
    {
        using Appliance appliance = Start(out string file, "workers: {relay: {cores: auto}}");
        Assert.Contains("role.reserved role=relay cores=", appliance.Log);
        Assert.Contains("no worker has this role yet", appliance.Log);
        Assert.DoesNotContain("role=gateway", appliance.Log);
        Write(file, "workers: {gateway: {cores: auto}}");
        Assert.Equal(0, appliance.Run("config", "reload").ExitCode);
        appliance.WaitFor(
            "second remark", () => appliance.Log.Contains("role.reserved role=gateway cores="));
    }

    private static Appliance Start(out string file, string text)
    {
        Appliance appliance = Appliance.Create();
        file = Path.Combine(appliance.Directory, "pangea.yaml");
        Write(file, text);
        appliance.StartSupervisor("--config", file);
        appliance.WaitUntilReady();
        return appliance;
    }

    private static void Write(string file, string text) => File.WriteAllText(file, text);

    private static List<(string Key, string Effect)> Changes(CommandResult result)
    {
        Assert.True(result.ExitCode == 0, result.Error);
        using var document = System.Text.Json.JsonDocument.Parse(result.Output);
        return
        [
            .. document.RootElement.GetProperty("changes").EnumerateArray().Select(each => (
                each.GetProperty("key").GetString()!, each.GetProperty("effect").GetString()!)),
        ];
    }
}
