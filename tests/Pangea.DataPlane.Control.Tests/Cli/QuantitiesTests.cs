using Pangea.DataPlane.Cli;
using Pangea.DataPlane.Cli.Text;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Control.Tests.Cli;

public sealed class QuantitiesTests
{
    [Theory]
    [InlineData(0, "0 B")]
    [InlineData(1023, "1023 B")]
    [InlineData(1024, "1.00 KiB")]
    [InlineData(10239, "10.0 KiB")]
    [InlineData(102_400, "100 KiB")]
    [InlineData(1_048_575, "1.00 MiB")]
    [InlineData(1_572_864, "1.50 MiB")]
    [InlineData(long.MaxValue, "8.00 EiB")]
    public void Sizes_have_three_telling_digits(long bytes, string text) =>
        Assert.Equal(text, Quantities.Size(bytes));

    [Theory]
    [InlineData(59, "59 s")]
    [InlineData(61, "1 min 01 s")]
    [InlineData(7260, "2 h 01 min")]
    [InlineData(180_000, "2 d 2 h")]
    public void Times_have_two_units(long seconds, string text) =>
        Assert.Equal(text, Quantities.Uptime(seconds));

    /// <summary>Exit codes are promises: docs/cli.md names them, scripts depend on them.</summary>
    [Theory]
    [InlineData(FaultCode.InvalidParameters, 2)]
    [InlineData(FaultCode.MethodNotFound, 2)]
    [InlineData(FaultCode.NotFound, 3)]
    [InlineData(FaultCode.Exists, 4)]
    [InlineData(FaultCode.Unavailable, 5)]
    [InlineData(FaultCode.NoSpace, 7)]
    [InlineData(FaultCode.Busy, 8)]
    [InlineData(FaultCode.WorkerLost, 8)]
    [InlineData(FaultCode.TimedOut, 8)]
    [InlineData(FaultCode.Corrupt, 9)]
    [InlineData(FaultCode.BadDescriptor, 10)]
    [InlineData(FaultCode.Denied, 10)]
    [InlineData(FaultCode.Canceled, 130)]
    [InlineData(FaultCode.Internal, 1)]
    public void Exit_codes_are_stable(FaultCode code, int exitCode) =>
        Assert.Equal(exitCode, ExitCodes.Of(code));
}
