// HOT PATH: a binary heap in one array; adding and removing cost log2(n) moves and no allocation.

using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Reactor;

/// <summary>
/// Delays by deadline. Every operation knows its place, so that a cancelled delay leaves at once
/// instead of lying about until its time: idle timeouts are almost always cancelled.
/// </summary>
internal sealed class TimerHeap(int capacity)
{
    private readonly Operation[] _heap = new Operation[capacity];

    internal int Count { get; private set; }

    /// <summary>The earliest; only with <see cref="Count"/> above 0.</summary>
    internal Operation First => _heap[0];

    internal void Add(Operation operation)
    {
        Invariant.Check(Count < _heap.Length);
        Place(operation, Count++);
        Up(operation.SetIndex);
    }

    internal void Remove(Operation operation)
    {
        int index = operation.SetIndex;
        Invariant.Check((uint)index < (uint)Count && _heap[index] == operation);
        operation.SetIndex = -1;
        Operation last = _heap[--Count];
        _heap[Count] = null!;
        if (last != operation)
        {
            Place(last, index);
            Up(index);
            Down(last.SetIndex);
        }
    }

    private void Up(int index)
    {
        while (index > 0)
        {
            int parent = (index - 1) / 2;
            if (_heap[parent].Deadline <= _heap[index].Deadline)
            {
                return;
            }

            Swap(parent, index);
            index = parent;
        }
    }

    private void Down(int index)
    {
        while (true)
        {
            int child = (2 * index) + 1;
            if (child >= Count)
            {
                return;
            }

            if (child + 1 < Count && _heap[child + 1].Deadline < _heap[child].Deadline)
            {
                child++;
            }

            if (_heap[index].Deadline <= _heap[child].Deadline)
            {
                return;
            }

            Swap(index, child);
            index = child;
        }
    }

    private void Swap(int left, int right)
    {
        Operation moved = _heap[left];
        Place(_heap[right], left);
        Place(moved, right);
    }

    private void Place(Operation operation, int index)
    {
        _heap[index] = operation;
        operation.SetIndex = index;
    }
}
