using System.Runtime.InteropServices;

namespace Pangea.DataPlane.Cli;

/// <summary>
/// Ends the tool on Ctrl-C, SIGTERM and SIGHUP while a call waits in the kernel: removes what a
/// half-done command would leave behind, then ends the process, which closes the connection, which
/// withdraws the call.
/// </summary>
internal sealed class Interruption : IDisposable
{
    private readonly PosixSignalRegistration[] _registrations;
    private readonly Lock _lock = new();
    private readonly TextWriter _error;
    private Action? _cleanUp;

    public Interruption(TextWriter error)
    {
        _error = error;
        _registrations =
        [
            PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal),
            PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal),
            PosixSignalRegistration.Create(PosixSignal.SIGHUP, OnSignal),
        ];
    }

    /// <summary>
    /// Runs a step that an interruption may come before or after, but not into; it returns what is
    /// to be undone from then on, or null when nothing is.
    /// </summary>
    public void Step(Func<Action?> step)
    {
        lock (_lock)
        {
            _cleanUp = step();
        }
    }

    public void Dispose() => Array.ForEach(_registrations, r => r.Dispose());

    private void OnSignal(PosixSignalContext context)
    {
        context.Cancel = true;
        lock (_lock)
        {
            _cleanUp?.Invoke();
            if (!Console.IsErrorRedirected)
            {
                // A progress bar hides the cursor; nobody else will show it again.
                _error.Write("\u001b[?25h");
            }

            _error.WriteLine();
            _error.WriteLine("pangea: interrupted");
            Environment.Exit(ExitCodes.Interrupted);
        }
    }
}
