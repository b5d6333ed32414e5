using Pangea.DataPlane.Core;
using Pangea.DataPlane.Xdp;

namespace Pangea.DataPlane.Supervisor.Configuration;

/// <summary>An interface that the firewall guards.</summary>
/// <param name="Name">As the kernel names it; it need not exist yet.</param>
/// <param name="Choice">Where its packets are judged.</param>
/// <param name="Force">Takes a program off that somebody else attached.</param>
public sealed record GuardedInterface(string Name, AttachChoice Choice, bool Force);

/// <summary>The section <c>firewall</c> of the configuration, complete.</summary>
public sealed record FirewallSettings
{
    public const int BansMaxDefault = 65_536;
    public const int RateSourcesMaxDefault = 65_536;
    public const int BansMin = 1024;

    /// <summary>Full path of the file of rules; null: rules are given by calls only.</summary>
    public string? RulesPath { get; init; }

    /// <summary>In the order of the file.</summary>
    public IReadOnlyList<GuardedInterface> Interfaces { get; init; } = [];

    /// <summary>Sources that can be banned at once, of each family.</summary>
    public int BansMax { get; init; } = BansMaxDefault;

    /// <summary>Sources whose rates are known at once.</summary>
    public int RateSourcesMax { get; init; } = RateSourcesMaxDefault;

    /// <summary>Whether packets are filtered on after the appliance has ended.</summary>
    public bool KeepsOnStop { get; init; } = true;

    /// <summary>The room of the program's maps.</summary>
    public XdpFilterOptions Options => new()
    {
        Bans4Max = BansMax,
        Bans6Max = BansMax,
        RateSourcesMax = RateSourcesMax,
    };

    /// <summary>Whether the maps of the one serve the other.</summary>
    public bool HasSizesOf(FirewallSettings other) =>
        BansMax == other.BansMax && RateSourcesMax == other.RateSourcesMax;

    public bool Equals(FirewallSettings? other) =>
        other is not null && RulesPath == other.RulesPath && HasSizesOf(other)
        && KeepsOnStop == other.KeepsOnStop && Interfaces.SequenceEqual(other.Interfaces);

    public override int GetHashCode() => HashCode.Combine(RulesPath, Interfaces.Count, BansMax);

    public static Result<AttachChoice> ParseChoice(string text) => text switch
    {
        "auto" => AttachChoice.Best,
        "native" => AttachChoice.Native,
        "generic" => AttachChoice.Generic,
        "userspace" => AttachChoice.UserSpace,
        _ => Fault.InvalidParameter(
            "mode", $"\"{text}\" is none of auto, native, generic, userspace"),
    };

    /// <summary>The word of a choice in files, calls and answers.</summary>
    public static string NameOf(AttachChoice choice) => choice switch
    {
        AttachChoice.Best => "auto",
        AttachChoice.Native => "native",
        AttachChoice.Generic => "generic",
        _ => "userspace",
    };
}
