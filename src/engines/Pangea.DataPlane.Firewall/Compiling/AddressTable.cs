using Pangea.DataPlane.Firewall.Image;
using Pangea.DataPlane.Firewall.Rules;

namespace Pangea.DataPlane.Firewall.Compiling;

/// <summary>What one prefix of one rule says about the addresses in it.</summary>
/// <param name="Top">First bit of the address highest.</param>
/// <param name="Bits">Length of the prefix.</param>
/// <param name="Order">Of a simple rule, else <see cref="PolicyConstants.OrderNone"/>.</param>
/// <param name="Decision">Of the simple rule.</param>
/// <param name="Member">Bit of a complex or police rule, -1 without.</param>
/// <param name="PinOrder">Number of the pin, -1 without.</param>
/// <param name="PinSlot">Its slot.</param>
internal readonly record struct AddressEntry(
    UInt128 Top, byte Bits, uint Order, uint Decision, int Member, int PinOrder, uint PinSlot)
    : IComparable<AddressEntry>
{
    /// <summary>A prefix comes right before those within it.</summary>
    public int CompareTo(AddressEntry other)
    {
        int order = Top.CompareTo(other.Top);
        return order != 0 ? order : Bits.CompareTo(other.Bits);
    }
}

/// <summary>What an address means, with everything that the prefixes around it say.</summary>
internal readonly record struct AddressMeaning(
    uint Order, uint Decision, int Class, int PinOrder, uint PinSlot)
{
    public AddressMeaning And(AddressEntry entry, ClassPool classes)
    {
        AddressMeaning both = this;
        if (entry.Order < both.Order)
        {
            both = both with { Order = entry.Order, Decision = entry.Decision };
        }

        if (entry.Member >= 0)
        {
            both = both with { Class = classes.With(both.Class, entry.Member) };
        }

        if (entry.PinOrder >= 0 && (both.PinOrder < 0 || entry.PinOrder < both.PinOrder))
        {
            both = both with { PinOrder = entry.PinOrder, PinSlot = entry.PinSlot };
        }

        return both;
    }
}

/// <summary>The distinct meanings, as they stand in the image.</summary>
internal sealed class ResultPool
{
    private readonly Dictionary<PolicyResult, int> _numbers = [];

    public List<PolicyResult> Results { get; } = [];

    public bool HasPins { get; private set; }

    public int Intern(AddressMeaning meaning)
    {
        PolicyResult result = new()
        {
            Order = meaning.Order,
            Decision = meaning.Decision,
            Vector = (ushort)meaning.Class,
            Flags = (ushort)(meaning.PinOrder >= 0 ? PolicyConstants.ResultPinned : 0),
            PinSlot = meaning.PinOrder >= 0 ? meaning.PinSlot : PolicyConstants.SlotNone,
        };
        HasPins |= meaning.PinOrder >= 0;
        if (!_numbers.TryGetValue(result, out int number))
        {
            number = Results.Count;
            Results.Add(result);
            _numbers.Add(result, number);
        }

        return number;
    }
}

/// <summary>
/// The prefixes of one direction and family: first collected, then each with its whole meaning, the
/// prefixes around it included, so that a look-up takes the longest match and nothing else.
/// </summary>
internal sealed class AddressTable
{
    private readonly List<AddressEntry> _entries = [];

    /// <summary>Distinct prefixes longer than 0, sorted; see <see cref="Resolve"/>.</summary>
    public List<TriePrefix> Prefixes { get; } = [];

    /// <summary>Result of an address in no prefix but those of length 0.</summary>
    public int Any { get; private set; }

    public int EntryCount => _entries.Count;

    public void Add(AddressEntry entry) => _entries.Add(entry);

    /// <summary>Sorts, merges and inherits.</summary>
    /// <param name="start">What holds for any address, without prefixes.</param>
    /// <param name="classes">Where the sets of rules are kept.</param>
    /// <param name="results">Where the meanings are kept.</param>
    public void Resolve(AddressMeaning start, ClassPool classes, ResultPool results)
    {
        _entries.Sort();
        AddressMeaning any = start;
        int index = 0;
        while (index < _entries.Count && _entries[index].Bits == 0)
        {
            any = any.And(_entries[index++], classes);
        }

        // Some entry of length 0 may stand behind others only if it equals them in Top and is
        // shorter, which the order excludes: all of them come first.
        Any = results.Intern(any);
        Stack<(AddressEntry Prefix, AddressMeaning Meaning)> around = new();
        while (index < _entries.Count)
        {
            AddressEntry first = _entries[index];
            while (around.TryPeek(out (AddressEntry Prefix, AddressMeaning) outer)
                && (first.Top & IpPrefix.Mask(outer.Prefix.Bits)) != outer.Prefix.Top)
            {
                around.Pop();
            }

            AddressMeaning meaning = around.TryPeek(out (AddressEntry, AddressMeaning Meaning) up)
                ? up.Meaning
                : any;
            for (; index < _entries.Count && _entries[index].CompareTo(first) == 0; index++)
            {
                meaning = meaning.And(_entries[index], classes);
            }

            around.Push((first, meaning));
            Prefixes.Add(new TriePrefix(first.Top, first.Bits, (uint)results.Intern(meaning)));
        }
    }
}
