using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux.Bpf;

namespace Pangea.DataPlane.Linux.Tests;

public sealed class RcuTests
{
    [SkippableFact]
    public void Waits_without_a_barrier_of_the_kernel_too()
    {
        // Goal: on kernels with nohz_full the barrier is refused, and rule sets are swapped there
        // as well.
        const int EPERM = 1;
        SysResult byMap = Rcu.WaitByMap();
        Skip.If(byMap.Errno.Value == EPERM, "BPF maps may not be made here");
        Assert.True(byMap.IsOk, byMap.ToString());
        Assert.True(Rcu.TryWait(out Fault? fault), fault?.Message);
    }
}
