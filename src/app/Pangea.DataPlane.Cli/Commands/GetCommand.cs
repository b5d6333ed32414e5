using System.CommandLine;
using System.Diagnostics;
using Pangea.DataPlane.Cli.Text;
using Pangea.DataPlane.Cli.Transfer;
using Pangea.DataPlane.Control.Connection;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Cli.Commands;

/// <summary>
/// <c>pangea get NAME</c>: hands an open file to the appliance, which writes the object to it.
/// </summary>
internal static class GetCommand
{
    public static Verb Create(GlobalOptions options)
    {
        var name = new Argument<string>("NAME") { Description = "Name of the object" };
        var output = new Option<string?>("--output", "-o")
        {
            Description =
                "File or directory to write to, replacing a file; - writes to standard output " +
                "(default: the last part of NAME, in this directory, if that is free)",
            HelpName = "FILE|-",
        };
        var range = new Option<string?>("--range")
        {
            Description = "Only these bytes: 0-99 (the first hundred), 100- or -100 (the last)",
            HelpName = "A-B",
        };
        return new Verb("get", "Fetch an object into a file")
        {
            Arguments = { name },
            Options = { output, range },
            Examples =
            [
                "pangea get report.pdf",
                "pangea get 2026/report.pdf -o /tmp/copy.pdf",
                "pangea get photos.tar -o - | tar -x",
                "pangea get video.mp4 --range 0-1048575 -o start.mp4",
            ],
        }.Does(options, context => Run(
            context,
            new ObjectGetParameters { Name = context.Parsed.GetRequiredValue(name) },
            context.Parsed.GetValue(output),
            context.Parsed.GetValue(range)));
    }

    private static int Run(
        CommandContext context, ObjectGetParameters asked, string? output, string? range)
    {
        if (range is not null)
        {
            Result<ByteRange> parsed = ByteRange.Parse(range);
            if (!parsed.IsOk)
            {
                return context.Fail(parsed.Fault);
            }

            asked = asked with { Offset = parsed.Value.Offset, Length = parsed.Value.Length };
        }

        // Before anything is created: a get that cannot work leaves the directory as it was.
        if (context.Connect() is not { } client)
        {
            return ExitCodes.NotReachable;
        }

        using var interruption = new Interruption(context.Err);
        Result<LocalTarget> opened = default;
        interruption.Step(() =>
        {
            opened = LocalTarget.Open(output, asked.Name);
            return opened.IsOk ? opened.Value.Abandon : null;
        });
        if (!opened.IsOk)
        {
            return context.FailFile(opened.Fault);
        }

        using LocalTarget target = opened.Value;
        long started = Stopwatch.GetTimestamp();
        bool progress = TransferProgress.IsShown(context);
        ObjectGetParameters parameters = asked with { Progress = progress };
        Result<ObjectGetResult> result = TransferProgress.Run(
            progress,
            asked.Name,
            bytesTotal: null,
            onNotification => client.Call(
                RpcMethods.ObjectGet, parameters, [target.File], onNotification));
        TimeSpan time = Stopwatch.GetElapsedTime(started);
        Fault? localFault = null;
        interruption.Step(() =>
        {
            localFault = result.IsOk ? target.Commit() : null;
            if (!result.IsOk || localFault is not null)
            {
                target.Abandon();
            }

            return null;
        });
        if (!result.IsOk || localFault is not null)
        {
            return result.IsOk ? context.FailFile(localFault!) : context.Fail(result.Fault);
        }

        Print(context, target, result.Value, time, toStandardOutput: output == "-");
        return ExitCodes.Ok;
    }

    private static void Print(
        CommandContext context,
        LocalTarget target,
        ObjectGetResult got,
        TimeSpan time,
        bool toStandardOutput)
    {
        // Standard output carries the object itself; what there is to say goes beside it.
        TextWriter writer = toStandardOutput ? context.Err : context.Out;
        if (context.IsJson)
        {
            string json = System.Text.Json.JsonSerializer.Serialize(
                got, ControlJson.Default.ObjectGetResult);
            writer.WriteLine(json);
            return;
        }

        long bytes = got.Length ?? got.Bytes;
        if (!toStandardOutput)
        {
            writer.WriteLine(
                $"fetched {FaultReport.Printable(got.Name)} to {target.Shown}: " +
                $"{Quantities.Size(bytes)} in {Quantities.Duration(time)} " +
                $"({Quantities.Rate(bytes, time)})");
        }

        if (got.StripesRepaired > 0)
        {
            context.Err.WriteLine(
                $"pangea: {Quantities.Count(got.StripesRepaired)} of " +
                $"{Quantities.Count(got.Stripes)} stripes were restored from parity, " +
                $"{Quantities.Count(got.ShardsLost)} shards are missing or damaged");
        }
    }
}
