using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux.Bpf;

namespace Pangea.DataPlane.Xdp.Tests;

/// <summary>What this machine lets a test do; asked once by trying it.</summary>
internal static class Kernel
{
    private static readonly Lazy<string?> s_refusal = new(Ask);

    /// <summary>Why no program can be loaded here; null where one can.</summary>
    internal static string? Refusal => s_refusal.Value;

    /// <summary>Skips where the program was not built or may not be loaded.</summary>
    internal static void NeedXdp() => Skip.If(s_refusal.Value is not null, s_refusal.Value);

    private static string? Ask()
    {
        if (Environment.GetEnvironmentVariable(XdpFilter.SwitchVariable) == "off")
        {
            return "XDP is switched off";
        }

        Result<BpfObject> opened = BpfObject.Open(new XdpFilterOptions().ObjectPath);
        if (!opened.IsOk)
        {
            return opened.Fault.Message;
        }

        using BpfObject file = opened.Value;
        Fault? fault = file.Load().Fault;
        return fault?.Code is FaultCode.Denied ? fault.Message : null;
    }
}
