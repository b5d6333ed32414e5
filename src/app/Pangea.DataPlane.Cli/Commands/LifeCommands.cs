using System.CommandLine;
using Pangea.DataPlane.Cli.Text;
using Pangea.DataPlane.Control.Schema;
using Spectre.Console;

namespace Pangea.DataPlane.Cli.Commands;

/// <summary><c>pangea config</c> and <c>pangea upgrade</c>.</summary>
internal static class LifeCommands
{
    public static Verb CreateConfig(GlobalOptions options)
    {
        Verb reload = new Verb("reload", "Read the configuration again and apply what changed")
        {
            Examples = ["pangea config reload"],
        }.WithFormat(options).Does(options, context => context.CallAndPrint(
            LifeMethods.ConfigReload,
            Nothing.Value,
            result => PrintChanges(context.Out, result.Changes)));
        return new Verb("config", "Change the configuration of a running appliance")
        {
            Subcommands = { reload },
            Examples = ["pangea config reload"],
        };
    }

    public static Verb CreateUpgrade(GlobalOptions options) =>
        new Verb("upgrade", "Go on with the program that is installed now; calls wait for it")
        {
            Examples = ["pangea upgrade"],
        }.WithFormat(options).Does(options, context => context.CallAndPrint(
            LifeMethods.SystemUpgrade,
            Nothing.Value,
            done => context.Out.WriteLine(
                $"{done.Program} goes on"
                    + (done.Drained ? "" : "; calls that took too long have failed"))));

    private static void PrintChanges(
        TextWriter output, IReadOnlyList<ConfigurationChange> changes)
    {
        if (changes.Count == 0)
        {
            output.WriteLine("nothing has changed");
            return;
        }

        Table table = Tables.Make("KEY", "EFFECT");
        foreach (ConfigurationChange change in changes)
        {
            table.Add(change.Key, change.Effect switch
            {
                "now" => "now",
                "worker" => "now, by a restart of the worker",
                _ => "not before the appliance is started anew",
            });
        }

        Tables.Print(table, output);
    }
}
