using System.Globalization;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Reactor;
using Pangea.DataPlane.Supervisor.Configuration;

namespace Pangea.DataPlane.Supervisor.Privilege;

/// <summary>
/// Whether the program that is installed now would go on in this one's place: it is started beside
/// us, reads the configuration, and ends. An exec has no way back.
/// </summary>
internal static class ProgramCheck
{
    /// <summary>Names the manifest's descriptor on the command line.</summary>
    public const string Option = "--check";

    private const string ConfigurationText = "configuration";
    private const string RootText = "startedByRoot";
    private const int ManifestFd = 3;
    private static readonly TimeSpan s_timeMax = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(10);

    /// <summary>Null where it would.</summary>
    public static async ValueTask<Fault?> RunAsync(
        IReactor reactor, ApplianceConfiguration configuration, IPrivilegedSteps steps)
    {
        ApplicationFiles files = ApplicationFiles.Current;
        Result<ChildProcess> started = Start(files, configuration, steps);
        if (!started.IsOk)
        {
            return started.Fault;
        }

        using ChildProcess child = started.Value;
        long deadline = Environment.TickCount64 + (long)s_timeMax.TotalMilliseconds;
        ExitStatus? status;
        while ((status = child.TryReap()) is null && Environment.TickCount64 < deadline)
        {
            await reactor.DelayAsync(s_look);
        }

        if (status is null)
        {
            child.Kill(ChildProcess.SigKill);
            await reactor.DelayAsync(s_look);
            _ = child.TryReap();
        }

        return status is { Code: 0 }
            ? null
            : new Fault(
                FaultCode.BadState,
                $"the program {files.Program} would not go on: "
                    + (status?.ToString() ?? $"no end within {s_timeMax.TotalSeconds:0} s"),
                "nothing has changed; the log says why");
    }

    /// <summary>The other side: reads the configuration as it would be, and ends.</summary>
    public static Fault? Answer(string[] arguments, string manifest)
    {
        Result<Inheritance> read = Inheritance.Read(manifest);
        if (!read.IsOk)
        {
            return read.Fault;
        }

        string? text = read.Value.Text(ConfigurationText);
        var context = new ConfigurationContext(
            read.Value.Text(PrivilegeDrop.WorkingDirectoryText) ?? "/",
            read.Value.Text(RootText) is not null,
            path => text is not null ? text : ConfigurationFile.ReadText(path));
        return ConfigurationSources.Load(
            arguments, Environment.GetEnvironmentVariable, context).Fault;
    }

    private static Result<ChildProcess> Start(
        ApplicationFiles files, ApplianceConfiguration configuration, IPrivilegedSteps steps)
    {
        var inheritance = new Inheritance();
        inheritance.Add(
            PrivilegeDrop.WorkingDirectoryText, configuration.WorkingDirectory);
        if (steps.StartedByRoot)
        {
            inheritance.Add(RootText, "yes");
        }

        if (configuration.FilePath is { } path)
        {
            Result<string> text = steps.ReadConfiguration(path);
            if (!text.IsOk)
            {
                return text.Fault;
            }

            inheritance.Add(ConfigurationText, text.Value);
        }

        Result<OwnedFd> manifest = inheritance.Write();
        Result<OwnedFd> nothing = Files.Open("/dev/null", OpenFlags.Read);
        if (!manifest.IsOk || !nothing.IsOk)
        {
            return manifest.Fault ?? nothing.Fault!;
        }

        using OwnedFd written = manifest.Value;
        using OwnedFd input = nothing.Value;
        using OwnedFd log = OwnedFd.Borrow(2);
        return ChildProcess.Start(
            files.Program,
            [
                .. files.LeadingArguments, "supervise", .. configuration.Arguments, Option,
                ManifestFd.ToString(CultureInfo.InvariantCulture),
            ],
            PrivilegeDrop.Environment(files),
            [new(input, 0), new(log, 1), new(log, 2), new(written, ManifestFd)]);
    }
}
