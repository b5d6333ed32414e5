using System.Runtime.InteropServices;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Compiling;
using Pangea.DataPlane.Firewall.Image;
using Pangea.DataPlane.Firewall.Rules;
using Pangea.DataPlane.Linux.Bpf;

namespace Pangea.DataPlane.Xdp;

/// <summary>What the program keeps for a rule: counters, rates, violations.</summary>
internal static class SlotStates
{
    /// <summary>Of the tag of a source's rate (bpf/rates.h): where the slot stands.</summary>
    private const int TagSlotShift = 1;

    /// <summary>
    /// Clears the slots that a policy gives to new rules. The policy in use does not have them, so
    /// nothing counts to them meanwhile.
    /// </summary>
    internal static void Clear(XdpFilter filter, CompiledPolicy policy)
    {
        uint slots = filter.Config.CounterStride - PolicyConstants.CounterSlots;
        List<uint> fresh = [.. policy.FreshSlots.Where(slot => slot < slots)];
        foreach (uint slot in fresh)
        {
            filter.ClearCount((int)(PolicyConstants.CounterSlots + slot));
            if (!filter.Maps.RuleRates.At<RateState>((int)slot).Equals(default))
            {
                filter.Maps.RuleRates.At<RateState>((int)slot) = default;
            }
        }

        // Walking the rates of all sources is worth it only for rules that will look for theirs.
        HashSet<uint> limited = [];
        for (int i = 0; i < policy.Rules.Count; i++)
        {
            if (policy.Rules[i].Limit is { } limit
                && (limit.Scope == PolicyScope.Source || limit.Ban is not null))
            {
                limited.Add(policy.RuleSlots[i]);
            }
        }

        limited.IntersectWith(fresh);
        if (limited.Count > 0)
        {
            ClearSources(filter, limited);
            ClearViolations(filter, limited);
        }
    }

    /// <summary>
    /// Buckets of rules go on as full as they are. What the old program charges after this, until
    /// the attachments move, is forgiven.
    /// </summary>
    internal static void CopyRates(XdpFilter from, XdpFilter to)
    {
        uint slots = from.Config.CounterStride - PolicyConstants.CounterSlots;
        for (int slot = 0; from.Config.CounterStride != to.Config.CounterStride && slot < slots;
            slot++)
        {
            to.Maps.RuleRates.At<RateState>(slot) = from.Maps.RuleRates.At<RateState>(slot);
        }
    }

    private static void ClearSources(XdpFilter filter, HashSet<uint> slots)
    {
        Result<SharedValues> mapped = filter.Maps.SourceRates();
        if (!mapped.IsOk)
        {
            return; // Out of address space: the buckets run empty by themselves.
        }

        using SharedValues rates = mapped.Value;

        // Ways of one source: the tag, then the arrival time. Bytes and packets have a way each.
        int ways = (int)(filter.Config.RateMask + 1) * XdpFilter.RateWays;
        for (int i = 0; i < ways; i++)
        {
            ref ulong tag = ref rates.At<ulong>(i * 2);
            ulong seen = Volatile.Read(ref tag);
            uint slot = (uint)(seen >> TagSlotShift) & PolicyConstants.DecisionSlot;
            if (seen != 0 && slots.Contains(slot))
            {
                Interlocked.CompareExchange(ref tag, 0, seen);
            }
        }
    }

    private static void ClearViolations(XdpFilter filter, HashSet<uint> slots)
    {
        BpfMap map = filter.Maps["violations"];
        byte[] key = new byte[map.KeyBytes];
        byte[] before = [];
        List<byte[]> theirs = [];
        for (uint i = 0; i < map.Entries && map.NextKey(before, key).IsOk; i++)
        {
            before = [.. key];
            if (slots.Contains(MemoryMarshal.Read<RateKey>(key).Slot))
            {
                theirs.Add(before);
            }
        }

        theirs.ForEach(each => _ = map.Remove(each));
    }
}
