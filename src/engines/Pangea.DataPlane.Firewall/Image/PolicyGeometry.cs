using System.Runtime.InteropServices;

namespace Pangea.DataPlane.Firewall.Image;

/// <summary>
/// Where every section of an image stands, in bytes, and the masks of its indexes. Two images of
/// one geometry can be swapped under a running program; another geometry needs the program loaded
/// anew. The twin of <c>struct policy_geometry</c>.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public record struct PolicyGeometry
{
    public uint Version;
    public PolicyFeature Features;
    public uint ImageBytes;
    public uint Source4;
    public uint Destination4;
    public uint Source6;
    public uint Destination6;
    public uint Nodes;
    public uint NodeMask;
    public uint Results;
    public uint ResultMask;
    public uint SourcePort;
    public uint DestinationPort;
    public uint Protocol;
    public uint Icmp;
    public uint Vlan;
    public uint InnerVlan;
    public uint Shape;
    public uint Interfaces;
    public uint Vectors;
    public uint VectorMask;
    public uint VectorWords;
    public uint Summaries;
    public uint Police;
    public uint ComplexRules;
    public uint PoliceRules;
    public uint SlotLimits;
    public uint Limits;
    public uint LimitMask;
    public uint SlotMask;
    public PolicyReserved2 Reserved;

    public readonly bool Has(PolicyFeature feature) => (Features & feature) != 0;
}
