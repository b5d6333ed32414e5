using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Control.Wire;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// Holds the descriptors of a call against what they are said to be. A supervisor with a defect, or
/// one that was taken over, must not make a worker write to what it takes for something else.
/// </summary>
internal static class DescriptorManifest
{
    /// <summary>Null where each descriptor is what its claim says, and none came besides.</summary>
    public static Fault? Check(IReadOnlyList<DescriptorClaim> claims, DescriptorSet descriptors)
    {
        if (claims.Count != descriptors.Count)
        {
            return new Fault(
                FaultCode.BadDescriptor,
                $"{descriptors.Count} descriptors came, the manifest names {claims.Count}");
        }

        for (int i = 0; i < claims.Count; i++)
        {
            if (Check(claims[i], descriptors.Peek(i)) is { } fault)
            {
                return fault;
            }
        }

        return null;
    }

    /// <summary>The one descriptor of a call that takes one, before it is used.</summary>
    public static Result<OwnedFd> Take(
        DescriptorSet descriptors,
        int index,
        string name,
        params ReadOnlySpan<DescriptorKind> kinds)
    {
        Result<OwnedFd> taken = descriptors.Take(index);
        if (!taken.IsOk)
        {
            return taken;
        }

        DescriptorKind? real = DescriptorCheck.KindOf(taken.Value);
        DescriptorKind wanted = real is { } known && kinds.Contains(known) ? known : kinds[0];
        if (Check(DescriptorClaim.Of(name, wanted), taken.Value) is { } fault)
        {
            taken.Value.Dispose();
            return fault;
        }

        return taken;
    }

    private static Fault? Check(DescriptorClaim claim, OwnedFd? descriptor) =>
        descriptor is not null
            && Enum.TryParse(claim.Kind, ignoreCase: true, out DescriptorKind kind)
            && Enum.TryParse(claim.Access, ignoreCase: true, out DescriptorAccess access)
            ? DescriptorCheck.Check(claim.Name, descriptor, kind, access)
            : new Fault(
                FaultCode.BadDescriptor,
                $"the manifest's entry \"{claim.Name}\" ({claim.Kind}, {claim.Access}) is unknown");
}
