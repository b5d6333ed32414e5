using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux.Abi;
using Pangea.DataPlane.Linux.Sys;

namespace Pangea.DataPlane.Linux.Bpf;

/// <summary>What a test run gave.</summary>
/// <param name="Verdict">The program's return value: 1 drop, 2 pass for XDP.</param>
/// <param name="NsPerRun">Average time of one run, as the kernel measured it.</param>
public readonly record struct BpfRun(uint Verdict, uint NsPerRun);

/// <summary>A loaded program, by its descriptor.</summary>
public sealed unsafe class BpfProgram(OwnedFd fd) : IDisposable
{
    /// <summary>The kernel asks for at least this much of an Ethernet frame.</summary>
    public const int TestFrameBytesMin = 14;

    public OwnedFd Fd { get; } = fd;

    /// <summary>The kernel's number for it, as 'ip link' and bpftool show it.</summary>
    public Result<uint> Id()
    {
        int result = Libbpf.GetInfo(Fd.Number, out bpf_prog_info info);
        return result < 0 ? new Errno(-result).ToFault("read what a BPF program is") : info.id;
    }

    /// <summary>Opens a program by its number; needs CAP_SYS_ADMIN.</summary>
    public static Result<BpfProgram> OfId(uint id)
    {
        int fd = Libbpf.bpf_prog_get_fd_by_id(id);
        return fd < 0
            ? new Errno(-fd).ToFault($"open the BPF program {id}")
            : new BpfProgram(new OwnedFd(fd));
    }

    /// <summary>
    /// Runs the program on a copy of the frame, <paramref name="repeat"/> times on the same copy.
    /// Nothing is sent. A negative result is the errno: EINVAL for a frame that is too short.
    /// </summary>
    public SysResult TestRun(ReadOnlySpan<byte> frame, int repeat, out BpfRun run)
    {
        // SAFETY: the frame is pinned for the call and only read; there is no room for output.
        fixed (byte* data = frame)
        {
            var options = new bpf_test_run_opts
            {
                sz = (nuint)sizeof(bpf_test_run_opts),
                data_in = data,
                data_size_in = (uint)frame.Length,
                repeat = repeat,
            };
            int result = Libbpf.bpf_prog_test_run_opts(Fd.Number, &options);
            run = new BpfRun(options.retval, options.duration);
            return new SysResult(result);
        }
    }

    /// <summary>
    /// Runs the program on real frames, each of which goes the way its verdict says (Linux 5.18):
    /// a pass enters the stack as if it had come in at the interface; TX and redirect send.
    /// </summary>
    public SysResult LiveFrames(ReadOnlySpan<byte> frame, int ifindex, int count, int batch)
    {
        // struct xdp_md: data, data_end, data_meta, ingress_ifindex, and two that stay 0.
        uint* context = stackalloc uint[6];
        context[1] = (uint)frame.Length;
        context[3] = (uint)ifindex;

        // SAFETY: frame and context are pinned or on this stack for the call and only read.
        fixed (byte* data = frame)
        {
            var options = new bpf_test_run_opts
            {
                sz = (nuint)sizeof(bpf_test_run_opts),
                data_in = data,
                data_size_in = (uint)frame.Length,
                ctx_in = context,
                ctx_size_in = 6 * sizeof(uint),
                repeat = count,
                flags = Abi.Bpf.BPF_F_TEST_XDP_LIVE_FRAMES,
                batch_size = (uint)batch,
            };
            return new SysResult(Libbpf.bpf_prog_test_run_opts(Fd.Number, &options));
        }
    }

    public void Dispose() => Fd.Dispose();
}
