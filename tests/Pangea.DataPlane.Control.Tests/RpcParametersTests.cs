using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Control.Wire;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Control.Tests;

/// <summary>Goal: every parameter error names its field and says what would be right.</summary>
public sealed class RpcParametersTests
{
    [Theory]
    [InlineData("object.put", "{}", "name", "object.put: parameter 'name' is missing")]
    [InlineData("object.put", null, "name", "object.put: parameter 'name' is missing")]
    [InlineData(
        "object.put",
        "{\"name\":\"a\",\"nmae\":1}",
        "nmae",
        "object.put: unknown parameter 'nmae'")]
    [InlineData("object.put", "{\"name\":7}", "name", "parameter 'name' must be a string")]
    [InlineData("object.put", "{\"name\":null}", "name", "parameter 'name' must be a string")]
    [InlineData(
        "object.put", "{\"name\":\"\"}", "name", "object name has 0 bytes, allowed are 1 to 1024")]
    [InlineData(
        "object.put",
        "{\"name\":\"a\\u0000\"}",
        "name",
        "object name contains the control character U+0000")]
    [InlineData(
        "object.put",
        "{\"name\":\"a\",\"noClobber\":1}",
        "noClobber",
        "parameter 'noClobber' must be true or false")]
    [InlineData(
        "object.put",
        "{\"name\":\"a\",\"bytes\":-1}",
        "bytes",
        "parameter 'bytes' must be an integer of at least 0")]
    [InlineData(
        "object.put",
        "{\"name\":\"a\",\"bytes\":1.5}",
        "bytes",
        "parameter 'bytes' must be an integer of at least 0")]
    [InlineData(
        "object.list",
        "{\"limit\":0}",
        "limit",
        "parameter 'limit' must be an integer from 1 to 1000")]
    [InlineData("object.list", "{\"prefix\":[]}", "prefix", "parameter 'prefix' must be a string")]
    [InlineData("system.version", "{\"x\":1}", "x", "system.version: unknown parameter 'x'")]
    [InlineData(
        "worker.start", "{\"role\":\"king\"}", "role", "parameter 'role' must be one of storage")]
    [InlineData(
        "worker.start",
        "{\"redundancy\":{\"dataShards\":8}}",
        "redundancy.parityShards",
        "worker.start: parameter 'redundancy.parityShards' is missing")]
    [InlineData(
        "worker.start",
        "{\"devices\":[{\"index\":0,\"path\":\"/\",\"state\":\"ok\"},{\"index\":\"1\"}]}",
        "devices[1].index",
        "parameter 'devices[1].index' must be an integer from 0 to 63")]
    [InlineData(
        "worker.start", "{\"keys\":[7]}", "keys[0]", "parameter 'keys[0]' must be an object")]
    public void Names_the_field(string name, string? parameters, string field, string message)
    {
        string member = parameters is null ? "" : $",\"params\":{parameters}";
        RpcMessage call = RpcParserTests.Parse(
            $"{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"{name}\"{member}}}");
        RpcMethod method = (RpcMethods.Find(name) ?? WorkerMethods.Find(name))!;
        Fault? fault = RpcParameters.Check(method, call);
        Assert.Equal(FaultCode.InvalidParameters, fault?.Code);
        Assert.Equal(field, fault!.Field);
        Assert.Equal(message, fault.Message);
    }

    [Fact]
    public void Unknown_names_from_outside_are_shown_short_and_harmless()
    {
        string name = new string('x', 1000) + "\\u001b";
        RpcMessage call = RpcParserTests.Parse(
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"object.stat\"," +
            $"\"params\":{{\"\\u001b[2J{name}\":1}}}}");
        Fault fault = RpcParameters.Check(RpcMethods.ObjectStat, call)!;
        Assert.Equal("?[2J" + new string('x', 60) + "...", fault.Field);
        Assert.Equal("known are name", fault.Hint);
    }

    [Fact]
    public void Reads_the_record()
    {
        RpcMessage call = RpcParserTests.Parse(
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"object.put\"," +
            "\"params\":{\"bytes\":9,\"name\":\"\\u00e4\",\"progress\":true}}");
        Result<ObjectPutParameters> read = RpcParameters.Read(RpcMethods.ObjectPut, call);
        Assert.True(read.IsOk, read.Fault?.ToString());
        Assert.Equal(
            new ObjectPutParameters { Name = "ä", Bytes = 9, Progress = true }, read.Value);
    }

    [Fact]
    public void Results_of_a_newer_appliance_can_be_read()
    {
        RpcMessage reply = RpcParserTests.Parse(
            "{\"jsonrpc\":\"2.0\",\"id\":1," +
            "\"result\":{\"name\":\"a\",\"id\":\"0\",\"bytes\":1,\"colour\":\"red\"}}");
        Assert.Equal("a", RpcParameters.ReadResult(RpcMethods.ObjectRemove, reply).Value.Name);
    }

    [Fact]
    public void A_page_of_the_longest_names_fits_one_line()
    {
        // Worst case of the encoding: every byte of the name needs an escape of its own.
        string text = string.Concat(Enumerable.Repeat("\\\"", 512));
        var page = new ObjectListPage(null);
        int taken = 0;
        while (page.TryAdd(new ObjectEntry
        {
            Name = text,
            Id = new string('f', 32),
            Bytes = long.MaxValue,
            StoredBytes = long.MaxValue,
            Created = DateTime.MaxValue,
        }))
        {
            taken++;
        }

        ObjectListResult result = page.Build();
        Assert.Equal(taken, result.Objects.Count);
        Assert.Equal(text, result.Next);
        byte[] line = RpcWriter.Result("123456789"u8, RpcMethods.ObjectList, result);
        Assert.InRange(line.Length, Limits.RpcLineBytesMax / 4 * 3, Limits.RpcLineBytesMax);
    }

    [Fact]
    public void The_last_page_has_no_next()
    {
        var page = new ObjectListPage(1);
        var entry = new ObjectEntry
        {
            Name = "a",
            Id = "0",
            Bytes = 1,
            StoredBytes = 1,
            Created = DateTime.UnixEpoch,
        };
        Assert.True(page.TryAdd(entry));
        Assert.Null(page.Build().Next);
        Assert.False(page.TryAdd(entry));
        Assert.Equal("a", page.Build().Next);
        Assert.Null(new ObjectListPage(1).Build().Next);
    }
}
