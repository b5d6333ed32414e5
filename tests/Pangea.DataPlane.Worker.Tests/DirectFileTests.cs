using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Reactor;

namespace Pangea.DataPlane.Worker.Tests;

/// <summary>
/// Goal: a caller may open its file with O_DIRECT and gets or gives the same bytes, whatever is not
/// aligned about them. Method: files of the scratch directory, of every interesting length and
/// part.
/// </summary>
public sealed class DirectFileTests
{
    private const int StripeBytes = 256 * 1024;

    [SkippableFact]
    public void What_is_got_directly_is_the_same()
    {
        using var options = new StorageRigOptions { StripeBytes = StripeBytes, ComputeThreads = 2 };
        using var rig = new StorageRig(options);
        int[] lengths = [0, 4096, 70_000, 12 * StripeBytes, (13 * StripeBytes) + 777];
        foreach (int length in lengths)
        {
            byte[] content = PutGetTests.Mixed(length);
            Assert.True(rig.Put("a", content).IsOk);
            (Result<ObjectGetResult> got, byte[] back) = Get(rig, options, null, null);
            Assert.True(got.IsOk, $"{length}: {got.Fault}");
            Assert.True(content.AsSpan().SequenceEqual(back), $"length {length}");
        }

        Assert.Equal(0, rig.LeasedSlabs);
    }

    [SkippableTheory]
    [InlineData(1, (5 * StripeBytes) + 5)]
    [InlineData(4096, 6 * StripeBytes)]
    [InlineData(2 * StripeBytes, 5 * StripeBytes)]
    [InlineData(StripeBytes - 1, 2)]
    public void A_part_that_is_not_aligned_is_the_same(int offset, int length)
    {
        using var options = new StorageRigOptions { StripeBytes = StripeBytes };
        using var rig = new StorageRig(options);
        byte[] content = PutGetTests.Mixed(9 * StripeBytes);
        Assert.True(rig.Put("a", content).IsOk);

        (Result<ObjectGetResult> got, byte[] back) = Get(rig, options, offset, length);

        Assert.True(got.IsOk, got.Fault?.ToString());
        Assert.True(content.AsSpan(offset, length).SequenceEqual(back));
    }

    [SkippableFact]
    public void What_is_put_directly_is_the_same()
    {
        using var options = new StorageRigOptions { StripeBytes = StripeBytes };
        using var rig = new StorageRig(options);
        foreach (int length in new[] { 1, 4096, (3 * StripeBytes) + 4096, (5 * StripeBytes) + 9 })
        {
            byte[] content = PutGetTests.Mixed(length);
            string path = Path.Combine(options.Scratch, "source");
            File.WriteAllBytes(path, content);
            using OwnedFd source = OpenDirect(path, OpenFlags.Read);
            Result<ObjectPutResult> put = rig.PutDescriptor("a", source);
            Assert.True(put.IsOk, $"{length}: {put.Fault}");
            Assert.True(content.AsSpan().SequenceEqual(rig.Get("a").Content), $"length {length}");
        }
    }

    /// <summary>A file system may ask for more than it was thought to.</summary>
    [SkippableFact]
    public void A_refused_direct_write_goes_through_the_page_cache()
    {
        using var options = new StorageRigOptions { StripeBytes = StripeBytes };
        using var rig = new StorageRig(options);
        byte[] content = PutGetTests.Mixed(9 * StripeBytes);
        Assert.True(rig.Put("a", content).IsOk);
        int refused = 0;
        options.Plan = call =>
            call.Kind == ReactorCallKind.Write && options.DeviceOf(call.File) < 0
                && Files.AccessMode(call.File).Value.Direct && ++refused > 2
                ? InjectedFault.Fail(Errno.EINVAL)
                : InjectedFault.None;

        (Result<ObjectGetResult> got, byte[] back) = Get(rig, options, null, null);

        Assert.True(got.IsOk, got.Fault?.ToString());
        Assert.True(refused > 2, "no write was refused");
        Assert.True(content.AsSpan().SequenceEqual(back));
    }

    private static (Result<ObjectGetResult> Result, byte[] Content) Get(
        StorageRig rig, StorageRigOptions options, long? offset, long? length)
    {
        string path = Path.Combine(options.Scratch, "target");
        File.Delete(path);
        Result<ObjectGetResult> result = rig.GetDescriptor(
            "a", OpenDirect(path, OpenFlags.Read | OpenFlags.Write | OpenFlags.Create), offset,
            length);
        return (result, File.ReadAllBytes(path));
    }

    private static OwnedFd OpenDirect(string path, OpenFlags flags)
    {
        Result<OwnedFd> file = Files.Open(path, flags | OpenFlags.Direct);
        Skip.IfNot(file.IsOk, "the file system of temporary files takes no O_DIRECT");
        return file.Value;
    }
}
