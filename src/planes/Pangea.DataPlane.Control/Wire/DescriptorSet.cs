using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Control.Wire;

/// <summary>
/// The descriptors that came with a line, or that go out with one. Owns them: whoever wants one
/// takes it, and disposing closes what nobody took.
/// </summary>
public sealed class DescriptorSet : IDisposable
{
    // Most lines come without any and get no list.
    private List<OwnedFd?>? _descriptors;

    /// <summary>Takes ownership of the descriptors.</summary>
    public DescriptorSet(IEnumerable<OwnedFd> descriptors) => _descriptors = [.. descriptors];

    public DescriptorSet()
    {
    }

    /// <summary>How many came, taken ones included.</summary>
    public int Count => _descriptors?.Count ?? 0;

    /// <summary>
    /// Moves one descriptor to the caller; <see cref="FaultCode.BadDescriptor"/> where it is not
    /// there or was taken before.
    /// </summary>
    public Result<OwnedFd> Take(int index)
    {
        if ((uint)index >= (uint)Count || _descriptors![index] is not { } descriptor)
        {
            return new Fault(
                FaultCode.BadDescriptor,
                $"descriptor {index} did not come with the call, which brought {Count}",
                "pass the open file with SCM_RIGHTS in the sendmsg that begins the line");
        }

        _descriptors[index] = null;
        return descriptor;
    }

    /// <summary>One that was not taken yet, to look at; null where there is none.</summary>
    public OwnedFd? Peek(int index) =>
        (uint)index < (uint)Count ? _descriptors![index] : null;

    /// <summary>Moves all descriptors that were not taken to the caller, in their order.</summary>
    public OwnedFd[] TakeAll()
    {
        if (_descriptors is not { } descriptors)
        {
            return [];
        }

        OwnedFd[] all = [.. descriptors.OfType<OwnedFd>()];
        for (int i = 0; i < descriptors.Count; i++)
        {
            descriptors[i] = null;
        }

        return all;
    }

    public void Dispose()
    {
        for (int i = 0; i < Count; i++)
        {
            _descriptors![i]?.Dispose();
            _descriptors[i] = null;
        }
    }

    internal void Add(IReadOnlyList<OwnedFd> descriptors)
    {
        for (int i = 0; i < descriptors.Count; i++)
        {
            _descriptors ??= new List<OwnedFd?>(descriptors.Count);
            _descriptors.Add(descriptors[i]);
        }
    }
}
