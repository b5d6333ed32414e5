using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux.Abi;
using Pangea.DataPlane.Linux.Jailing;
using Pangea.DataPlane.Linux.Sys;

namespace Pangea.DataPlane.Linux.Tests;

/// <summary>
/// Goal: rules allow what they say and nothing else. Method: each test takes them on in a thread of
/// its own, which is all that the kernel restricts, and tries.
/// </summary>
public sealed class LandlockRulesTests : IDisposable
{
    private readonly DirectoryInfo _root = Directory.CreateTempSubdirectory("pangea-landlock-");

    public LandlockRulesTests()
    {
        foreach (string name in (string[])["own", "read", "closed"])
        {
            _root.CreateSubdirectory(name).CreateSubdirectory("below");
            File.WriteAllText(Path.Combine(_root.FullName, name, "file"), "text");
        }
    }

    [SkippableFact]
    public void Own_places_take_everything_that_storing_does() => Behind(rules =>
    {
        using OwnedFd own = PathFd.Open(In("own")).Value;
        Assert.Null(rules.Allow(own, PlaceAccess.Own));
    },
    () =>
    {
        Assert.Null(TryOpen("own/file", OpenFlags.Read | OpenFlags.Write));
        Assert.Null(TryOpen("own/new", OpenFlags.Write | OpenFlags.Create));
        Assert.Null(TryOpen("own/new", OpenFlags.Write | OpenFlags.Truncate));
        using DirectoryFd own = DirectoryFd.Open(In("own")).Value;
        using DirectoryFd below = DirectoryFd.Open(In("own/below")).Value;
        Assert.True(own.Rename("new", below, "moved", replace: false).IsOk);
        Assert.True(below.RemoveFile("moved").IsOk);
        Assert.Equal(FaultCode.Denied, TryOpen("closed/file", OpenFlags.Read)?.Code);
        Assert.Equal(FaultCode.Denied, TryOpen("read/file", OpenFlags.Read)?.Code);
    });

    [SkippableFact]
    public void Read_places_take_no_writing() => Behind(
        rules => Assert.Null(rules.Allow(In("read"), PlaceAccess.Read)),
        () =>
        {
            Assert.Null(TryOpen("read/file", OpenFlags.Read));
            Assert.Equal(FaultCode.Denied, TryOpen("read/file", OpenFlags.Write)?.Code);
            FaultCode? made = TryOpen("read/new", OpenFlags.Write | OpenFlags.Create)?.Code;
            Assert.Equal(FaultCode.Denied, made);
        });

    /// <summary>What was open before stays usable: that is how a worker gets its files.</summary>
    [SkippableFact]
    public void Open_descriptors_stay_what_they_were()
    {
        using OwnedFd file = Files.Open(In("closed/file"), OpenFlags.Read | OpenFlags.Write).Value;
        Behind(
            _ => { },
            () =>
            {
                byte[] text = new byte[4];
                Assert.Equal(4, Files.ReadAt(file, text, 0).Value);
                Assert.Equal("text"u8.ToArray(), text);
                Assert.Equal(
                    FaultCode.Denied, TryOpen("closed/file", OpenFlags.Read)?.Code);
            });
    }

    [SkippableFact]
    public void A_path_that_does_not_exist_needs_no_rule() => Behind(
        rules => Assert.Null(rules.Allow(In("nowhere"), PlaceAccess.Read)), () => { });

    public void Dispose() => _root.Delete(recursive: true);

    private static void Behind(Action<LandlockRules> allow, Action attempt)
    {
        Result<int> version = LandlockRules.KernelVersion();
        Skip.IfNot(version.IsOk, version.Fault?.Message);
        Exception? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                using LandlockRules rules = LandlockRules.Create().Value;
                allow(rules);
                Assert.Equal(0, LibC.prctl(Process.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
                Assert.Null(rules.RestrictThread());
                attempt();
            }
            catch (Exception e)
            {
                failure = e;
            }
        });
        thread.Start();
        thread.Join();
        Assert.True(failure is null, failure?.ToString());
    }

    private string In(string name) => Path.Combine(_root.FullName, name);

    private Fault? TryOpen(string name, OpenFlags flags)
    {
        Result<OwnedFd> opened = Files.Open(In(name), flags);
        if (opened.IsOk)
        {
            opened.Value.Dispose();
        }

        return opened.Fault;
    }
}
