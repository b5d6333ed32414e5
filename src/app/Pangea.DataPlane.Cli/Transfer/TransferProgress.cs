using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Control.Wire;
using Pangea.DataPlane.Core;
using Spectre.Console;

namespace Pangea.DataPlane.Cli.Transfer;

/// <summary>
/// A progress bar on standard error while a transfer runs; nothing at all where that is no
/// terminal.
/// </summary>
internal static class TransferProgress
{
    /// <summary>True where a bar would be seen.</summary>
    public static bool IsShown(CommandContext context) =>
        !context.IsJson
            && !Console.IsErrorRedirected
            && Environment.GetEnvironmentVariable("TERM") != "dumb";

    /// <summary>Runs the call; the function gets what to do with its notifications.</summary>
    /// <param name="shown">Whether to show a bar.</param>
    /// <param name="title">What is transferred.</param>
    /// <param name="bytesTotal">Where it is known beforehand.</param>
    /// <param name="call">Makes the call and waits for its reply.</param>
    public static Result<T> Run<T>(
        bool shown, string title, long? bytesTotal, Func<Action<RpcMessage>?, Result<T>> call)
    {
        if (!shown)
        {
            return call(null);
        }

        IAnsiConsole console = AnsiConsole.Create(
            new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });
        Result<T> result = default;
        console.Progress()
            .AutoClear(true)
            .HideCompleted(false)
            .Columns(
                new TaskDescriptionColumn(),
                new ProgressBarColumn(),
                new PercentageColumn(),
                new TransferredColumn(),
                new RemainingTimeColumn())
            .Start(bars =>
            {
                ProgressTask bar = bars.AddTask(Markup.Escape(FaultReport.Printable(title)));
                bar.MaxValue = bytesTotal ?? 1;
                bar.IsIndeterminate = bytesTotal is null;
                result = call(notification => Advance(bar, notification));
            });
        return result;
    }

    private static void Advance(ProgressTask bar, RpcMessage notification)
    {
        if (notification.Method != WorkerMethods.Progress)
        {
            return;
        }

        Result<ObjectProgress> read = RpcParameters.ReadNotification(
            notification, ControlJson.Default.ObjectProgress);
        if (!read.IsOk)
        {
            return;
        }

        if (read.Value.BytesTotal is { } total)
        {
            bar.MaxValue = Math.Max(total, 1);
            bar.IsIndeterminate = false;
        }
        else
        {
            // Without an end the bar only pulses, but the bytes beside it are true.
            bar.MaxValue = Math.Max(bar.MaxValue, read.Value.Bytes + 1);
        }

        bar.Value = read.Value.Bytes;
    }
}
