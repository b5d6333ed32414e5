using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// Tells a checkpoint when everything that the logs held at some moment has reached the catalog.
/// Whoever appends entries that change what is visible enters before the first and leaves when the
/// catalog knows. Loop thread only; entering and leaving allocate nothing.
/// </summary>
internal sealed class CommitGate
{
    // Only the present epoch and the one before it can have members: the next turn waits for the
    // one before to be empty.
    private readonly int[] _members = new int[2];
    private long _epoch;
    private TaskCompletionSource? _drained;

    /// <summary>Members of both epochs.</summary>
    public int Count => _members[0] + _members[1];

    /// <returns>The epoch, for <see cref="Leave"/>.</returns>
    public long Enter()
    {
        _members[_epoch & 1]++;
        return _epoch;
    }

    public void Leave(long epoch)
    {
        Invariant.Check(epoch == _epoch || epoch == _epoch - 1);
        Invariant.Check(_members[epoch & 1] > 0);
        if (--_members[epoch & 1] == 0 && epoch != _epoch)
        {
            _drained?.SetResult();
            _drained = null;
        }
    }

    /// <summary>
    /// Begins a new epoch and waits until all who entered before have left. One at a time.
    /// </summary>
    public Task TurnAsync()
    {
        Invariant.Check(_drained is null, "one turn at a time");
        Invariant.Check(_members[(_epoch + 1) & 1] == 0);
        int waiting = _members[_epoch & 1];
        _epoch++;
        if (waiting == 0)
        {
            return Task.CompletedTask;
        }

        _drained = new TaskCompletionSource();
        return _drained.Task;
    }
}
