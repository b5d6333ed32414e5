namespace Pangea.DataPlane.Core;

/// <summary>
/// How an object is spread: k data shards and m parity shards, any k of which restore it.
/// </summary>
/// <param name="DataShards">k, at least 1.</param>
/// <param name="ParityShards">m, at least 1; k + m is at most <see
/// cref="Limits.ShardsMax"/>.</param>
public readonly record struct Redundancy(int DataShards, int ParityShards)
{
    public static readonly Redundancy Default = new(8, 4);

    /// <summary>k + m.</summary>
    public int TotalShards => DataShards + ParityShards;

    /// <summary>
    /// Devices that must hold a stripe before a put is acknowledged: one more than restoring needs,
    /// so that an acknowledged object survives at least one loss even when some devices were down.
    /// </summary>
    public int CommitQuorum => DataShards + 1;

    public static Result<Redundancy> Create(int dataShards, int parityShards)
    {
        if (dataShards is < 1 or > Limits.ShardsMax
            || parityShards < 1
            || parityShards > Limits.ShardsMax - dataShards)
        {
            return Fault.InvalidParameter(
                "redundancy",
                $"{dataShards}+{parityShards} is not possible: k >= 1, m >= 1, k + m <= "
                + $"{Limits.ShardsMax}",
                "the default is 8+4");
        }

        return new Redundancy(dataShards, parityShards);
    }

    public override string ToString() => $"{DataShards}+{ParityShards}";
}
