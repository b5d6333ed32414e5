using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Appliance.Tests;

/// <summary>
/// Goal: the firewall costs the supervisor three capabilities and nobody else any, and where they
/// are refused the reason is said and everything else works.
/// </summary>
public sealed class FirewallPrivilegeTests
{
    // CAP_NET_ADMIN, CAP_PERFMON, CAP_BPF of capabilities(7).
    private const ulong Kept = (1UL << 12) | (1UL << 38) | (1UL << 39);

    [SkippableFact]
    public void Only_the_supervisor_keeps_what_the_firewall_needs()
    {
        using GuardedAppliance guarded = new();
        guarded.Start();
        int supervisor = guarded.Appliance.SupervisorPid;
        int worker = guarded.Appliance.WorkerPid();
        int warden = Parent(worker);
        for (int round = 0; round < 2; round++)
        {
            foreach (string thread in Threads(supervisor))
            {
                Assert.Equal(Kept, Set(thread, "CapEff"));
                Assert.Equal(Kept, Set(thread, "CapPrm"));
                Assert.Equal(Kept, Set(thread, "CapBnd"));
                Assert.DoesNotContain("Uid:\t0", File.ReadAllText(thread));
            }

            foreach (string thread in Threads(warden))
            {
                Assert.Equal(0UL, Set(thread, "CapEff") & Kept);
                Assert.Equal(0UL, Set(thread, "CapBnd") & Kept);
            }

            foreach (string thread in Threads(guarded.Appliance.WorkerPid()))
            {
                foreach (string set in (string[])
                    ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"])
                {
                    Assert.Equal(0UL, Set(thread, set));
                }
            }

            // The same after an upgrade.
            Assert.Equal(0, guarded.Appliance.Run("upgrade").ExitCode);
            guarded.Appliance.WaitUntilReady();
            warden = Parent(guarded.Appliance.WorkerPid());
        }

        Assert.Contains("CAP_BPF (loads the firewall's program", guarded.Appliance.Log);
    }

    [SkippableFact]
    public void Without_the_capability_packets_are_judged_in_user_space_and_it_is_said_why()
    {
        using GuardedAppliance guarded = new("interfaces: { guard: auto }");
        guarded.Appliance.Wrapper = guarded.Enter(
            "/usr/bin/setpriv", "--bounding-set=-bpf,-perfmon,-sys_admin", "--");
        guarded.Start();
        FirewallInterface at = guarded.Interface();
        Assert.Equal("userspace", at.Mode);
        Assert.Contains("permitted", at.Reason, StringComparison.OrdinalIgnoreCase);
        Assert.False(guarded.IsAttached());
        Result<FirewallInterface> native = guarded.TryCall(
            FirewallMethods.Attach,
            new FirewallAttachParameters { Interface = "guard", Mode = "native" });
        Assert.False(native.IsOk);

        // Rules and bans are kept all the same, for whoever judges in user space.
        guarded.Call(FirewallRuleMethods.Add, new FirewallRuleAddParameters
        {
            Text = "deny udp port 1 name more",
        });
        guarded.Call(
            FirewallMethods.Ban, new FirewallBanParameters { Address = "203.0.113.9" });
        Assert.Equal(1, guarded.Status().Bans);
        guarded.Appliance.KillSupervisor();
        guarded.Start();
        Assert.Equal(2, guarded.Status().Rules);
    }

    [SkippableFact]
    public void Somebody_elses_program_stays()
    {
        using GuardedAppliance first = new("interfaces: { guard: native }");
        first.Start();
        int program = first.Interface().ProgramId!.Value;

        // Another appliance on the same machine, with a state of its own.
        using Appliance second = Appliance.Create(
            ["--config", first.ConfigurationPath, "--redundancy", "2+1"]);
        second.Wrapper = first.Enter();
        second.StartSupervisor();
        second.WaitUntilReady();
        using (Control.Connection.RpcClient client = second.Connect())
        {
            FirewallInterface at = client.Call(FirewallMethods.Status, Nothing.Value)
                .Value.Interfaces.Single();
            Assert.Equal("none", at.Mode);
            Assert.Contains("another XDP program is attached", at.Reason);
            Result<FirewallInterface> attached = client.Call(
                FirewallMethods.Attach,
                new FirewallAttachParameters { Interface = "guard" });
            Assert.Equal("userspace", attached.Value.Mode);
            Result<FirewallInterface> forced = client.Call(
                FirewallMethods.Attach,
                new FirewallAttachParameters
                {
                    Interface = "guard",
                    Mode = "native",
                    Force = true,
                });
            Assert.Equal(FaultCode.Exists, forced.Fault!.Code);
        }

        Assert.Equal(0, second.Stop());
        Assert.Equal(program, first.Interface().ProgramId);
        Assert.True(first.IsAttached());
    }

    [Fact]
    public void Without_the_section_every_change_says_what_to_write()
    {
        using Appliance appliance = Appliance.Start(["--redundancy", "2+1"]);
        using Control.Connection.RpcClient client = appliance.Connect();
        Result<FirewallBan> ban = client.Call(
            FirewallMethods.Ban, new FirewallBanParameters { Address = "192.0.2.1" });
        Assert.Equal(FaultCode.BadState, ban.Fault!.Code);
        Assert.Contains("firewall:", ban.Fault.Hint);
        Assert.False(client.Call(FirewallMethods.Status, Nothing.Value).Value.Enabled);
    }

    private static IEnumerable<string> Threads(int pid) =>
        Directory.GetDirectories($"/proc/{pid}/task")
            .Select(task => Path.Combine(task, "status"));

    private static ulong Set(string status, string name) => Convert.ToUInt64(
        File.ReadLines(status).Single(line => line.StartsWith(name + ":"))[(name.Length + 1)..]
            .Trim(),
        16);

    private static int Parent(int pid) => int.Parse(
        File.ReadLines($"/proc/{pid}/status").Single(line => line.StartsWith("PPid:"))[5..]);
}
