using System.CommandLine;
using System.Text;
using System.Text.Json;
using Pangea.DataPlane.Control.Connection;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Control.Wire;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Cli.Commands;

/// <summary><c>pangea version</c>, <c>rpc</c> and <c>supervise</c>.</summary>
internal static class SystemCommands
{
    public static Verb CreateVersion(GlobalOptions options) =>
        new Verb("version", "Show the version of this tool and of the running appliance")
        {
            Examples = ["pangea version"],
        }.WithFormat(options).Does(options, Version);

    public static Verb CreateRpc(GlobalOptions options)
    {
        var method = new Argument<string>("METHOD")
        {
            Description = "Name of the method; rpc.discover lists them",
        };
        var parameters = new Argument<string?>("JSON")
        {
            Description = "Parameters as a JSON object; - reads standard input",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var descriptors = new Option<int[]>("--fd")
        {
            Description = "Pass this open descriptor of the shell with the call; may be repeated",
            HelpName = "N",
        };
        return new Verb("rpc", "Make any call of the control socket and print its result as JSON")
        {
            Arguments = { method, parameters },
            Options = { descriptors },
            Examples =
            [
                "pangea rpc rpc.discover",
                "pangea rpc object.list '{\"prefix\":\"2026/\",\"limit\":10}'",
                "pangea rpc object.put '{\"name\":\"x\"}' --fd 3 3< file",
            ],
        }.Does(options, context => Rpc(
            context,
            context.Parsed.GetRequiredValue(method),
            context.Parsed.GetValue(parameters),
            context.Parsed.GetValue(descriptors) ?? []));
    }

    /// <summary>
    /// Only for the list of commands and for help: the host runs the verb itself, with the
    /// arguments as they were typed (see <see cref="PangeaCommandLine.Run"/>).
    /// </summary>
    public static Verb CreateSupervise(RoleVerbs roles)
    {
        var verb = new Verb("supervise", "Run the appliance in the foreground")
        {
            Examples =
            [
                "pangea supervise",
                "pangea supervise --state ./var --socket ./var/control.sock",
                "pangea supervise --config /etc/pangea/pangea.yaml",
            ],
        };
        foreach ((string option, string doc) in roles.SuperviseOptions)
        {
            string[] words = option.Split(' ', 2);
            if (words[0] == "--socket")
            {
                continue;
            }

            verb.Options.Add(words.Length == 2
                ? new Option<string?>(words[0]) { Description = doc, HelpName = words[1] }
                : new Option<bool>(words[0]) { Description = doc });
        }

        return verb;
    }

    private static int Version(CommandContext context)
    {
        Result<RpcClient> connected = context.TryConnect();
        Result<SystemVersionResult> appliance = connected.IsOk
            ? connected.Value.Call(RpcMethods.SystemVersion, Nothing.Value)
            : connected.Fault;
        if (connected.IsOk)
        {
            connected.Value.Dispose();
        }

        SystemVersionResult tool = BuildIdentity.Describe();
        if (context.IsJson)
        {
            string text = JsonSerializer.Serialize(tool, ControlJson.Default.SystemVersionResult);
            string running = appliance.IsOk
                ? JsonSerializer.Serialize(appliance.Value, ControlJson.Default.SystemVersionResult)
                : "null";
            context.Out.WriteLine($"{{\"tool\":{text},\"appliance\":{running}}}");
            return ExitCodes.Ok;
        }

        context.Out.WriteLine(
            $"pangea {tool.Version} ({tool.Commit}), {tool.Runtime}, Linux {tool.Kernel}");
        context.Out.WriteLine(appliance.IsOk
            ? $"appliance {appliance.Value.Version} ({appliance.Value.Commit}), " +
                $"{appliance.Value.Runtime}, " +
                $"protocol {appliance.Value.Protocol}"
            : $"appliance: none answers on {context.SocketPath}");
        return ExitCodes.Ok;
    }

    private static int Rpc(
        CommandContext context, string method, string? parameters, int[] descriptors)
    {
        string text = parameters == "-" ? Console.In.ReadToEnd() : parameters ?? "{}";

        // A line break inside the text would end the line of the protocol.
        byte[] json = Encoding.UTF8.GetBytes(text.ReplaceLineEndings(" "));
        if (JsonText.Check(json) is { } reason)
        {
            return context.Fail(Fault.InvalidParameter("params", $"the parameters are {reason}"));
        }

        if (context.Connect() is not { } client)
        {
            return ExitCodes.NotReachable;
        }

        OwnedFd[] passing = [.. descriptors.Select(OwnedFd.Borrow)];
        foreach (OwnedFd descriptor in passing)
        {
            if (Files.Status(descriptor).Fault is { } closed)
            {
                return context.FailFile(
                    closed with { Hint = $"open it in the shell: {descriptor.Number}< FILE" });
            }
        }

        using var interruption = new Interruption(context.Err);
        Result<RpcMessage> reply = client.CallRaw(method, json, passing, notification =>
            context.Err.WriteLine(Encoding.UTF8.GetString(notification.Line.Span)));
        Fault? fault = reply.IsOk ? RpcErrors.Read(reply.Value) : reply.Fault;
        if (fault is not null)
        {
            return context.Fail(fault);
        }

        context.Out.WriteLine(Encoding.UTF8.GetString(reply.Value.Body.Span));
        return ExitCodes.Ok;
    }
}
