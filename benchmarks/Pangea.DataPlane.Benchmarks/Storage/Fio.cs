using System.ComponentModel;
using System.Globalization;
using System.Text.Json;

using Pangea.DataPlane.Benchmarks.Appliance;

namespace Pangea.DataPlane.Benchmarks.Storage;

/// <summary>
/// The rival: fio of the distribution with its io_uring engine, registered buffers and files.
/// </summary>
internal static class Fio
{
    /// <summary>"fio-3.33"; null where it is not installed.</summary>
    internal static string? Version { get; } = ReadVersion();

    /// <summary>Runs one job for so long and returns what it reached.</summary>
    /// <param name="file">The file; for several jobs a pattern with <c>$jobnum</c>.</param>
    /// <param name="fileBytes">Length of each file.</param>
    /// <param name="time">How long.</param>
    /// <param name="arguments">Direction, block size, depth and what else makes the case.</param>
    internal static IoFigures Run(
        string file, long fileBytes, TimeSpan time, params string[] arguments)
    {
        string[] all =
        [
            "--name=rival",
            $"--filename={file}",
            $"--size={fileBytes.ToString(CultureInfo.InvariantCulture)}",
            "--ioengine=io_uring",
            "--fixedbufs",
            "--registerfiles",
            "--direct=1",
            "--overwrite=1",
            "--fallocate=none",
            "--time_based",
            $"--runtime={(int)time.TotalMilliseconds}ms",
            "--output-format=json",
            "--group_reporting",
            .. arguments,
        ];
        (int code, string output, TimeSpan _) = RunningAppliance.Execute("fio", all);
        if (code != 0)
        {
            throw new InvalidOperationException($"fio ended with {code}: {output}");
        }

        // Some versions print a line of text before the object.
        using JsonDocument document = JsonDocument.Parse(output[output.IndexOf('{')..]);
        JsonElement job = document.RootElement.GetProperty("jobs")[0];
        JsonElement read = job.GetProperty("read");
        JsonElement write = job.GetProperty("write");
        JsonElement busy = read.GetProperty("total_ios").GetInt64() > 0 ? read : write;
        double seconds = busy.GetProperty("runtime").GetDouble() / 1000;
        double operations = busy.GetProperty("total_ios").GetDouble();
        double percent = job.GetProperty("usr_cpu").GetDouble()
            + job.GetProperty("sys_cpu").GetDouble();
        return new IoFigures(
            operations / seconds,
            busy.GetProperty("io_bytes").GetDouble() / seconds,
            percent / 100 * job.GetProperty("job_runtime").GetDouble() * 1000 / operations);
    }

    private static string? ReadVersion()
    {
        try
        {
            return RunningAppliance.Execute("fio", ["--version"]).Output.Trim();
        }
        catch (Win32Exception)
        {
            return null;
        }
    }
}
