using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Cli;

/// <summary>
/// Exit codes, for scripts. Stable: a meaning never moves to another number (docs/cli.md lists
/// them).
/// </summary>
public static class ExitCodes
{
    public const int Ok = 0;

    /// <summary>A defect, or a failure with no code of its own.</summary>
    public const int Failed = 1;

    /// <summary>The command line or a parameter is wrong.</summary>
    public const int Usage = 2;

    public const int NotFound = 3;

    /// <summary>The name is taken.</summary>
    public const int Exists = 4;

    /// <summary>Too few shards or devices.</summary>
    public const int Unavailable = 5;

    /// <summary>No appliance answers on the socket.</summary>
    public const int NotReachable = 6;

    public const int NoSpace = 7;

    /// <summary>The same command may succeed later.</summary>
    public const int TryAgain = 8;

    /// <summary>Stored bytes are damaged beyond repair.</summary>
    public const int Corrupt = 9;

    /// <summary>A local file or descriptor cannot be used.</summary>
    public const int BadFile = 10;

    /// <summary>Ctrl-C (128 + SIGINT).</summary>
    public const int Interrupted = 130;

    public static int Of(FaultCode code) => code switch
    {
        FaultCode.ParseError or FaultCode.InvalidRequest or FaultCode.MethodNotFound
            or FaultCode.InvalidParameters or FaultCode.TooLarge => Usage,
        FaultCode.NotFound => NotFound,
        FaultCode.Exists => Exists,
        FaultCode.Unavailable => Unavailable,
        FaultCode.NoSpace => NoSpace,
        FaultCode.Busy or FaultCode.WorkerLost or FaultCode.TimedOut => TryAgain,
        FaultCode.Corrupt => Corrupt,
        FaultCode.BadDescriptor or FaultCode.Denied => BadFile,
        FaultCode.Canceled => Interrupted,
        FaultCode.Internal or FaultCode.BadState or FaultCode.Unsupported or FaultCode.Io => Failed,
        _ => Failed,
    };
}
