using System.Diagnostics;

namespace Pangea.DataPlane.Storage.Tests.Log;

/// <summary>
/// A small file system or block device of a test's own; skips the test where only root could make
/// one.
/// </summary>
internal sealed class MountedPlace : IDisposable
{
    private readonly string[] _undo;
    private readonly TestDirectory _directory;

    private MountedPlace(string path, TestDirectory directory, params string[] undo)
    {
        Path = path;
        _directory = directory;
        _undo = undo;
    }

    internal string Path { get; }

    /// <summary>A tmpfs of so many MiB.</summary>
    internal static MountedPlace TmpFs(int mebibytes)
    {
        var directory = new TestDirectory();
        (int code, string output) = Run(
            "mount", "-t", "tmpfs", "-o", $"size={mebibytes}m", "tmpfs", directory.Path);
        if (code != 0)
        {
            directory.Dispose();
            Skip.If(true, $"a tmpfs cannot be mounted: {output}");
        }

        return new MountedPlace(directory.Path, directory, "umount", "-l", directory.Path);
    }

    /// <summary>A loop device over a sparse file of so many MiB.</summary>
    internal static MountedPlace LoopDevice(int mebibytes)
    {
        var directory = new TestDirectory();
        string image = System.IO.Path.Combine(directory.Path, "image");
        using (FileStream file = File.Create(image))
        {
            file.SetLength(mebibytes * 1024L * 1024);
        }

        (int code, string output) = Run("losetup", "--find", "--show", image);
        if (code != 0)
        {
            directory.Dispose();
            Skip.If(true, $"a loop device cannot be made: {output}");
        }

        string device = output.Trim();
        return new MountedPlace(device, directory, "losetup", "-d", device);
    }

    public void Dispose()
    {
        Run(_undo[0], _undo[1..]);
        _directory.Dispose();
    }

    private static (int Code, string Output) Run(string program, params string[] arguments)
    {
        try
        {
            using Process process = Process.Start(new ProcessStartInfo(program, arguments)
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            })!;
            string output = process.StandardOutput.ReadToEnd()
                + process.StandardError.ReadToEnd();
            process.WaitForExit();
            return (process.ExitCode, output);
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            return (-1, e.Message);
        }
    }
}
