using Pangea.DataPlane.Core;
using Spectre.Console;

namespace Pangea.DataPlane.Cli.Transfer;

/// <summary>How far a piece of background work is.</summary>
/// <param name="Done">Units done.</param>
/// <param name="Total">Units in all, as far as known.</param>
/// <param name="IsOver">Nothing is left to wait for.</param>
internal readonly record struct WorkStep(long Done, long Total, bool IsOver);

/// <summary>
/// Waits for work that the appliance does in the background by asking how far it is, with a bar on
/// standard error where that is a terminal. Ending the wait does not end the work.
/// </summary>
internal static class WorkProgress
{
    private static readonly TimeSpan s_askEvery = TimeSpan.FromMilliseconds(500);

    /// <summary>Returns when a step says that it is over, or the fault of asking.</summary>
    public static Fault? Wait(CommandContext context, string title, Func<Result<WorkStep>> ask)
    {
        if (!TransferProgress.IsShown(context))
        {
            return Follow(ask, _ => { });
        }

        IAnsiConsole console = AnsiConsole.Create(
            new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });
        Fault? fault = null;
        console.Progress()
            .AutoClear(true)
            .HideCompleted(false)
            .Columns(
                new TaskDescriptionColumn(),
                new ProgressBarColumn(),
                new PercentageColumn(),
                new RemainingTimeColumn())
            .Start(bars =>
            {
                ProgressTask bar = bars.AddTask(Markup.Escape(FaultReport.Printable(title)));
                fault = Follow(ask, step =>
                {
                    bar.IsIndeterminate = step.Total <= 0;
                    bar.MaxValue = Math.Max(Math.Max(step.Total, step.Done), 1);
                    bar.Value = step.Done;
                });
            });
        return fault;
    }

    private static Fault? Follow(Func<Result<WorkStep>> ask, Action<WorkStep> show)
    {
        while (true)
        {
            Result<WorkStep> step = ask();

            // A worker that is being restarted goes on with the work; so does the waiting.
            if (!step.IsOk && !step.Fault.IsRetryable)
            {
                return step.Fault;
            }

            if (step.IsOk)
            {
                show(step.Value);
                if (step.Value.IsOver)
                {
                    return null;
                }
            }

            Thread.Sleep(s_askEvery);
        }
    }
}
