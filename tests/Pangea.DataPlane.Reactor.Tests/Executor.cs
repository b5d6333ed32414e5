namespace Pangea.DataPlane.Reactor.Tests;

/// <summary>The ways a reactor can work; every scenario runs on each.</summary>
public enum Executor
{
    Uring,

    /// <summary>io_uring without what Linux 6.1 brought.</summary>
    UringOld,

    /// <summary>io_uring without registered buffers, files and early submission.</summary>
    UringBare,

    Plain,

    /// <summary>Plain where pipes cannot be asked without waiting (before Linux 6.4).</summary>
    PlainOld,
}

internal static class ExecutorExtensions
{
    internal static bool IsUring(this Executor executor) =>
        executor is Executor.Uring or Executor.UringOld or Executor.UringBare;

    /// <summary>The given bounds with this executor's choice.</summary>
    internal static ReactorOptions Options(this Executor executor, ReactorOptions? bounds = null)
    {
        ReactorOptions options = (bounds ?? new ReactorOptions()) with
        {
            Choice = executor.IsUring() ? ReactorChoice.IoUring : ReactorChoice.Plain,
            IsOldKernel = executor is Executor.UringOld or Executor.PlainOld,
        };
        return executor == Executor.UringBare
            ? options with { RegisterBuffers = false, FileSlots = 0, SubmitBatch = 0 }
            : options;
    }
}
