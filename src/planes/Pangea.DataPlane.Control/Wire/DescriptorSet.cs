using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Control.Wire;

/// <summary>
/// The descriptors that came with a line, or that go out with one. Owns them: whoever wants one
/// takes it, and disposing closes what nobody took.
/// </summary>
public sealed class DescriptorSet : IDisposable
{
    private readonly List<OwnedFd?> _descriptors;

    /// <summary>Takes ownership of the descriptors.</summary>
    public DescriptorSet(IEnumerable<OwnedFd> descriptors) => _descriptors = [.. descriptors];

    public DescriptorSet()
        : this([])
    {
    }

    /// <summary>How many came, taken ones included.</summary>
    public int Count => _descriptors.Count;

    /// <summary>
    /// Moves one descriptor to the caller; <see cref="FaultCode.BadDescriptor"/> where it is not
    /// there or was taken before.
    /// </summary>
    public Result<OwnedFd> Take(int index)
    {
        if ((uint)index >= (uint)_descriptors.Count || _descriptors[index] is not { } descriptor)
        {
            return new Fault(
                FaultCode.BadDescriptor,
                $"descriptor {index} did not come with the call, which brought " +
                    $"{_descriptors.Count}",
                "pass the open file with SCM_RIGHTS in the sendmsg that begins the line");
        }

        _descriptors[index] = null;
        return descriptor;
    }

    /// <summary>Moves all descriptors that were not taken to the caller, in their order.</summary>
    public OwnedFd[] TakeAll()
    {
        OwnedFd[] all = [.. _descriptors.OfType<OwnedFd>()];
        for (int i = 0; i < _descriptors.Count; i++)
        {
            _descriptors[i] = null;
        }

        return all;
    }

    public void Dispose()
    {
        foreach (OwnedFd descriptor in TakeAll())
        {
            descriptor.Dispose();
        }
    }

    internal void Add(IEnumerable<OwnedFd> descriptors) => _descriptors.AddRange(descriptors);
}
