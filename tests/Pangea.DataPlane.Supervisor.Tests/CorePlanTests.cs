using FsCheck;
using FsCheck.Fluent;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Supervisor.Configuration;

namespace Pangea.DataPlane.Supervisor.Tests;

/// <summary>Which cores each role gets, on machines that are made up.</summary>
public sealed class CorePlanTests
{
    private const WorkerRole Storage = WorkerRole.Storage;
    private const WorkerRole Relay = WorkerRole.Relay;
    private const WorkerRole Gateway = WorkerRole.Gateway;
    private static readonly CoreRequest s_auto = new(null, "default");

    [Fact]
    public void On_one_core_everything_runs()
    {
        CorePlan plan = Plan(1, 1, 1, (Storage, s_auto), (Relay, s_auto), (Gateway, s_auto));
        Assert.Equal("storage=0 relay=0 gateway=0", plan.ToString());
        Assert.Equal([0], plan.Housekeeping);
        Assert.Equal([0], plan.MaskOf(Storage));
    }

    [Fact]
    public void Of_two_cores_the_first_is_for_housekeeping()
    {
        CorePlan plan = Plan(1, 2, 1, (Storage, s_auto));
        Assert.Equal([1], plan.Of(Storage));
        Assert.Equal(1, plan.LoopCoreOf(Storage));
        Assert.Equal([0], plan.Housekeeping);
        Assert.Equal([0, 1], plan.MaskOf(Storage));
        Assert.Null(plan.NodeOf(Storage));
        Assert.Empty(plan.Of(Relay));
    }

    [Fact]
    public void Two_threads_of_one_core_stay_together_and_none_is_spared()
    {
        CorePlan plan = Plan(1, 1, 2, (Storage, s_auto));
        Assert.Equal([0, 1], plan.Of(Storage));
        Assert.Equal(1, plan.LoopCoreOf(Storage));
        Assert.Equal([0], plan.Housekeeping);
    }

    [Fact]
    public void Eight_threads_of_four_cores_are_shared_by_whole_cores()
    {
        CorePlan plan = Plan(1, 4, 2, (Storage, s_auto), (Relay, s_auto));
        Assert.Equal("storage=1,5 relay=2-3,6-7", plan.ToString());
        Assert.Equal([0, 4], plan.Housekeeping);
    }

    [Fact]
    public void A_role_stays_on_one_node_and_two_roles_take_one_each()
    {
        CorePlan one = Plan(2, 4, 1, (Storage, s_auto));
        Assert.Equal("storage=4-7", one.ToString());
        Assert.Equal(1, one.NodeOf(Storage));
        CorePlan two = Plan(2, 4, 2, (Storage, s_auto), (Relay, s_auto));
        Assert.Equal("storage=4-7,12-15 relay=1-3,9-11", two.ToString());
        Assert.Equal((1, 0), (two.NodeOf(Storage), two.NodeOf(Relay)));
    }

    [Fact]
    public void What_is_named_is_taken_and_auto_keeps_off_its_siblings()
    {
        CorePlan plan = Plan(1, 4, 2, (Storage, Named(3)), (Relay, s_auto));
        Assert.Equal("storage=3 relay=1-2,5-6", plan.ToString());
        Assert.Equal([0, 4], plan.Housekeeping);
    }

    [Fact]
    public void With_everything_named_away_auto_shares()
    {
        CorePlan plan = Plan(1, 2, 1, (Storage, Named(0, 1)), (Relay, s_auto));
        Assert.Equal("storage=0-1 relay=0", plan.ToString());
    }

    [Fact]
    public void Offline_cores_and_those_outside_the_cpuset_are_left_out()
    {
        using var machine = new MadeUpMachine(1, 8, 1, offline: [2, 7]);
        CorePlan plan = CorePlan.Make(
            machine.Topology, [1, 3, 4, 5], Requests((Storage, s_auto))).Value;
        Assert.Equal("storage=3-5", plan.ToString());
        Assert.Equal([1], plan.Housekeeping);
    }

    [Fact]
    public void A_machine_that_tells_nothing_is_its_allowed_cores()
    {
        CpuTopology topology = CpuTopology.Read("/nowhere", [2, 5]);
        CorePlan plan = CorePlan.Make(topology, [2, 5], Requests((Storage, s_auto))).Value;
        Assert.Equal("storage=5", plan.ToString());
    }

