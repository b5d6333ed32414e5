using System.Diagnostics;
using System.Globalization;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Worker.Tests;

/// <summary>
/// Goal: whenever a worker ends, what it acknowledged is whole, what it did not is absent or whole,
/// and what it replaced is never half of each. Method: rounds of puts and removals that are cut off
/// at a random operation, every operation from there on failing as the kernel's would after a kill;
/// then a new worker on the same devices, now and then without its catalog. Real kills of real
/// processes are in the appliance's tests.
/// </summary>
public sealed class CrashRoundsTests
{
    private const string RoundsVariable = "PANGEA_CRASH_ROUNDS";
    private static readonly TimeSpan s_timeMax = TimeSpan.FromSeconds(60);

    [Fact]
    public void Whatever_is_cut_off_what_was_acknowledged_is_whole()
    {
        string? asked = Environment.GetEnvironmentVariable(RoundsVariable);
        int rounds = asked is null ? 200 : int.Parse(asked, CultureInfo.InvariantCulture);
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        using var options = new StorageRigOptions(dataShards: 2, parityShards: 2);
        var truth = new Truth();
        var watch = Stopwatch.StartNew();
        int round = 0;
        for (; round < rounds && (asked is not null || watch.Elapsed < s_timeMax); round++)
        {
            if (random.Next(10) == 0)
            {
                options.LoseCatalog();
                truth.Note("catalog lost");
            }

            long calls = 0;
            long end = random.Next(1, 400);
            options.Plan = null;
            using var rig = new StorageRig(options);
            truth.Check(rig, $"seed {seed}, round {round}");
            options.Plan = call => ++calls < end
                ? Reactor.InjectedFault.None
                : Reactor.InjectedFault.Fail(Errno.EIO);
            for (int i = 0; i < 12 && calls < end; i++)
            {
                Step(rig, truth, random);
            }

            if (random.Next(3) == 0)
            {
                truth.Note($"checkpoint {(rig.Checkpoint().IsOk ? "made" : "refused")}");
            }
        }

        Assert.True(round >= Math.Min(rounds, 20), $"only {round} rounds in {watch.Elapsed}");
    }

    private static void Step(StorageRig rig, Truth truth, Random random)
    {
        string name = $"object {random.Next(8)}";
        if (random.Next(5) == 0)
        {
            bool removed = rig.Remove(name).IsOk;
            truth.Changed(name, null, removed);
            return;
        }

        byte[] content = new byte[random.Next(3) == 0 ? random.Next(200_000) : random.Next(5000)];
        random.NextBytes(content);
        Result<ObjectPutResult> put = rig.Put(name, content);
        truth.Changed(name, content, put.IsOk);
    }

    /// <summary>What each name may hold: one value once acknowledged, several before.</summary>
    private sealed class Truth
    {
        private readonly Dictionary<string, List<byte[]?>> _possible = [];
        private readonly List<string> _history = [];

        /// <summary>For whoever has to find out why.</summary>
        public void Note(string what) => _history.Add(what);

        /// <param name="name">Of the object.</param>
        /// <param name="content">What it would be; null for removed.</param>
        /// <param name="acknowledged">Whether it must be that now.</param>
        public void Changed(string name, byte[]? content, bool acknowledged)
        {
            Note($"{name}: {(content is null ? "removal" : $"put of {content.Length}")} "
                + (acknowledged ? "acknowledged" : "refused"));
            if (acknowledged || !_possible.TryGetValue(name, out List<byte[]?>? values))
            {
                _possible[name] = values = acknowledged ? [] : [null];
            }

            values.Add(content);
        }

        private IEnumerable<string> HistoryOf(string name) => _history
            .Where(line => line.StartsWith(name, StringComparison.Ordinal) || !line.Contains(": "))
            .TakeLast(60);

        private static string Lengths(IEnumerable<byte[]?> values) => string.Join(
            ", ", values.Select(value => value is null ? "no" : $"{value.Length}"));

        public void Check(StorageRig rig, string where)
        {
            Note("start");
            foreach ((string name, List<byte[]?> values) in _possible)
            {
                (Result<ObjectGetResult> get, byte[] back) = rig.Get(name);
                byte[]? found = get.IsOk ? back : null;
                Assert.True(
                    get.IsOk || get.Fault.Code == FaultCode.NotFound,
                    $"{where}: {name}: {get.Fault}");
                Assert.True(
                    values.Any(value => value is null
                        ? found is null
                        : found is not null && value.AsSpan().SequenceEqual(found)),
                    $"{where}: {name} is none of the {values.Count} values it may have: it has "
                        + $"{Lengths([found])} bytes, acknowledged were {Lengths(values)}; "
                        + $"the start said: {string.Join("; ", rig.Remarks)}\n"
                        + string.Join("\n", HistoryOf(name)));

                // What a start has shown stays so.
                _possible[name] = [found];
            }
        }
    }
}
