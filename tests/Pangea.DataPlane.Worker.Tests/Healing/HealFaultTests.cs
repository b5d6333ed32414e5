using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Reactor;

namespace Pangea.DataPlane.Worker.Tests.Healing;

/// <summary>
/// Goal: whichever operation of a heal fails, and however, nothing is lost and a later heal makes
/// everything whole. Method: a device is lost and replaced, and the n-th operation from then on
/// fails, for n = 1, 2, ... until none was left to fail.
/// </summary>
public sealed class HealFaultTests
{
    private const int Lost = 1;

    [Theory]
    [InlineData("EIO")]
    [InlineData("ENOSPC")]
    [InlineData("short")]
    [InlineData("torn")]
    public void Whatever_operation_fails_a_later_heal_succeeds(string fault)
    {
        int n = 0;
        bool failed = true;
        while (failed)
        {
            n++;
            failed = RunOnce(fault, n);
        }

        Assert.True(n > 30, $"only {n} operations were met");
    }

    private static bool RunOnce(string fault, int n)
    {
        string where = $"{fault} at {n}";
        var random = new Random(n);
        int calls = 0;
        bool isArmed = false;
        using var options = new StorageRigOptions(dataShards: 2, parityShards: 2)
        {
            StripeBytes = 16 * 1024,
        };
        options.Plan = call => isArmed && ++calls == n
            ? Injected(fault, call)
            : InjectedFault.None;
        var contents = new Dictionary<string, byte[]>
        {
            ["large"] = HealingTests.Bytes(random, (6 * options.StripeBytes) + 1),
            ["small"] = HealingTests.Bytes(random, 5000),
        };
        Dictionary<string, byte[]?[]> before;
        using (var rig = new HealingRig(options))
        {
            foreach ((string name, byte[] content) in contents)
            {
                Assert.True(rig.Rig.Put(name, content).IsOk);
            }

            before = HealingTests.ShardsOf(rig, contents.Keys);
            options.Destroy(Lost);
            Directory.CreateDirectory(options.DevicePaths[Lost]);
            isArmed = true;
            Result<DeviceChangeResult> replaced = rig.Replace(Lost, options.DevicePaths[Lost]);
            HealOnce(rig);
            isArmed = false;
            HealingTests.AssertContents(rig, contents);
            if (!replaced.IsOk)
            {
                Result<DeviceChangeResult> again =
                    rig.Replace(Lost, options.DevicePaths[Lost]);
                Assert.True(again.IsOk, $"{where}: {again.Fault?.Message}");
            }

            HealAgain(rig);
            HealingTests.AssertSame(before, HealingTests.ShardsOf(rig, contents.Keys), where);
            Assert.Equal(0, rig.Scrub().Errors);
            Assert.Equal(0, rig.Rig.LeasedSlabs);
        }

        // What the logs say is the same.
        options.LoseCatalog();
        using var anew = new HealingRig(options);
        HealingTests.AssertSame(before, HealingTests.ShardsOf(anew, contents.Keys), where);
        HealingTests.AssertContents(anew, contents);
        return calls >= n;
    }

    /// <summary>One try of everything, whatever comes of it.</summary>
    private static void HealOnce(HealingRig rig) => rig.Rig.OnLoop(async () =>
    {
        await rig.Healing.Check.RunAsync();
        await rig.Healing.Healer.IdleAsync();
        return true;
    });

    /// <summary>A device that failed is left alone for seconds; here they have passed.</summary>
    private static void HealAgain(HealingRig rig)
    {
        rig.Rig.OnLoop(() =>
        {
            foreach (Storage.StorageDevice device in rig.Rig.Service.Devices.All)
            {
                device.ReportSuccess();
            }

            return ValueTask.FromResult(true);
        });
        rig.Heal();
    }

    private static InjectedFault Injected(string fault, ReactorCall call) => fault switch
    {
        "EIO" => InjectedFault.Fail(Errno.EIO),
        "ENOSPC" => InjectedFault.Fail(Errno.ENOSPC),
        "short" => call.Bytes > 4096 ? InjectedFault.Short(4096) : InjectedFault.None,
        _ => call.Kind == ReactorCallKind.Write
            ? InjectedFault.Torn(4096, Errno.EIO)
            : InjectedFault.Fail(Errno.EIO),
    };
}
