using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Worker.Tests;

/// <summary>
/// What a standby runs before it waits: a worker's first second, to its end, and nothing of it
/// stays.
/// </summary>
public sealed class RehearsalTests : IDisposable
{
    private readonly DirectoryInfo _place = Directory.CreateTempSubdirectory("pangea-rehearsal-");

    [Fact]
    public void Starts_serves_and_recovers_and_leaves_no_descriptor_in_the_process()
    {
        Fault? fault = OnThread(() => Rehearsal.Run(Open(), () => false));
        Assert.True(fault is null, fault?.ToString());

        // Objects went through devices: three logs, and a catalog that was made anew from them.
        Assert.Equal(
            3, _place.EnumerateDirectories().Count(each =>
                File.Exists(Path.Combine(each.FullName, "pangea-device.json"))));
        Assert.Equal(
            2, _place.EnumerateDirectories().Count(each =>
                File.Exists(Path.Combine(each.FullName, "data.mdb"))));
        Assert.Empty(Held());
    }

    /// <summary>The start may come at any of the moments at which it is looked for.</summary>
    [Fact]
    public void Ends_as_soon_as_the_start_has_come()
    {
        int looks = 0;
        Assert.Null(OnThread(() => Rehearsal.Run(Open(), () => ++looks < 0)));
        Assert.True(looks > 3, $"{looks} looks");
        for (int at = 0; at < looks; at += 2)
        {
            _place.Delete(recursive: true);
            _place.Create();
            int left = at;
            Fault? fault = OnThread(() => Rehearsal.Run(Open(), () => left-- <= 0));
            Assert.Equal(FaultCode.Canceled, fault?.Code);
            Assert.Empty(Held());
        }
    }

    [Fact]
    public void Tells_why_it_cannot()
    {
        File.WriteAllText(Path.Combine(_place.FullName, "0"), "no device");
        Assert.NotNull(OnThread(() => Rehearsal.Run(Open(), () => false)));
        Assert.Empty(Held());
    }

    public void Dispose() => _place.Delete(recursive: true);

    private OwnedFd Open() => DirectoryFd.Open(_place.FullName).Value.Fd;

    private string[] Held() =>
    [
        .. Directory.GetFileSystemEntries("/proc/self/fd")
            .Select(path => new FileInfo(path).LinkTarget)
            .OfType<string>()
            .Where(link => link.StartsWith(_place.FullName, StringComparison.Ordinal)),
    ];

    /// <summary>
    /// As in a worker, whose main thread it is: one that nobody else's loop runs on.
    /// </summary>
    private static Fault? OnThread(Func<Fault?> run)
    {
        Fault? fault = null;
        var thread = new Thread(() => fault = run());
        thread.Start();
        thread.Join();
        return fault;
    }
}
