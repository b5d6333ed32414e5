using Pangea.DataPlane.Control.Schema;

namespace Pangea.DataPlane.Cli.Commands;

/// <summary><c>pangea key list</c> and <c>pangea key rotate</c>: ids only, never secrets.</summary>
internal static class KeyCommands
{
    public static Verb Create(GlobalOptions options)
    {
        Verb list = new Verb("list", "List the master keys by id")
        {
            Examples = ["pangea key list"],
        }.WithFormat(options).Does(options, context => context.CallAndPrint(
            RpcMethods.KeyList,
            Nothing.Value,
            keys => Print(context.Out, keys)));
        Verb rotate = new Verb("rotate", "Make a new master key for new objects")
        {
            Examples = ["pangea key rotate"],
        }.WithFormat(options).Does(options, context => context.CallAndPrint(
            RpcMethods.KeyRotate,
            Nothing.Value,
            keys => context.Out.WriteLine(
                $"New objects use key {keys.Current}; objects of the {keys.Keys.Count - 1} "
                    + "older keys stay readable.")));
        return new Verb("key", "Look at the master keys and rotate them")
        {
            Subcommands = { list, rotate },
            Examples = ["pangea key list", "pangea key rotate"],
        };
    }

    private static void Print(TextWriter output, KeyListResult keys)
    {
        foreach (string id in keys.Keys)
        {
            output.WriteLine(id == keys.Current ? $"{id}  current" : id);
        }
    }
}
