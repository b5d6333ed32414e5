namespace Pangea.DataPlane.Benchmarks.Storage;

/// <summary>What one round of reading or writing reached.</summary>
/// <param name="OperationsPerSecond">Finished transfers, or whatever the case counts.</param>
/// <param name="BytesPerSecond">Bytes moved.</param>
/// <param name="CpuUsPerOperation">
/// CPU time per operation in microseconds, user and kernel.
/// </param>
internal readonly record struct IoFigures(
    double OperationsPerSecond, double BytesPerSecond, double CpuUsPerOperation);
