using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux.Abi;
using Pangea.DataPlane.Linux.Sys;

namespace Pangea.DataPlane.Linux.Bpf;

/// <summary>
/// A program's attachment to an interface. It lasts as long as a descriptor or a pin holds it, and
/// nobody else can replace the program below it.
/// </summary>
public sealed unsafe class XdpLink : IDisposable
{
    private XdpLink(OwnedFd fd) => Fd = fd;

    public OwnedFd Fd { get; }

    /// <summary>Attaches; never replaces what is there (<see cref="FaultCode.Exists"/>).</summary>
    public static Result<XdpLink> Attach(BpfProgram program, int ifindex, XdpMode mode)
    {
        Invariant.Check(mode is XdpMode.Native or XdpMode.Generic);
        var options = new bpf_link_create_opts
        {
            sz = (nuint)sizeof(bpf_link_create_opts),
            flags = mode == XdpMode.Native
                ? Abi.Bpf.XDP_FLAGS_DRV_MODE
                : Abi.Bpf.XDP_FLAGS_SKB_MODE,
        };

        // SAFETY: the library reads as much of the options as sz says.
        int fd = Libbpf.bpf_link_create(
            program.Fd.Number, ifindex, Abi.Bpf.BPF_XDP, &options);
        if (fd >= 0)
        {
            return new XdpLink(new OwnedFd(fd));
        }

        // The kernel says EINVAL for a number that no interface has, and for much else.
        Errno errno = Exists(ifindex) ? new Errno(-fd) : Errno.ENODEV;
        uint there = Query(ifindex) is { IsOk: true } found ? found.Value.ProgramId : 0;
        return BpfFaults.OfAttach(ifindex, mode, errno, there);
    }

    /// <summary>Opens a pinned link.</summary>
    public static Result<XdpLink> Open(string path)
    {
        Result<OwnedFd> fd = BpfPins.Open(path);
        return fd.IsOk ? new XdpLink(fd.Value) : fd.Fault;
    }

    /// <summary>
    /// The program and the interface; interface 0 where it is gone and the link hangs on nothing.
    /// </summary>
    public Result<(uint ProgramId, int Ifindex)> Info()
    {
        int result = Libbpf.GetInfo(Fd.Number, out bpf_link_info info);
        return result < 0
            ? new Errno(-result).ToFault("read what a BPF link is")
            : (info.prog_id, (int)info.ifindex);
    }

    /// <summary>
    /// Puts another program in the place of the expected one, with no packet in between that meets
    /// none. Fails where somebody was faster (EPERM) or the interface is gone (ENOLINK).
    /// </summary>
    public Result Update(BpfProgram program, BpfProgram? expected)
    {
        var options = new bpf_link_update_opts
        {
            sz = (nuint)sizeof(bpf_link_update_opts),
            flags = expected is null ? 0 : Abi.Bpf.BPF_F_REPLACE,
            old_prog_fd = expected is null ? 0 : (uint)expected.Fd.Number,
        };

        // SAFETY: the library reads as much of the options as sz says.
        int result = Libbpf.bpf_link_update(Fd.Number, program.Fd.Number, &options);
        return result switch
        {
            >= 0 => Result.Ok,
            -1 when expected is not null => new Fault(
                FaultCode.BadState,
                "the attached program is not the expected one; somebody else has replaced it",
                Errno: 1),
            -67 => new Fault(
                FaultCode.NotFound, "the interface of the attachment is gone", Errno: 67),
            _ => new Errno(-result).ToFault("replace the attached program"),
        };
    }

    /// <summary>Takes the program off the interface at once, whoever holds the link.</summary>
    public Result Detach()
    {
        int result = Libbpf.bpf_link_detach(Fd.Number);
        return result < 0 && result != -67 // ENOLINK: the interface is gone, and it with it.
            ? new Errno(-result).ToFault("detach the XDP program")
            : Result.Ok;
    }

    /// <summary>What is attached to an interface, by whomever.</summary>
    public static Result<XdpAttachment> Query(int ifindex)
    {
        Result<string> version = BpfLibrary.Version;
        if (!version.IsOk)
        {
            return version.Fault;
        }

        var options = new bpf_xdp_query_opts { sz = (nuint)sizeof(bpf_xdp_query_opts) };

        // SAFETY: the library fills as much of the options as sz says.
        int result = Libbpf.bpf_xdp_query(ifindex, 0, &options);
        if (result < 0 || !Exists(ifindex))
        {
            return result is >= 0 or -19 or -6
                ? new Fault(
                    FaultCode.NotFound, $"there is no interface {ifindex}", Errno: 19)
                : new Errno(-result).ToFault($"ask what is attached to interface {ifindex}");
        }

        return options.attach_mode switch
        {
            Abi.Bpf.XDP_ATTACHED_DRV => new XdpAttachment(XdpMode.Native, options.drv_prog_id),
            Abi.Bpf.XDP_ATTACHED_SKB => new XdpAttachment(XdpMode.Generic, options.skb_prog_id),
            Abi.Bpf.XDP_ATTACHED_HW => new XdpAttachment(XdpMode.Hardware, options.hw_prog_id),
            Abi.Bpf.XDP_ATTACHED_MULTI => new XdpAttachment(XdpMode.Several, options.prog_id),
            _ => default,
        };
    }

    /// <summary>
    /// Takes somebody else's program off an interface. One that a link holds cannot be taken off
    /// this way: its owner's link has to be ended (<see cref="FaultCode.Exists"/>).
    /// </summary>
    public static Result Evict(int ifindex)
    {
        // Without a mode the kernel looks for one of the driver's only.
        bool isGeneric = Query(ifindex) is { IsOk: true, Value.Mode: XdpMode.Generic };
        int result = Libbpf.bpf_xdp_detach(
            ifindex, isGeneric ? Abi.Bpf.XDP_FLAGS_SKB_MODE : 0, null);
        return result switch
        {
            >= 0 => Result.Ok,
            -16 => new Fault(
                FaultCode.Exists,
                $"the XDP program on interface {ifindex} is held by a BPF link of somebody else",
                "end its owner; 'bpftool link' names it",
                Errno: 16),
            _ => new Errno(-result).ToFault($"take the XDP program off interface {ifindex}"),
        };
    }

    public void Dispose() => Fd.Dispose();

    private static bool Exists(int ifindex)
    {
        const int nameBytesMax = 16; // IF_NAMESIZE
        byte* name = stackalloc byte[nameBytesMax];

        // SAFETY: the call writes at most IF_NAMESIZE bytes.
        return LibC.if_indextoname((uint)ifindex, name) != null;
    }
}
