using System.Text;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Compiling;
using Pangea.DataPlane.Firewall.Rules;
using Pangea.DataPlane.Firewall.Text;
using Pangea.DataPlane.Supervisor.Configuration;
using Pangea.DataPlane.Supervisor.Firewall;
using Pangea.DataPlane.Xdp;

namespace Pangea.DataPlane.Supervisor.Tests;

/// <summary>What the state directory keeps of the firewall, and bans without a program.</summary>
public sealed class FirewallStateTests
{
    private static readonly DateTimeOffset s_now = DateTimeOffset.UnixEpoch.AddYears(56);

    [Fact]
    public void Rules_slots_and_interfaces_come_back_as_they_were()
    {
        RuleSet set = RuleText.Parse(
            "default deny\nset a = 10.0.0.0/8\nallow from @a name one\ndeny tcp port 22\n", "x")
            .Set!;
        SlotTable slots = PolicyCompiler.Compile(set, new CompileOptions { Now = s_now })
            .Value.Slots;
        FirewallState state = new()
        {
            Set = set,
            Slots = slots,
            Generation = 41,
            FileDigest = "0123",
            Attached = [new GuardedInterface("eth7", AttachChoice.Generic, true)],
        };
        FirewallState read = FirewallState.Parse(Encoding.UTF8.GetString(state.Write())).Value;
        Assert.Equal(RuleText.Print(set), RuleText.Print(read.Set));
        Assert.Equal(slots.Owners, read.Slots.Owners);
        Assert.Equal((41UL, "0123"), (read.Generation, read.FileDigest));
        Assert.Equal(state.Attached, read.Attached);
    }

    [Theory]
    [InlineData("#! slot 1 2\n")]
    [InlineData("#! slot x y 2\n")]
    [InlineData("#! slot 1 2 99999999\n")]
    [InlineData("#! interface eth0 fast -\n")]
    [InlineData("default deny\nallow from 10.0.0.1/8\n")]
    public void What_is_damaged_is_no_state(string text) =>
        Assert.Equal(FaultCode.Corrupt, FirewallState.Parse(text).Fault!.Code);

    [Fact]
    public void A_digest_tells_every_change_of_a_text()
    {
        HashSet<string> seen = [];
        foreach (string[] texts in (string[][])
            [[], [""], ["a"], ["b"], ["a", "b"], ["ab"], ["abcd", "e"], ["abcde"], ["abcdf"]])
        {
            TextDigest digest = default;
            Array.ForEach(texts, text => digest.Add(text));
            Assert.True(seen.Add(digest.ToString()), string.Join('|', texts));
        }
    }

    [Fact]
    public void Bans_keep_their_end_and_who_asked_over_the_file()
    {
        BanBook bans = new(1024);
        Assert.True(bans.Add(V4("192.0.2.1"), null, new BanNote("operator", "a b")).IsOk);
        Assert.True(bans.Add(
            V4("192.0.2.2"), TimeSpan.FromHours(1), new BanNote("plane", "control: x\ny")).IsOk);
        Assert.True(bans.Add(
            V4("192.0.2.3"), TimeSpan.FromSeconds(5), new BanNote("operator", null)).IsOk);
        string text = bans.Write(s_now);

        BanBook again = new(1024);
        again.Read(text + "garbage\n1.2.3.4\n", s_now.AddSeconds(10), notesOnly: false);
        Assert.True(again.Contains(V4("192.0.2.1")));
        Assert.True(again.Contains(V4("192.0.2.2")));
        Assert.False(again.Contains(V4("192.0.2.3")));
        Assert.Equal(new BanNote("operator", "a b"), again.NoteOf(V4("192.0.2.1")));
        Assert.Equal(new BanNote("plane", "control: x y"), again.NoteOf(V4("192.0.2.2")));
        (IpPrefix _, ulong expiry) = again.List().Single(each => each.ExpiryNs != ulong.MaxValue);
        Assert.InRange(
            again.EndOf(expiry, again.NowNs, s_now)!.Value,
            s_now.UtcDateTime.AddSeconds(3580),
            s_now.UtcDateTime.AddSeconds(3600));
    }

    [Fact]
    public void Only_so_many_sources_are_banned_and_no_prefix()
    {
        BanBook bans = new(FirewallSettings.BansMin);
        for (uint i = 0; i < FirewallSettings.BansMin; i++)
        {
            Assert.True(bans.Add(
                IpPrefix.V4(0x0a000000 + i, 32), null, new BanNote("operator", null)).IsOk);
        }

        Result full = bans.Add(V4("192.0.2.1"), null, new BanNote("operator", null));
        Assert.Equal(FaultCode.NoSpace, full.Fault!.Code);
        Assert.Contains("bansMax", full.Fault.Hint);
        Assert.True(bans.Remove(V4("10.0.0.7")));
        Assert.False(bans.Remove(V4("10.0.0.7")));
        Assert.Equal(
            FaultCode.InvalidParameters,
            bans.Add(V4("10.0.0.0/8"), null, new BanNote("operator", null)).Fault!.Code);
        Assert.Equal(FirewallSettings.BansMin - 1, bans.Clear());
        Assert.Empty(bans.List());
    }

    private static IpPrefix V4(string text)
    {
        Assert.True(IpPrefix.TryParse(text, out IpPrefix prefix, out string? error), error);
        return prefix;
    }
}
