using System.Numerics;
using Pangea.DataPlane.Firewall.Image;

namespace Pangea.DataPlane.Firewall.Compiling;

/// <summary>What an image must have room for, and the geometry that has it.</summary>
/// <param name="Features">What the rules use.</param>
/// <param name="Nodes">Nodes of all tries.</param>
/// <param name="Results">Meanings of addresses.</param>
/// <param name="Classes">Sets of rules; 0 without complex and police rules.</param>
/// <param name="ComplexWords">Words of 64 complex rules.</param>
/// <param name="Limits">Limits, the empty first one included.</param>
/// <param name="Slots">Slots of rules.</param>
internal readonly record struct ImageSizes(
    PolicyFeature Features, int Nodes, int Results, int Classes, int ComplexWords, int Limits,
    uint Slots)
{
    /// <summary>Whether an image of these sizes can stand in the geometry.</summary>
    public bool Fit(in PolicyGeometry geometry) =>
        geometry.Version == PolicyConstants.ImageVersion
        && (Features & ~geometry.Features) == 0
        && Nodes <= geometry.NodeMask + 1L
        && Results <= geometry.ResultMask + 1L
        && Classes <= geometry.VectorMask + 1L
        && ComplexWords <= geometry.VectorWords
        && Limits <= geometry.LimitMask + 1L
        && Slots <= geometry.SlotMask + 1L;

    /// <summary>
    /// A geometry with room to grow: powers of two, and a quarter more before rounding, so that the
    /// next few changes need no new program.
    /// </summary>
    public PolicyGeometry Geometry()
    {
        PolicyGeometry geometry = new()
        {
            Version = PolicyConstants.ImageVersion,
            Features = Features,
            NodeMask = Mask(Nodes, 64),
            ResultMask = Mask(Results, 64),
            VectorMask = Math.Min(Mask(Classes, 64), ClassPool.ClassesMax - 1),
            VectorWords = BitOperations.RoundUpToPowerOf2((uint)Math.Max(1, ComplexWords)),
            LimitMask = Mask(Limits, 16),
            SlotMask = Mask((int)Slots, 256),
        };
        uint end = 256;
        geometry.Results = Take(ref end, geometry.ResultMask + 1, 16);
        geometry.Interfaces =
            Take(ref end, PolicyConstants.InterfaceEntries, 8, PolicyFeature.Interface);
        geometry.Shape = Take(ref end, PolicyConstants.ShapeEntries, 2, PolicyFeature.Shape);
        geometry.Protocol =
            Take(ref end, PolicyConstants.ProtocolEntries, 2, PolicyFeature.Protocol);
        geometry.Icmp = Take(ref end, PolicyConstants.IcmpEntries, 2, PolicyFeature.Icmp);
        geometry.Vlan = Take(ref end, PolicyConstants.VlanEntries, 2, PolicyFeature.Vlan);
        geometry.InnerVlan =
            Take(ref end, PolicyConstants.VlanEntries, 2, PolicyFeature.InnerVlan);
        geometry.ComplexRules =
            Take(ref end, geometry.VectorWords * 64, 8, PolicyFeature.Complex);
        geometry.PoliceRules =
            Take(ref end, PolicyConstants.PoliceEntries, 8, PolicyFeature.Police);
        geometry.Limits = Take(ref end, geometry.LimitMask + 1, 64, PolicyFeature.Limits);
        geometry.SlotLimits = Take(ref end, geometry.SlotMask + 1, 2, PolicyFeature.Limits);
        geometry.Police = Take(ref end, geometry.VectorMask + 1, 8, PolicyFeature.Police);
        geometry.Summaries = geometry.VectorWords > 1
            ? Take(ref end, geometry.VectorMask + 1, 2, PolicyFeature.Complex)
            : 0;
        geometry.Vectors = Take(
            ref end,
            geometry.VectorMask + 1,
            geometry.VectorWords * 8,
            PolicyFeature.Complex);
        geometry.SourcePort =
            Take(ref end, PolicyConstants.PortEntries, 2, PolicyFeature.SourcePort);
        geometry.DestinationPort =
            Take(ref end, PolicyConstants.PortEntries, 2, PolicyFeature.DestinationPort);
        geometry.Source4 = Take(ref end, PolicyConstants.RootEntries, 4, PolicyFeature.Source4);
        geometry.Destination4 =
            Take(ref end, PolicyConstants.RootEntries, 4, PolicyFeature.Destination4);
        geometry.Source6 = Take(ref end, PolicyConstants.RootEntries, 4, PolicyFeature.Source6);
        geometry.Destination6 =
            Take(ref end, PolicyConstants.RootEntries, 4, PolicyFeature.Destination6);
        geometry.Nodes = Take(ref end, geometry.NodeMask + 1, PolicyConstants.NodeBytes);
        geometry.ImageBytes = end;
        return geometry;
    }

    private static uint Mask(int count, uint least) =>
        Math.Max(least, BitOperations.RoundUpToPowerOf2((uint)(count + (count / 4)))) - 1;

    private uint Take(
        ref uint end, uint count, uint bytes, PolicyFeature feature = PolicyFeature.None)
    {
        if (feature != PolicyFeature.None && (Features & feature) == 0)
        {
            return 0;
        }

        uint start = end;
        end = (end + (count * bytes) + 63) & ~63u;
        return start;
    }
}
