using System.Numerics;
using System.Runtime.InteropServices;

namespace Pangea.DataPlane.Supervisor.Firewall;

/// <summary>
/// 128 bits that tell whether texts have changed. Against accidents, not against people: who writes
/// the texts has no reason to make two alike. A cryptographic digest would bring a library of 5 MiB
/// into a process that otherwise needs none.
/// </summary>
internal struct TextDigest
{
    private ulong _high;
    private ulong _low;

    /// <summary>A text with its length, so that two are not one.</summary>
    public void Add(ReadOnlySpan<char> text)
    {
        Add((ulong)text.Length);
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<char, ulong>(text);
        foreach (ulong word in words)
        {
            Add(word);
        }

        const int charsOfWord = sizeof(ulong) / sizeof(char);
        foreach (char c in text[(words.Length * charsOfWord)..])
        {
            Add(c);
        }
    }

    public override readonly string ToString() => $"{_high:x16}{_low:x16}";

    /// <summary>The finalizer of MurmurHash3, with different constants in the two halves.</summary>
    private void Add(ulong value)
    {
        _high = Mix((_high ^ value) + 0x9e3779b97f4a7c15);
        _low = Mix(BitOperations.RotateLeft(_low, 23) + (value * 0xd6e8feb86659fd93) + 1);
    }

    private static ulong Mix(ulong value)
    {
        value = (value ^ (value >> 33)) * 0xff51afd7ed558ccd;
        value = (value ^ (value >> 33)) * 0xc4ceb9fe1a85ec53;
        return value ^ (value >> 33);
    }
}
