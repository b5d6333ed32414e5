namespace Pangea.DataPlane.Xdp;

/// <summary>How much room the filter has. All of it is taken from the kernel at the load.</summary>
public sealed record XdpFilterOptions
{
    /// <summary>The object file that the build puts beside the program.</summary>
    public string ObjectPath { get; init; } =
        Path.Combine(AppContext.BaseDirectory, "firewall.bpf.o");

    /// <summary>IPv4 sources that can be banned at once: 16 bytes each.</summary>
    public int Bans4Max { get; init; } = 65536;

    /// <summary>IPv6 sources and /64 that can be banned at once: about 90 bytes each.</summary>
    public int Bans6Max { get; init; } = 16384;

    /// <summary>Sources whose rates are kept at once: 32 bytes each.</summary>
    public int RateSourcesMax { get; init; } = 65536;

    /// <summary>Sources whose violations are kept at once: about 100 bytes each.</summary>
    public int ViolationSourcesMax { get; init; } = 16384;

    /// <summary>Room for rules beyond those of the first rule set; each 32 bytes and CPU.</summary>
    public int SlotsMin { get; init; } = 1024;

    /// <summary>Samples of drops go to a ring buffer.</summary>
    public bool HasEvents { get; init; } = true;

    /// <summary>Clock and interface are given, and the way of each packet is noted.</summary>
    public bool IsTest { get; init; }
}
