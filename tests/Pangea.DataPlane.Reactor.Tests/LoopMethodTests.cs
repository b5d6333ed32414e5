using System.Runtime.CompilerServices;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Reactor.Tests;

/// <summary>
/// Methods of <see cref="LoopMethodBuilder{TResult}"/>: like ordinary ones, but that they stay on
/// the loop's thread and allocate nothing in steady state, however many are under way at once.
/// </summary>
[Collection(nameof(Alone))]
public sealed class LoopMethodTests
{
    private const int AtOnce = 40;

    [Fact]
    public void Many_at_once_allocate_nothing_in_steady_state() => LoopRunner.Run(
        Executor.Plain,
        async (reactor, _) =>
        {
            var running = new ValueTask<int>[AtOnce];
            long least = long.MaxValue;
            for (int round = 0; round < 20; round++)
            {
                long before = GC.GetAllocatedBytesForCurrentThread();
                for (int i = 0; i < AtOnce; i++)
                {
                    running[i] = OuterAsync(reactor, i);
                }

                for (int i = 0; i < AtOnce; i++)
                {
                    Invariant.Check(await running[i] == i + 1);
                }

                least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
            }

            Assert.Equal(0, least);
        });

    [Fact]
    public void The_awaiter_stays_on_the_loop_in_any_manner_of_awaiting() => LoopRunner.Run(
        Executor.Plain,
        async (reactor, _) =>
        {
            Assert.Equal(8, await OuterAsync(reactor, 7));
            Assert.True(reactor.IsLoopThread);
            Assert.Equal(8, await OuterAsync(reactor, 7).ConfigureAwait(false));
            Assert.True(reactor.IsLoopThread);
            Task<int> kept = OuterAsync(reactor, 8).AsTask();
            Assert.Equal(9, await kept);
            Assert.True(reactor.IsLoopThread);
        });

    [Fact]
    public void Tasks_of_other_threads_bring_it_back_to_the_loop() => LoopRunner.Run(
        Executor.Plain,
        async (reactor, _) =>
        {
            Assert.True(await ElsewhereAsync(reactor));
            Assert.True(reactor.IsLoopThread);
        });

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void An_exception_reaches_the_awaiter_and_the_next_call_is_as_new(bool waitsFirst) =>
        LoopRunner.Run(Executor.Plain, async (reactor, _) =>
        {
            for (int i = 0; i < 3; i++)
            {
                var thrown = await Assert.ThrowsAsync<InvalidOperationException>(
                    async () => await ThrowAsync(reactor, waitsFirst));
                Assert.Equal("on purpose", thrown.Message);
                Assert.Equal(1, await OuterAsync(reactor, 0));
            }
        });

    [Fact]
    public void What_ends_at_once_has_its_result_at_once() => LoopRunner.Run(
        Executor.Plain,
        async (_, _) =>
        {
            ValueTask<int> task = AtOnceAsync(3);
            Assert.True(task.IsCompletedSuccessfully);
            Assert.Equal(3, await task);
        });

    [AsyncMethodBuilder(typeof(LoopMethodBuilder<>))]
    private static async ValueTask<int> OuterAsync(IReactor reactor, int value)
    {
        int same = await InnerAsync(reactor, value);
        await WaitAsync(reactor);
        Invariant.Check(same == value);
        return value + 1;
    }

    [AsyncMethodBuilder(typeof(LoopMethodBuilder<>))]
    private static async ValueTask<int> InnerAsync(IReactor reactor, int value)
    {
        SysResult waited = await reactor.DelayAsync(TimeSpan.Zero);
        return waited.IsOk ? value : -1;
    }

    [AsyncMethodBuilder(typeof(LoopMethodBuilder))]
    private static async ValueTask WaitAsync(IReactor reactor) =>
        _ = await reactor.DelayAsync(TimeSpan.Zero);

    [AsyncMethodBuilder(typeof(LoopMethodBuilder<>))]
    private static async ValueTask<bool> ElsewhereAsync(IReactor reactor)
    {
        await Task.Run(() => Invariant.Check(!reactor.IsLoopThread));
        return reactor.IsLoopThread;
    }

    [AsyncMethodBuilder(typeof(LoopMethodBuilder<>))]
    private static async ValueTask<int> ThrowAsync(IReactor reactor, bool waitsFirst)
    {
        if (waitsFirst)
        {
            await reactor.DelayAsync(TimeSpan.Zero);
        }

        throw new InvalidOperationException("on purpose");
    }

    [AsyncMethodBuilder(typeof(LoopMethodBuilder<>))]
    private static async ValueTask<int> AtOnceAsync(int value)
    {
        await default(ValueTask);
        return value;
    }
}
