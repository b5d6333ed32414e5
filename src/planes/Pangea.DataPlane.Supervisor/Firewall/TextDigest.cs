using System.Runtime.InteropServices;
using Pangea.DataPlane.Firewall.Rules;

namespace Pangea.DataPlane.Supervisor.Firewall;

/// <summary>
/// Tells whether texts have changed: who writes them has no reason to make two alike. A
/// cryptographic digest would bring a library of 5 MiB into a process that otherwise needs none.
/// </summary>
internal struct TextDigest
{
    private TwinHash _hash;

    /// <summary>A text with its length, so that two are not one.</summary>
    public void Add(ReadOnlySpan<char> text)
    {
        _hash.Add((ulong)text.Length);
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<char, ulong>(text);
        foreach (ulong word in words)
        {
            _hash.Add(word);
        }

        const int charsOfWord = sizeof(ulong) / sizeof(char);
        foreach (char c in text[(words.Length * charsOfWord)..])
        {
            _hash.Add(c);
        }
    }

    public override readonly string ToString() => $"{_hash.High:x16}{_hash.Low:x16}";
}
