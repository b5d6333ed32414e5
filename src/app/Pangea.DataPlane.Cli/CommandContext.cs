using System.CommandLine;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Pangea.DataPlane.Control.Connection;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Control.Wire;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Cli;

/// <summary>
/// What one run of a command needs: its arguments, where to print, the appliance.
/// </summary>
internal sealed class CommandContext : IDisposable
{
    private readonly string? _socketOption;
    private RpcClient? _client;

    public CommandContext(ParseResult parsed, GlobalOptions options)
    {
        Parsed = parsed;
        Out = parsed.InvocationConfiguration.Output;
        Err = parsed.InvocationConfiguration.Error;
        _socketOption = parsed.GetValue(options.Socket);
        Option<string?>? format = ((Option<string?>[])[options.Format, options.WideFormat])
            .FirstOrDefault(parsed.CommandResult.Command.Options.Contains);
        string? chosen = format is null ? null : parsed.GetValue(format);
        IsJson = parsed.GetValue(options.Json) || chosen == "json";
        IsWide = chosen == "wide";
    }

    public ParseResult Parsed { get; }

    public bool IsJson { get; }

    /// <summary>Whether more was asked for than fits a line.</summary>
    public bool IsWide { get; }

    public TextWriter Out { get; }

    public TextWriter Err { get; }

    public string SocketPath => ControlAddress.Resolve(_socketOption);

    /// <summary>
    /// Connects to the appliance, once. Null where it cannot be reached; that has been reported
    /// then, and the command ends with <see cref="ExitCodes.NotReachable"/>.
    /// </summary>
    public RpcClient? Connect()
    {
        if (_client is null)
        {
            Result<RpcClient> connected = TryConnect();
            if (!connected.IsOk)
            {
                Report(connected.Fault);
                return null;
            }

            _client = connected.Value;
        }

        return _client;
    }

    /// <summary>Connects without reporting a failure.</summary>
    public Result<RpcClient> TryConnect()
    {
        Result<RpcClient> connected = RpcClient.Connect(SocketPath);
        if (connected.IsOk)
        {
            return connected;
        }

        string hint = connected.Fault.Code == FaultCode.Denied
            ? "run it as root or as the user that runs the supervisor"
            : $"start it with 'pangea supervise', or name its socket with --socket or " +
                $"{ControlAddress.Variable}";
        return connected.Fault with
        {
            Message = connected.Fault.Errno == 0
                ? connected.Fault.Message
                : $"no appliance answers on {SocketPath}: {new Errno(connected.Fault.Errno).Text}",
            Hint = hint,
        };
    }

    /// <summary>
    /// Makes a call without descriptors and gives its result to the right printer: JSON as it came,
    /// without decoding it, or the record for people.
    /// </summary>
    /// <param name="method">A row of the method table.</param>
    /// <param name="parameters">Its parameters.</param>
    /// <param name="print">Prints the result for people.</param>
    /// <param name="explain">Prints more about a fault for people, before its message.</param>
    public int CallAndPrint<TParameters, TResult>(
        RpcMethod<TParameters, TResult> method,
        TParameters parameters,
        Action<TResult> print,
        Action<Fault>? explain = null)
    {
        if (Connect() is not { } client)
        {
            return ExitCodes.NotReachable;
        }

        Result<RpcMessage> reply = client.CallRaw(
            method.Name, Serialize(parameters, method.ParametersJson));
        Fault? fault = reply.IsOk ? RpcErrors.Read(reply.Value) : reply.Fault;
        if (fault is not null)
        {
            if (!IsJson)
            {
                explain?.Invoke(fault);
            }

            return Fail(fault);
        }

        if (IsJson)
        {
            Out.WriteLine(Encoding.UTF8.GetString(reply.Value.Body.Span));
            return ExitCodes.Ok;
        }

        Result<TResult> result = RpcParameters.ReadResult(method, reply.Value);
        if (!result.IsOk)
        {
            return Fail(result.Fault);
        }

        print(result.Value);
        return ExitCodes.Ok;
    }

    /// <summary>Prints a record as one line of JSON.</summary>
    public void PrintJson<T>(T value, JsonTypeInfo<T> type) => Out.WriteLine(Json(value, type));

    /// <summary>A record as JSON, written as the appliance writes it.</summary>
    public static string Json<T>(T value, JsonTypeInfo<T> type) =>
        Encoding.UTF8.GetString(Serialize(value, type));

    /// <summary>Reports the fault; returns its exit code.</summary>
    public int Fail(Fault fault)
    {
        Report(fault);
        return ExitCodes.Of(fault.Code);
    }

    /// <summary>Reports a fault of a local file, which has an exit code of its own.</summary>
    public int FailFile(Fault fault)
    {
        Report(fault);
        return fault.Code switch
        {
            FaultCode.NoSpace => ExitCodes.NoSpace,
            FaultCode.Exists => ExitCodes.Exists,
            FaultCode.InvalidParameters => ExitCodes.Usage,
            _ => ExitCodes.BadFile,
        };
    }

    public void Dispose() => _client?.Dispose();

    private void Report(Fault fault) => FaultReport.Write(Err, fault, IsJson);

    private static byte[] Serialize<T>(T value, JsonTypeInfo<T> type)
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream, ControlJsonText.Writing))
        {
            JsonSerializer.Serialize(writer, value, type);
        }

        return stream.ToArray();
    }
}
