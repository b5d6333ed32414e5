using System.CommandLine;
using System.Diagnostics;
using Pangea.DataPlane.Cli.Text;
using Pangea.DataPlane.Cli.Transfer;
using Pangea.DataPlane.Control.Connection;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Cli.Commands;

/// <summary>
/// <c>pangea put FILE</c>: hands the open file to the appliance; no byte passes through here.
/// </summary>
internal static class PutCommand
{
    public static Verb Create(GlobalOptions options)
    {
        var file = new Argument<string>("FILE")
        {
            Description = "File to store; - reads standard input",
        };
        var name = new Option<string?>("--name", "-n")
        {
            Description = "Name of the object (default: the file's name)",
            HelpName = "NAME",
        };
        var noClobber = new Option<bool>("--no-clobber")
        {
            Description = "Refuse when the name is taken instead of replacing the object",
        };
        var kind = new Option<string?>("--class", "-c")
        {
            Description = "Object class of the configuration (default: default)",
            HelpName = "CLASS",
        };
        var bytes = new Option<long?>("--bytes")
        {
            Description = "Exact length expected; a pipe that ends early is refused",
            HelpName = "N",
        };
        var ttl = new Option<string?>("--ttl")
        {
            Description = "The object goes this long after its last put or get, such as 12h or 7d",
            HelpName = "TIME",
        };
        return new Verb("put", "Store a file as an object")
        {
            Arguments = { file },
            Options = { name, noClobber, kind, bytes, ttl },
            Examples =
            [
                "pangea put report.pdf",
                "pangea put report.pdf --name 2026/report.pdf --no-clobber",
                "tar -c photos | pangea put - --name photos.tar",
                "pangea put logs.tar --class archive",
                "pangea put build.tar --ttl 7d",
            ],
        }.WithFormat(options).Does(options, context => Run(
            context,
            context.Parsed.GetRequiredValue(file),
            context.Parsed.GetValue(name),
            context.Parsed.GetValue(ttl),
            new ObjectPutParameters
            {
                Name = string.Empty,
                NoClobber = context.Parsed.GetValue(noClobber),
                Class = context.Parsed.GetValue(kind),
                Bytes = context.Parsed.GetValue(bytes),
            }));
    }

    private static int Run(
        CommandContext context,
        string path,
        string? name,
        string? ttl,
        ObjectPutParameters asked)
    {
        if (ttl is not null)
        {
            Result<long> seconds = TimeSpanText.ParseSeconds(ttl);
            if (!seconds.IsOk)
            {
                return context.Fail(seconds.Fault);
            }

            asked = asked with { TtlSeconds = seconds.Value };
        }

        name ??= path == "-" ? null : Path.GetFileName(path);
        if (string.IsNullOrEmpty(name))
        {
            return context.Fail(Fault.InvalidParameter(
                "name", $"'{path}' does not say how the object is named", "add --name NAME"));
        }

        Result<LocalSource> opened = LocalSource.Open(path);
        if (!opened.IsOk)
        {
            return context.FailFile(opened.Fault);
        }

        using LocalSource source = opened.Value;
        using var interruption = new Interruption(context.Err);
        if (context.Connect() is not { } client)
        {
            return ExitCodes.NotReachable;
        }

        bool progress = TransferProgress.IsShown(context);
        ObjectPutParameters parameters = asked with { Name = name, Progress = progress };
        long started = Stopwatch.GetTimestamp();
        Result<ObjectPutResult> result = TransferProgress.Run(
            progress,
            name,
            source.Bytes,
            onNotification => client.Call(
                RpcMethods.ObjectPut, parameters, [source.File], onNotification));
        if (!result.IsOk)
        {
            return context.Fail(result.Fault);
        }

        Print(context, result.Value, Stopwatch.GetElapsedTime(started));
        return ExitCodes.Ok;
    }

    private static void Print(CommandContext context, ObjectPutResult put, TimeSpan time)
    {
        if (context.IsJson)
        {
            context.PrintJson(put, ControlJson.Default.ObjectPutResult);
            return;
        }

        context.Out.WriteLine(
            $"{(put.Replaced ? "replaced" : "stored")} {FaultReport.Printable(put.Name)}: " +
            $"{Quantities.Size(put.Bytes)} in {Quantities.Duration(time)} " +
            $"({Quantities.Rate(put.Bytes, time)}), {Quantities.Size(put.StoredBytes)} on " +
            $"{put.DevicesCommitted} of {put.DevicesTotal} devices" +
            (put.Expires is { } expires ? $", until {Quantities.Time(expires)}" : ""));
        if (put.DevicesCommitted < put.DevicesTotal)
        {
            context.Err.WriteLine(
                "pangea: some devices did not take their shards; see 'pangea status'");
        }
    }
}
