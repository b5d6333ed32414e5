using Pangea.DataPlane.Firewall.Image;

namespace Pangea.DataPlane.Xdp.Tests;

/// <summary>Geometries that no compiler made.</summary>
internal static class Geometries
{
    /// <summary>Every section is there, whatever the features.</summary>
    internal static PolicyGeometry Spacious(PolicyFeature features, uint words)
    {
        const uint nodes = 1 << 14;
        const uint results = 1 << 12;
        const uint vectors = 1 << 10;
        const uint slots = 1 << 12;
        uint next = 256;
        uint Section(uint bytes)
        {
            uint at = next;
            next += (bytes + 63) & ~63u;
            return at;
        }

        return new PolicyGeometry
        {
            Version = 1,
            Features = features,
            Source4 = Section(4 << 16),
            Destination4 = Section(4 << 16),
            Source6 = Section(4 << 16),
            Destination6 = Section(4 << 16),
            Nodes = Section(nodes * 64),
            NodeMask = nodes - 1,
            Results = Section(results * 16),
            ResultMask = results - 1,
            SourcePort = Section(2 << 16),
            DestinationPort = Section(2 << 16),
            Protocol = Section(1024),
            Icmp = Section(2 << 17),
            Vlan = Section(16384),
            InnerVlan = Section(16384),
            Shape = Section(64),
            Interfaces = Section(8192),
            Vectors = Section(vectors * words * 8),
            VectorMask = vectors - 1,
            VectorWords = words,
            Summaries = Section(vectors * 2),
            Police = Section(vectors * 8),
            ComplexRules = Section(64 * words * 8),
            PoliceRules = Section(64 * 8),
            SlotLimits = Section(slots * 2),
            Limits = Section(64 * 64),
            LimitMask = 63,
            SlotMask = slots - 1,
            ImageBytes = next,
        };
    }
}
