using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Supervisor.Configuration;

/// <summary>
/// Which cores each role has, and which are left to everything else. A pure function of topology,
/// allowance and wishes.
/// </summary>
/// <remarks>
/// What somebody named is taken as it is or refused. The rest shares what is free: logical
/// processors of one physical core stay together, a role stays on one memory node because it has
/// one worker, and one physical core is left for housekeeping where that leaves one for each role.
/// With fewer than that, roles share: on one core everything still runs.
/// </remarks>
public sealed class CorePlan
{
    private readonly CpuTopology _topology;
    private readonly SortedDictionary<WorkerRole, int[]> _cores = [];

    private CorePlan(CpuTopology topology) => _topology = topology;

    /// <summary>
    /// Cores of the supervisor and of the workers' other threads, ascending; those of a role where
    /// there are not enough.
    /// </summary>
    public IReadOnlyList<int> Housekeeping { get; private set; } = [];

    /// <summary>Cores of a role, ascending; none where it was not asked for.</summary>
    public IReadOnlyList<int> Of(WorkerRole role) => _cores.GetValueOrDefault(role, []);

    /// <summary>
    /// Where a role's loop runs: on the last of its cores, because the kernel likes the first ones
    /// for interrupts.
    /// </summary>
    public int LoopCoreOf(WorkerRole role) => Of(role)[^1];

    /// <summary>Cores that any thread of the role's worker may use, ascending.</summary>
    public IReadOnlyList<int> MaskOf(WorkerRole role) =>
        [.. Of(role).Union(Housekeeping).Order()];

    /// <summary>Memory node of the role's loop; null on a machine with one node.</summary>
    public int? NodeOf(WorkerRole role) =>
        _topology.NodeCount > 1 ? _topology.Find(LoopCoreOf(role))?.Node : null;

    /// <summary>One phrase for the log: "storage=1,3 relay=5".</summary>
    public override string ToString() =>
        string.Join(' ', _cores.Select(
            each => $"{NameOf(each.Key)}={CoreList.Format(each.Value)}"));

    /// <summary>The role's word in configuration, log and reports.</summary>
    public static string NameOf(WorkerRole role) => role.ToString().ToLowerInvariant();

    /// <summary>Makes the plan, or tells everything that is impossible about the wishes.</summary>
    /// <param name="topology">The machine.</param>
    /// <param name="allowed">Cores that affinity and cpuset leave to this process.</param>
    /// <param name="requests">By role; roles without a request get no core.</param>
    public static Result<CorePlan> Make(
        CpuTopology topology,
        IReadOnlyList<int> allowed,
        IReadOnlyDictionary<WorkerRole, CoreRequest> requests)
    {
        CpuTopology known = topology.Online.Any(core => allowed.Contains(core.Number))
            ? topology
            : CpuTopology.Flat(allowed);
        CpuCore[] usable = [.. known.Online.Where(core => allowed.Contains(core.Number))];
        var plan = new CorePlan(known);
        var taken = new Dictionary<int, WorkerRole>();
        var errors = new List<string>();
        foreach ((WorkerRole role, CoreRequest request) in requests.OrderBy(each => each.Key))
        {
            if (request.Cores is { } named)
            {
                errors.AddRange(named
                    .Select(core => (Core: core, Why: WhyNot(core, known, usable, taken)))
                    .Where(each => each.Why is not null)
                    .Select(each => $"{request.Place}: cores of {NameOf(role)}: {each.Why}"));
                plan._cores[role] = [.. named];
                foreach (int core in named)
                {
                    taken.TryAdd(core, role);
                }
            }
        }

        if (errors.Count > 0)
        {
            string free = CoreList.Format(
                usable.Select(core => core.Number).Where(core => !taken.ContainsKey(core)));
            return Fault.InvalidParameter(
                "cores",
                string.Join('\n', errors),
                free.Length > 0
                    ? $"still free are {free}; \"auto\" chooses by itself"
                    : "\"auto\" chooses by itself");
        }

        plan.Share(
            usable,
            taken.Keys,
            [.. requests.Where(each => each.Value.Cores is null)
                .Select(each => each.Key).Order()]);
        return plan;
    }

