using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Ces;

/// <summary>What the kernel says of a file comes as exceptions; here they become values.</summary>
internal static class FileFaults
{
    public static Result Guard(Action work)
    {
        try
        {
            work();
            return Result.Ok;
        }
        catch (Exception failure) when (IsOfTheKernel(failure))
        {
            return new Fault(FaultCode.Io, failure.Message);
        }
    }

    private static bool IsOfTheKernel(Exception failure) =>
        failure is IOException or UnauthorizedAccessException or NotSupportedException;
}
