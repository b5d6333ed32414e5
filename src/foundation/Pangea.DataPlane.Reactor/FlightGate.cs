// HOT PATH: two comparisons and two additions per transfer; the queue is used only when it is full.

using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Reactor;

/// <summary>
/// Bounds how many file transfers, and how many bytes of them, the kernel has at once. What comes
/// beyond waits in order and begins as others end, so that a slow disk holds up its callers and not
/// the kernel's memory. A single transfer larger than the bound may go alone.
/// </summary>
internal sealed class FlightGate(ReactorOptions options, Action<Operation> begin)
{
    private readonly Queue<(Operation Operation, uint Sequence)> _held =
        new(options.OperationsMax);

    private long _bytes;
    private int _count;

    /// <summary>Most bytes that were ever inside at once.</summary>
    internal long BytesHighest { get; private set; }

    /// <summary>True: the operation may begin. False: it is begun later.</summary>
    internal bool TryEnter(Operation operation)
    {
        if (_held.Count == 0 && Fits(operation))
        {
            Enter(operation);
            return true;
        }

        operation.IsHeld = true;
        _held.Enqueue((operation, operation.Sequence));
        return false;
    }

    /// <summary>A transfer is over: those that wait take its place.</summary>
    internal void Leave(Operation operation)
    {
        if (!operation.IsHeld)
        {
            _count--;
            _bytes -= operation.TransferBytes;
            Invariant.Check(_bytes >= 0);
        }

        while (_held.TryPeek(out (Operation Operation, uint Sequence) first))
        {
            bool isCurrent = first.Operation.Sequence == first.Sequence
                && first.Operation.State == OperationState.Started;
            if (isCurrent && !Fits(first.Operation))
            {
                return;
            }

            _held.Dequeue();
            if (isCurrent)
            {
                first.Operation.IsHeld = false;
                Enter(first.Operation);
                begin(first.Operation);
            }
        }
    }

    private bool Fits(Operation operation) =>
        _count == 0
        || (_count < options.FlightsMax
            && _bytes + operation.TransferBytes <= options.FlightBytesMax);

    private void Enter(Operation operation)
    {
        _count++;
        _bytes += operation.TransferBytes;
        BytesHighest = Math.Max(BytesHighest, _bytes);
    }
}
