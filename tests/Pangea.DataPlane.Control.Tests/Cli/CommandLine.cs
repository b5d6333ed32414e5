using Pangea.DataPlane.Cli;

namespace Pangea.DataPlane.Control.Tests.Cli;

/// <summary>One run of the tool in this process.</summary>
internal sealed record CommandLine(int ExitCode, string Output, string Error)
{
    public static readonly RoleVerbs Roles = new()
    {
        Supervise = _ => 100,
        SuperviseOptions = [("--state DIR", "Directory of keys, state and default devices")],
    };

    public static CommandLine Run(params string[] args)
    {
        var output = new StringWriter();
        var error = new StringWriter();
        int exitCode = PangeaCommandLine.Run(args, Roles, output, error);
        return new CommandLine(exitCode, output.ToString(), error.ToString());
    }

    public static CommandLine Run(FakeAppliance appliance, params string[] args) =>
        Run([.. args, "--socket", appliance.SocketPath]);
}
