using Pangea.DataPlane.Ces;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Storage;

namespace Pangea.DataPlane.Worker.Tests;

/// <summary>
/// Goal: each class keeps its objects as it says, and what was stored stays readable whatever the
/// classes and the current key are later. Method: objects of several classes, read by a worker that
/// was configured and keyed otherwise.
/// </summary>
public sealed class ObjectClassTests
{
    private static Dictionary<string, ObjectClass> Classes => new()
    {
        ["wide"] = StorageRig.ClassOf(new Redundancy(10, 2), 256 * 1024, CompressionMode.None),
        ["safe"] = StorageRig.ClassOf(new Redundancy(6, 6), 256 * 1024, CompressionMode.Archive),
        ["quick"] = StorageRig.ClassOf(new Redundancy(3, 1), 64 * 1024, CompressionMode.Adaptive),
    };

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public void Objects_of_every_class_outlive_the_classes(int threads)
    {
        byte[] content = PutGetTests.Mixed(700_000);
        using var options = new StorageRigOptions { Classes = Classes, ComputeThreads = threads };
        using (var rig = new StorageRig(options))
        {
            foreach (string? kind in new[] { null, "default", "wide", "safe", "quick" })
            {
                Result<ObjectPutResult> put = rig.Put($"of {kind}", content, kind: kind);
                Assert.True(put.IsOk, put.Fault?.ToString());
                int total = kind is "quick" ? 4 : 12;
                Assert.Equal((total, total), (put.Value.DevicesCommitted, put.Value.DevicesTotal));
            }

            byte[] text = new byte[700_000];
            Array.Fill(text, (byte)'t');
            Assert.True(rig.Put("text", text, kind: "wide").Value.StoredBytes > text.Length);
            Assert.True(rig.Put("text", text, kind: "safe").Value.StoredBytes < text.Length);
            Assert.True(rig.Remove("text").IsOk);
        }

        options.Classes.Clear();
        options.Classes["huge"] = StorageRig.ClassOf(new Redundancy(6, 6), 512 * 1024);
        using var later = new StorageRig(options);
        Assert.Equal(5, later.Names().Count);
        foreach (string name in later.Names())
        {
            (Result<ObjectGetResult> get, byte[] back) = later.Get(name);
            Assert.True(get.IsOk, get.Fault?.ToString());
            Assert.True(content.AsSpan().SequenceEqual(back), name);
        }
    }

    [Fact]
    public void Losses_are_borne_as_the_class_says()
    {
        byte[] content = PutGetTests.Mixed(100_000);
        using var options = new StorageRigOptions { Classes = Classes };
        using var rig = new StorageRig(options);
        Assert.True(rig.Put("wide", content, kind: "wide").IsOk);
        Assert.True(rig.Put("safe", content, kind: "safe").IsOk);
        for (int device = 0; device < 6; device++)
        {
            options.Destroy(device);
        }

        Assert.Equal(content, rig.Get("safe").Content);
        Fault fault = rig.Get("wide").Result.Fault!;
        Assert.Contains("needs 10 of 12 shards, has 6", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_unknown_class_is_refused_with_the_known_ones()
    {
        using var options = new StorageRigOptions { Classes = Classes };
        using var rig = new StorageRig(options);

        Fault fault = rig.Put("a", [1], kind: "cheap").Fault!;

        Assert.Equal((FaultCode.InvalidParameters, "class"), (fault.Code, fault.Field));
        Assert.Contains("default, quick, safe, wide", fault.Hint, StringComparison.Ordinal);
        Assert.Empty(rig.Names());
    }

    [Fact]
    public void After_a_rotation_new_objects_use_the_new_key_and_old_ones_stay_readable()
    {
        byte[] content = PutGetTests.Mixed(100_000);
        using var options = new StorageRigOptions();
        string newer = options.KeyText + KeyRing.Of(MasterKey.Generate()).FormatSecrets();
        using (var rig = new StorageRig(options))
        {
            Assert.True(rig.Put("old", content).IsOk);
            KeyId before = rig.Service.Keys.Current.Id;
            rig.OnLoop(() => ValueTask.FromResult(
                rig.Service.Keys.Merge(KeyRing.Parse(newer).Value).IsOk));
            Assert.NotEqual(before, rig.Service.Keys.Current.Id);
            Assert.True(rig.Put("new", content).IsOk);
            Assert.Equal(content, rig.Get("old").Content);
            Assert.Equal(content, rig.Get("new").Content);
        }

        // The old key alone reads the old object only, and says which key is missing for the other.
        using var withOldKey = new StorageRig(options);
        Assert.Equal(["old"], withOldKey.Names());
        Assert.Contains(
            withOldKey.Remarks,
            remark => remark.Contains("is not among", StringComparison.Ordinal));
    }
}
