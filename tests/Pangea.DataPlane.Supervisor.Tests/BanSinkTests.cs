using System.Net;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Reactor;
using Pangea.DataPlane.Supervisor.Configuration;
using Pangea.DataPlane.Supervisor.Devices;
using Pangea.DataPlane.Supervisor.Firewall;
using Pangea.DataPlane.Supervisor.Privilege;
using Pangea.DataPlane.Supervisor.State;

namespace Pangea.DataPlane.Supervisor.Tests;

/// <summary>Other planes ban through the firewall, where it is refused the kernel too.</summary>
public sealed class BanSinkTests : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("pangea-bans-");

    [Fact]
    public void A_plane_bans_and_its_reason_is_in_the_list()
    {
        using IReactor reactor = Reactors.Create(null, new ReactorOptions()).Value;
        using StateDirectory state = StateDirectory.Open(_directory.FullName).Value;
        using FirewallService service = FirewallService.Open(
            reactor, new FirewallSettings(), state, new NoPins()).Value;
        IBanSink sink = service.BanSink;
        Assert.True(sink.Ban(
            IPAddress.Parse("192.0.2.7"), TimeSpan.FromMinutes(5), "control", "3 wrong keys").IsOk);
        Assert.True(sink.Ban(
            IPAddress.Parse("::ffff:192.0.2.8"), TimeSpan.FromMinutes(5), "gateway", "x").IsOk);
        Assert.True(sink.Ban(
            IPAddress.Parse("2001:db8::7"), TimeSpan.FromMinutes(5), "gateway", "y").IsOk);
        Assert.False(sink.Ban(
            IPAddress.Parse("192.0.2.9"), TimeSpan.Zero, "gateway", "z").IsOk);
        FirewallBansResult bans = service.Bans(new FirewallBansParameters()).Value;
        Assert.Equal(
            [
                ("192.0.2.7", "control: 3 wrong keys", "plane"),
                ("192.0.2.8", "gateway: x", "plane"), ("2001:db8::7", "gateway: y", "plane"),
            ],
            bans.Bans.Select(each => (each.Address, each.Comment!, each.Origin!)));
        Assert.All(bans.Bans, each => Assert.NotNull(each.Expires));

        // They are kept over a restart.
        service.End(goesOn: false);
        using FirewallService next = FirewallService.Open(
            reactor, new FirewallSettings(), state, new NoPins()).Value;
        Assert.Equal(3, next.Status().Bans);
        Assert.Equal("no BPF here", next.Status().Reason);
    }

    public void Dispose() => _directory.Delete(recursive: true);

    private sealed class NoPins : IPrivilegedSteps
    {
        public bool StartedByRoot => false;

        public int? WardenPid => null;

        public Result<ChildProcess> Launch(
            IReadOnlyList<string> arguments, UnixSocket channel, IReadOnlyList<OwnedFd> places) =>
            throw new NotSupportedException();

        public Fault? InspectDevice(string path, string stateId) =>
            throw new NotSupportedException();

        public Result<OpenedPath> OpenDevice(string path) => throw new NotSupportedException();

        public Result<string> ReadConfiguration(string path) => throw new NotSupportedException();

        public Result<OwnedFd> OpenPins(string stateId) =>
            new Fault(FaultCode.Denied, "no BPF here");

        public Fault? RemovePins(string stateId) => null;

        public Fault? DiscardPins(string stateId) => null;

        public void RemoveSocket(string path)
        {
        }

        public void Dispose()
        {
        }
    }
}
