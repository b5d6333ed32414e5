using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Core.Tests;

public sealed class RedundancyTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(8, 4)]
    [InlineData(254, 1)]
    [InlineData(1, 254)]
    public void What_the_field_allows_is_allowed(int dataShards, int parityShards)
    {
        Redundancy redundancy = Redundancy.Create(dataShards, parityShards).Value;

        Assert.Equal(dataShards + parityShards, redundancy.TotalShards);
        Assert.Equal($"{dataShards}+{parityShards}", redundancy.ToString());
    }

    [Theory]
    [InlineData(0, 4)]
    [InlineData(8, 0)]
    [InlineData(-1, 4)]
    [InlineData(8, -4)]
    [InlineData(255, 1)]
    [InlineData(1, 255)]
    [InlineData(int.MaxValue, int.MaxValue)] // Their sum is -2.
    [InlineData(int.MaxValue, 1)]
    [InlineData(1, int.MaxValue)]
    [InlineData(int.MinValue, int.MinValue)]
    public void Everything_else_is_refused(int dataShards, int parityShards)
    {
        Fault fault = Redundancy.Create(dataShards, parityShards).Fault!;

        Assert.Equal((FaultCode.InvalidParameters, "redundancy"), (fault.Code, fault.Field));
        Assert.NotNull(fault.Hint);
    }
}
