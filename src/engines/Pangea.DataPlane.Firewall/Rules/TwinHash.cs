using System.Numerics;

namespace Pangea.DataPlane.Firewall.Rules;

/// <summary>
/// Two 64-bit hashes side by side: 128 bits that tell whether values have changed. Against
/// accidents, not against people. What it gives is kept in state files, so it stays as it is.
/// </summary>
public struct TwinHash
{
    public ulong High { get; private set; }

    public ulong Low { get; private set; }

    /// <summary>The finalizer of MurmurHash3, with different constants in the two halves.</summary>
    public void Add(ulong value)
    {
        High = Mix((High ^ value) + 0x9e3779b97f4a7c15);
        Low = Mix(BitOperations.RotateLeft(Low, 23) + (value * 0xd6e8feb86659fd93) + 1);
    }

    private static ulong Mix(ulong value)
    {
        value = (value ^ (value >> 33)) * 0xff51afd7ed558ccd;
        value = (value ^ (value >> 33)) * 0xc4ceb9fe1a85ec53;
        return value ^ (value >> 33);
    }
}
