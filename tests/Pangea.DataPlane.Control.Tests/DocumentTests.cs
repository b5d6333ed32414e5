using Pangea.DataPlane.Cli;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Control.Tests.Cli;

namespace Pangea.DataPlane.Control.Tests;

/// <summary>Goal: the documents say what the code does.</summary>
public sealed class DocumentTests
{
    [Fact]
    public void The_protocol_reference_is_what_the_table_says() =>
        Golden.Check(Golden.Repository("docs/RPC.md"), RpcReference.Write());

    [Fact]
    public void The_command_reference_holds_every_exit_code_and_command()
    {
        string text = File.ReadAllText(Golden.Repository("docs/cli.md"));
        int[] codes =
        [
            ExitCodes.Ok, ExitCodes.Failed, ExitCodes.Usage, ExitCodes.NotFound, ExitCodes.Exists,
            ExitCodes.Unavailable, ExitCodes.NotReachable, ExitCodes.NoSpace, ExitCodes.TryAgain,
            ExitCodes.Corrupt, ExitCodes.BadFile, ExitCodes.Interrupted,
        ];
        Assert.All(codes, code => Assert.Contains($"\n| {code} | ", text));
        Assert.All(
            CommandLineTests.Commands.Where(c => c.Length > 0),
            command => Assert.Contains($"pangea {command}", text));
    }
}