    private static string? WhyNot(
        int core, CpuTopology topology, CpuCore[] usable, Dictionary<int, WorkerRole> taken)
    {
        if (taken.TryGetValue(core, out WorkerRole owner))
        {
            return $"core {core} is {NameOf(owner)}'s already";
        }

        if (!topology.Present.Contains(core))
        {
            return $"there is no core {core}; this machine has "
                + CoreList.Format(topology.Present);
        }

        if (topology.Find(core) is null)
        {
            return $"core {core} is offline; online are "
                + CoreList.Format(topology.Online.Select(each => each.Number));
        }

        return usable.Any(each => each.Number == core)
            ? null
            : $"core {core} is closed to this process by its affinity or cpuset, which allow "
                + CoreList.Format(usable.Select(each => each.Number));
    }

    /// <summary>Gives what is free to the roles without a wish, and leaves some.</summary>
    private void Share(CpuCore[] usable, ICollection<int> taken, WorkerRole[] roles)
    {
        List<Unit> units = FreeUnits(usable, taken);
        if (units.Count > roles.Length)
        {
            // The lowest: interrupts and everything that pins nothing are mostly there already.
            Unit spare = units.MinBy(unit => unit.Cores[0])!;
            units.Remove(spare);
            Housekeeping = spare.Cores;
        }

        foreach (IGrouping<int, WorkerRole> group in Spread(units, roles))
        {
            Unit[] near = [.. units.Where(unit => unit.Node == group.Key)];
            WorkerRole[] neighbours = [.. group];
            for (int i = 0; i < neighbours.Length; i++)
            {
                // An even part each, in one piece; with fewer units than roles some share one.
                int first = i * near.Length / neighbours.Length;
                int end = Math.Max((i + 1) * near.Length / neighbours.Length, first + 1);
                _cores[neighbours[i]] =
                    [.. near[first..end].SelectMany(unit => unit.Cores).Order()];
            }
        }

        int[] all = [.. usable.Select(core => core.Number)];
        if (Housekeeping.Count == 0)
        {
            int[] left = [.. all.Except(_cores.Values.SelectMany(cores => cores))];
            Housekeeping = left.Length > 0 ? [left[0]] : [all[0]];
        }

        // Only where others were given everything by name.
        foreach (WorkerRole role in roles.Where(role => !_cores.ContainsKey(role)))
        {
            _cores[role] = [.. Housekeeping];
        }
    }

    /// <summary>
    /// Physical cores that nobody named, or where there are none, what is left of the others.
    /// </summary>
    private static List<Unit> FreeUnits(CpuCore[] usable, ICollection<int> taken)
    {
        Unit[] all =
        [
            .. usable.GroupBy(core => core.Siblings[0])
                .Select(group => new Unit(
                    group.First().Node, [.. group.Select(core => core.Number).Order()])),
        ];
        Unit[] whole = [.. all.Where(unit => !unit.Cores.Any(taken.Contains))];
        Unit[] parts =
        [
            .. all.Select(unit => unit with { Cores = [.. unit.Cores.Except(taken)] })
                .Where(unit => unit.Cores.Length > 0),
        ];
        return [.. (whole.Length > 0 ? whole : parts).OrderBy(unit => unit.Cores[0])];
    }

    /// <summary>
    /// A node for each role: the one with the most physical cores for a role more, the last of
    /// equals because housekeeping is on the first.
    /// </summary>
    private static IEnumerable<IGrouping<int, WorkerRole>> Spread(
        List<Unit> units, WorkerRole[] roles)
    {
        var nodes = units.GroupBy(unit => unit.Node)
            .Select(group => (Node: group.Key, Units: group.Count()))
            .OrderByDescending(node => node.Node)
            .ToArray();
        if (nodes.Length == 0)
        {
            return [];
        }

        var rolesOf = nodes.ToDictionary(node => node.Node, _ => 0);
        var chosen = new List<(int Node, WorkerRole Role)>();
        foreach (WorkerRole role in roles)
        {
            int node = nodes.MaxBy(each => (double)each.Units / (rolesOf[each.Node] + 1)).Node;
            rolesOf[node]++;
            chosen.Add((node, role));
        }

        return chosen.GroupBy(each => each.Node, each => each.Role);
    }

    /// <summary>A physical core, as far as it is free.</summary>
    private sealed record Unit(int Node, int[] Cores);
}
