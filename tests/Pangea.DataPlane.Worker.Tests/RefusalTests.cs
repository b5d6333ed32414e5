using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Worker.Tests;

/// <summary>
/// Goal: what a start has shown of an operation that was refused stays so, whether or not the
/// catalog is there at the next one. Method: every operation from the n-th on fails, for each n, so
/// that entries land on some devices and nobody can take them back; then a checkpoint, a start, and
/// one without the catalog.
/// </summary>
public sealed class RefusalTests
{
    private const int CallsMax = 400;
    private const string Name = "object";

    [Fact]
    public void A_refused_removal_is_the_same_after_each_start() =>
        ForEachFault(rig => rig.Remove(Name).IsOk);

    [Theory]
    [InlineData(3000)]
    [InlineData(150_000)]
    public void A_refused_put_is_the_same_after_each_start(int bytes) =>
        ForEachFault(rig => rig.Put(Name, Content(2, bytes)).IsOk);

    private static void ForEachFault(Func<StorageRig, bool> operate)
    {
        int refused = 0;
        for (int first = 1; ; first++)
        {
            Assert.True(first < CallsMax, "the operation ends");
            using var options = new StorageRigOptions(dataShards: 2, parityShards: 2);
            if (HasSucceeded(options, operate, first))
            {
                break;
            }

            refused++;
            byte[]? shown = Show(options);
            Assert.True(
                Same(shown, Show(options)), $"fault at call {first}: another start, other bytes");
            options.LoseCatalog();
            Assert.True(
                Same(shown, Show(options)),
                $"fault at call {first}: {Text(shown)} before the catalog was lost, "
                    + $"{Text(Show(options))} after it");
        }

        Assert.True(refused > 3, $"only {refused} faults");
    }

    private static bool HasSucceeded(
        StorageRigOptions options, Func<StorageRig, bool> operate, int first)
    {
        using var rig = new StorageRig(options);
        Assert.True(rig.Put(Name, Content(1, 5000)).IsOk);
        Assert.True(rig.Checkpoint().IsOk);
        int calls = 0;
        options.Plan = _ => ++calls < first
            ? Reactor.InjectedFault.None
            : Reactor.InjectedFault.Fail(Errno.EIO);
        bool done = operate(rig);
        Assert.True(rig.Checkpoint().IsOk);
        options.Plan = null;
        return done && calls < first;
    }

    private static byte[]? Show(StorageRigOptions options)
    {
        options.Plan = null;
        using var rig = new StorageRig(options);
        (Result<ObjectGetResult> get, byte[] content) = rig.Get(Name);
        Assert.True(get.IsOk || get.Fault.Code == FaultCode.NotFound, get.Fault?.Message);
        return get.IsOk ? content : null;
    }

    private static bool Same(byte[]? a, byte[]? b) =>
        a is null ? b is null : b is not null && a.AsSpan().SequenceEqual(b);

    private static string Text(byte[]? content) =>
        content is null ? "nothing" : $"{content.Length} bytes";

    private static byte[] Content(int seed, int bytes)
    {
        var content = new byte[bytes];
        new Random(seed).NextBytes(content);
        return content;
    }
}
