using Pangea.DataPlane.Benchmarks.Appliance;
using Pangea.DataPlane.Benchmarks.Ces;
using Pangea.DataPlane.Benchmarks.Erasure;
using Pangea.DataPlane.Benchmarks.Firewall;
using Pangea.DataPlane.Benchmarks.Storage;
using Pangea.DataPlane.Benchmarks.Workers;

namespace Pangea.DataPlane.Benchmarks.Frame;

/// <summary>Every area there is; a new one adds its line here.</summary>
public static class BenchAreas
{
    public static readonly IReadOnlyList<IBenchArea> All =
    [
        new FrameArea(),
        new ApplianceArea(),
        new ErasureArea(),
        new CesArea(),
        new StorageArea(),
        new RingOptionsArea(),
        new WorkersArea(),
        new WorkerOptionsArea(),
        new FirewallArea(),
        new FirewallOptionsArea(),
    ];

    public static IBenchArea? Find(string name) =>
        All.FirstOrDefault(area => area.Name.Equals(name, StringComparison.OrdinalIgnoreCase));
}
