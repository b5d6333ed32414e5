namespace Pangea.DataPlane.Linux.Bpf;

/// <summary>Where in a packet's way an XDP program runs.</summary>
public enum XdpMode
{
    /// <summary>No program is attached.</summary>
    None,

    /// <summary>In the driver, before a packet buffer is made.</summary>
    Native,

    /// <summary>In the kernel's receive path, for every driver; three times as dear.</summary>
    Generic,

    /// <summary>On the network card.</summary>
    Hardware,

    /// <summary>Several of them at once.</summary>
    Several,
}

/// <summary>What is attached to an interface.</summary>
/// <param name="Mode">Where it runs.</param>
/// <param name="ProgramId">The kernel's number for it; 0 where there is none.</param>
public readonly record struct XdpAttachment(XdpMode Mode, uint ProgramId);

internal static class XdpModes
{
    internal static string Name(XdpMode mode) => mode switch
    {
        XdpMode.Native => "native",
        XdpMode.Generic => "generic",
        XdpMode.Hardware => "hardware",
        XdpMode.Several => "several",
        _ => "no",
    };
}
