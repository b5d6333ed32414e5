using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Control.Wire;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Control.Tests;

/// <summary>
/// Goal: any bytes get a defined answer; what is well formed is cut without being changed.
/// </summary>
public sealed class RpcParserTests
{
    [Theory]
    [InlineData("", FaultCode.ParseError)]
    [InlineData("{", FaultCode.ParseError)]
    [InlineData("{}{}", FaultCode.ParseError)]
    [InlineData("{'a':1}", FaultCode.ParseError)]
    [InlineData("{\"a\":1,}", FaultCode.ParseError)]
    [InlineData("/*c*/{}", FaultCode.ParseError)]
    [InlineData("{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"method\":\"a.b\"}", FaultCode.ParseError)]
    [InlineData("{\"jsonrpc\":\"2.0\",\"method\":\"\\ud800\"}", FaultCode.ParseError)]
    [InlineData("{\"jsonrpc\":\"2.0\",\"\\udc00\":1}", FaultCode.ParseError)]
    [InlineData("1", FaultCode.InvalidRequest)]
    [InlineData("null", FaultCode.InvalidRequest)]
    [InlineData("[]", FaultCode.InvalidRequest)]
    [InlineData("[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a.b\"}]", FaultCode.InvalidRequest)]
    [InlineData("{}", FaultCode.InvalidRequest)]
    [InlineData("{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"a.b\"}", FaultCode.InvalidRequest)]
    [InlineData("{\"jsonrpc\":2.0,\"id\":1,\"method\":\"a.b\"}", FaultCode.InvalidRequest)]
    [InlineData("{\"jsonrpc\":\"2.0\",\"id\":1}", FaultCode.InvalidRequest)]
    [InlineData("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":7}", FaultCode.InvalidRequest)]
    [InlineData("{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"a.b\"}", FaultCode.InvalidRequest)]
    [InlineData("{\"jsonrpc\":\"2.0\",\"id\":true,\"method\":\"a.b\"}", FaultCode.InvalidRequest)]
    [InlineData(
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a.b\",\"x\":1}", FaultCode.InvalidRequest)]
    [InlineData("{\"jsonrpc\":\"2.0\",\"result\":1}", FaultCode.InvalidRequest)]
    [InlineData(
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1,\"error\":{}}", FaultCode.InvalidRequest)]
    [InlineData(
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a.b\",\"params\":[1]}",
        FaultCode.InvalidParameters)]
    [InlineData(
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a.b\",\"params\":null}",
        FaultCode.InvalidParameters)]
    public void Refuses_what_is_no_message(string line, FaultCode expected)
    {
        Assert.False(
            RpcParser.TryParse(Encoding.UTF8.GetBytes(line), out _, out RpcRefusal? refusal));
        Assert.Equal(expected, refusal.Fault.Code);
    }

    [Fact]
    public void Refuses_bytes_that_are_not_utf8()
    {
        byte[] line = [.. "{\"jsonrpc\":\"2.0\",\"method\":\""u8, 0xFF, .. "\"}"u8];
        Assert.False(RpcParser.TryParse(line, out _, out RpcRefusal? refusal));
        Assert.Equal("not valid UTF-8", refusal.Fault.Message);
    }

    [Fact]
    public void Refuses_deep_nesting()
    {
        string line = "{\"jsonrpc\":\"2.0\",\"method\":\"a.b\",\"params\":{\"a\":"
            + new string('[', 100_000) + new string(']', 100_000) + "}}";
        Assert.False(
            RpcParser.TryParse(Encoding.UTF8.GetBytes(line), out _, out RpcRefusal? refusal));
        Assert.Equal(FaultCode.ParseError, refusal.Fault.Code);
    }

    [Theory]
    [InlineData("{\"jsonrpc\":\"1.0\",\"id\":\"abc\",\"method\":\"a.b\"}", "\"abc\"")]
    [InlineData("{\"jsonrpc\":\"2.0\",\"id\":1e2,\"method\":7}", "1e2")]
    [InlineData("{\"jsonrpc\":\"2.0\",\"id\":[1],\"method\":\"a.b\"}", "null")]
    [InlineData("{\"jsonrpc\":\"2.0\"", "null")]
    public void Answers_with_the_id_where_it_can_be_told(string line, string id)
    {
        Assert.False(
            RpcParser.TryParse(Encoding.UTF8.GetBytes(line), out _, out RpcRefusal? refusal));
        Assert.Equal(id, Encoding.UTF8.GetString(refusal.Id.Span));
    }

    [Theory]
    [InlineData("0")]
    [InlineData("-17")]
    [InlineData("1.50")]
    [InlineData("123456789012345678901234567890")]
    [InlineData("\"a\\u0062c\"")]
    [InlineData("null")]
    public void Keeps_the_id_as_it_was_written(string id)
    {
        string line =
            $" {{ \"id\" : {id} , \"jsonrpc\":\"2.0\", \"params\" : {{ \"name\" : \"x\" }}," +
            "\"method\":\"object.stat\"}";
        RpcMessage message = Parse(line);
        Assert.Equal(RpcKind.Request, message.Kind);
        Assert.Equal(id, Encoding.UTF8.GetString(message.Id.Span));
        Assert.Equal("object.stat", message.Method);

        // There and back: the line is the same but for the id, byte by byte.
        RpcMessage renumbered = Parse(
            Encoding.UTF8.GetString(RpcWriter.WithId(message, "42"u8)).TrimEnd('\n'));
        Assert.Equal(42, renumbered.IdNumber);
        Assert.Equal(
            line + "\n", Encoding.UTF8.GetString(RpcWriter.WithId(renumbered, message.Id.Span)));
    }

    [Fact]
    public void Maps_the_id_inside_a_progress_notification()
    {
        byte[] line = RpcWriter.Notification(
            WorkerMethods.Progress,
            new ObjectProgress { Id = 900, Bytes = 5 },
            ControlJson.Default.ObjectProgress);
        RpcMessage message = Parse(Encoding.UTF8.GetString(line).TrimEnd('\n'));
        Assert.Equal(RpcKind.Notification, message.Kind);
        Assert.Equal("900", Encoding.UTF8.GetString(RpcWriter.CallId(message).Span));
        Assert.Equal(
            "{\"jsonrpc\":\"2.0\",\"method\":\"object.progress\"," +
            "\"params\":{\"id\":\"mine\",\"bytes\":5,\"bytesTotal\":null}}\n",
            Encoding.UTF8.GetString(RpcWriter.WithCallId(message, "\"mine\""u8)!));
    }

    [Fact]
    public void Any_bytes_get_a_defined_answer() =>
        Prop.ForAll<byte[]>(bytes =>
        {
            RpcParser.Fuzz(bytes);
            return true;
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void Damaged_messages_get_a_defined_answer()
    {
        byte[][] seeds =
        [
            .. RpcMethods.All.Concat(WorkerMethods.Private).Select(m => RpcWriter.RequestRaw(
                "1"u8, m.Name, Encoding.UTF8.GetBytes(m.Example.ReplaceLineEndings("")))),
            RpcWriter.Error("\"x\""u8, new Fault(FaultCode.Io, "broken", "hint", "field", 5)),
            RpcWriter.ResultRaw("3"u8, "{\"objects\":[]}"u8),
        ];
        Prop.ForAll<int>(seed =>
        {
            var random = new Random(seed);
            byte[] line = (byte[])seeds[random.Next(seeds.Length)].Clone();
            for (int i = random.Next(4); i >= 0; i--)
            {
                // Bytes that mean something to JSON find more than random ones.
                ReadOnlySpan<byte> telling = "{}[]\",:\\0-ntfu\x80\xff"u8;
                line[random.Next(line.Length)] = telling[random.Next(telling.Length)];
            }

            RpcParser.Fuzz(line.AsSpan(0, random.Next(line.Length + 1)));
            return true;
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(5000));
    }

    [Fact]
    public void Any_json_value_as_parameters_gets_a_defined_answer() =>
        Prop.ForAll<int>(seed =>
        {
            var random = new Random(seed);
            RpcMethod[] methods = [.. RpcMethods.All, .. WorkerMethods.Private];
            RpcMethod method = methods[random.Next(methods.Length)];
            string line =
                $"{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"{method.Name}\"," +
                $"\"params\":{RandomJson.Record(random, method.Parameters)}}}";
            RpcParser.Fuzz(Encoding.UTF8.GetBytes(line));
            return true;
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(5000));

    [Fact]
    public void Faults_survive_the_wire() =>
        Prop.ForAll<int, string?, string?>((seed, message, hint) =>
        {
            var random = new Random(seed);
            FaultCode[] codes = Enum.GetValues<FaultCode>();
            var fault = new Fault(
                codes[random.Next(codes.Length)],
                Printable(message) ?? "",
                Printable(hint),
                random.Next(2) == 0 ? "field" : null,
                random.Next(200));
            byte[] line = RpcWriter.Error("5"u8, fault);
            Fault? back = RpcErrors.Read(Parse(Encoding.UTF8.GetString(line).TrimEnd('\n')));
            return back == fault;
        }).QuickCheckThrowOnFailure();

    internal static RpcMessage Parse(string line)
    {
        bool ok = RpcParser.TryParse(
            Encoding.UTF8.GetBytes(line), out RpcMessage? message, out RpcRefusal? refusal);
        Assert.True(ok, refusal?.Fault.ToString());
        return message!;
    }

    // Half a surrogate pair cannot be written as JSON at all; our own messages never hold one.
    private static string? Printable(string? text) =>
        text is null ? null : string.Concat(text.Where(c => !char.IsSurrogate(c)));
}
