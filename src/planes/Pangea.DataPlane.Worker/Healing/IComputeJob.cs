using Pangea.DataPlane.Ces;

namespace Pangea.DataPlane.Worker;

/// <summary>Work for <see cref="ComputeThreads"/>.</summary>
internal interface IComputeJob
{
    /// <summary>
    /// Does the work and lets the loop know. Called once per start, by a compute thread.
    /// </summary>
    void Run(StripeCodec codec);
}