    [Fact]
    public void All_that_is_impossible_is_told_at_once_with_what_would_be_possible()
    {
        using var machine = new MadeUpMachine(1, 8, 1, offline: [7]);
        Fault? fault = CorePlan.Make(
            machine.Topology,
            [0, 1, 2, 3, 4, 5],
            Requests(
                (Storage, new CoreRequest([1, 7, 9], "f:4:12")),
                (Relay, new CoreRequest([1, 6], "f:6:12")))).Fault;
        Assert.Equal(("cores", FaultCode.InvalidParameters), (fault?.Field, fault?.Code));
        Assert.Equal(
            [
                "f:4:12: cores of storage: core 7 is offline; online are 0-6",
                "f:4:12: cores of storage: there is no core 9; this machine has 0-7",
                "f:6:12: cores of relay: core 1 is storage's already",
                "f:6:12: cores of relay: core 6 is closed to this process by its affinity or "
                    + "cpuset, which allow 0-5",
            ],
            fault!.Message.Split('\n'));
        Assert.StartsWith("still free are 0,2-5;", fault.Hint);
    }

    /// <summary>
    /// Goal: on any machine the roles get usable cores, whole physical ones of one node, apart from
    /// each other and from housekeeping as long as there are enough.
    /// </summary>
    [Fact]
    public void Any_machine_is_shared_fairly() =>
        Prop.ForAll<byte, byte, int>((shape, roles, seed) =>
        {
            using var machine = new MadeUpMachine(
                (shape % 3) + 1, (shape / 3 % 6) + 1, (shape / 18 % 2) + 1);
            var random = new Random(seed);
            int[] allowed =
                [.. Enumerable.Range(0, machine.Count).Where(_ => random.Next(4) > 0)];
            allowed = allowed.Length > 0 ? allowed : [0];
            WorkerRole[] wanted = [.. Enum.GetValues<WorkerRole>().Take((roles % 3) + 1)];
            CpuTopology topology = machine.Topology;
            CorePlan plan = CorePlan.Make(
                topology, allowed, wanted.ToDictionary(role => role, _ => s_auto)).Value;
            Check(plan, topology, allowed, wanted);
        }).QuickCheckThrowOnFailure();

    private static void Check(
        CorePlan plan, CpuTopology topology, int[] allowed, WorkerRole[] wanted)
    {
        int[][] physical =
        [
            .. topology.Online.Where(core => allowed.Contains(core.Number))
                .GroupBy(core => core.Siblings[0])
                .Select(group => group.Select(core => core.Number).ToArray()),
        ];
        Assert.NotEmpty(plan.Housekeeping);
        Assert.Empty(plan.Housekeeping.Except(allowed));
        foreach (WorkerRole role in wanted)
        {
            IReadOnlyList<int> cores = plan.Of(role);
            Assert.NotEmpty(cores);
            Assert.Empty(cores.Except(allowed));
            Assert.Single(cores.Select(core => topology.Find(core)!.Node).Distinct());
            foreach (int[] together in physical)
            {
                Assert.Contains(together.Intersect(cores).Count(), (int[])[0, together.Length]);
            }

            bool apart = physical.Length > wanted.Length;
            if (apart)
            {
                Assert.Empty(cores.Intersect(plan.Housekeeping));
            }
        }

        bool enough = physical.Length >= wanted.Length;
        if (enough)
        {
            int[] all = [.. wanted.SelectMany(plan.Of)];
            Assert.Equal(all.Length, all.Distinct().Count());
        }
    }

    [Theory]
    [InlineData("0", "0")]
    [InlineData("2-3, 6", "2-3,6")]
    [InlineData("6,2-3,4", "2-4,6")]
    public void Lists_of_cores_are_read(string text, string cores) =>
        Assert.Equal(cores, CoreList.Format(CoreRequest.Parse(text, "").Value.Cores!));

    [Fact]
    public void Auto_is_read() => Assert.Null(CoreRequest.Parse("auto", "").Value.Cores);

    [Theory]
    [InlineData("")]
    [InlineData("1,")]
    [InlineData("3-2")]
    [InlineData("1-2-3")]
    [InlineData("-1")]
    [InlineData("0-99999999")]
    [InlineData("one")]
    public void What_is_no_list_is_refused(string text) =>
        Assert.Contains("no list of cores", CoreRequest.Parse(text, "").Fault?.Message);

    [Fact]
    public void A_core_that_is_named_twice_is_refused() =>
        Assert.Contains("core 3 twice", CoreRequest.Parse("1-3,3", "").Fault?.Message);

    private static CoreRequest Named(params int[] cores) => new(cores, "file:1:1");

    private static Dictionary<WorkerRole, CoreRequest> Requests(
        params (WorkerRole Role, CoreRequest Request)[] requests) =>
        requests.ToDictionary(each => each.Role, each => each.Request);

    private static CorePlan Plan(
        int nodes,
        int coresPerNode,
        int threads,
        params (WorkerRole Role, CoreRequest Request)[] requests)
    {
        using var machine = new MadeUpMachine(nodes, coresPerNode, threads);
        return CorePlan.Make(
            machine.Topology,
            [.. Enumerable.Range(0, machine.Count)],
            Requests(requests)).Value;
    }
}
