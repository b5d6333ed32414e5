using System.Text;
using System.Text.Json.Serialization.Metadata;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Control.Wire;

namespace Pangea.DataPlane.Control.Tests;

/// <summary>Goal: the method table and the records that carry it never drift apart.</summary>
public sealed class MethodTableTests
{
    private static readonly RpcMethod[] s_all = [.. RpcMethods.All, .. WorkerMethods.Private];

    public static TheoryData<string> Names => [.. s_all.Select(m => m.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Records_have_the_members_of_the_table(string name)
    {
        RpcMethod method = s_all.Single(m => m.Name == name);
        Compare(method.Parameters, method.ParametersType, isParameters: true);
        if (method != RpcMethods.RpcDiscover)
        {
            Compare(method.Result, method.ResultType, isParameters: false);
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Examples_pass_their_own_check(string name)
    {
        RpcMethod method = s_all.Single(m => m.Name == name);
        string text = method.Example.ReplaceLineEndings("");
        string line = $"{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"{name}\",\"params\":{text}}}";
        Assert.True(
            RpcParser.TryParse(Encoding.UTF8.GetBytes(line), out RpcMessage? message, out _));
        Assert.Null(RpcParameters.Check(method, message));
        RpcParser.Fuzz(Encoding.UTF8.GetBytes(line));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Rows_are_complete(string name)
    {
        RpcMethod method = s_all.Single(m => m.Name == name);
        Assert.Matches("^[a-z]+(\\.[a-z]+)+$", method.Name);
        Assert.EndsWith(".", method.Summary);
        Assert.Equal(method.Descriptors != 0, method.DescriptorDoc is not null);
        Assert.Equal(method.Errors.Count, method.Errors.Distinct().Count());
        Assert.All(Flatten(method.Parameters), p =>
        {
            Assert.False(string.IsNullOrWhiteSpace(p.Doc));
            Assert.DoesNotContain(p.Type, new[] { RpcType.Any, RpcType.TextList });
        });
    }

    [Fact]
    public void Discovery_names_every_public_method()
    {
        string document = Encoding.UTF8.GetString(RpcDiscovery.Write("1.2.3"));
        Assert.Null(JsonText.Check(Encoding.UTF8.GetBytes(document)));
        Assert.All(RpcMethods.All, m => Assert.Contains($"\"name\":\"{m.Name}\"", document));
        Assert.All(WorkerMethods.Private, m => Assert.DoesNotContain(m.Name, document));
    }

    private static IEnumerable<RpcField> Flatten(IEnumerable<RpcField> fields) =>
        fields.SelectMany(f => Flatten(f.Fields).Prepend(f));

    private static void Compare(
        IReadOnlyList<RpcField> fields, JsonTypeInfo record, bool isParameters)
    {
        Assert.Equal(
            fields.Select(f => f.Name).Order(), record.Properties.Select(p => p.Name).Order());
        foreach (RpcField field in fields)
        {
            JsonPropertyInfo property = record.Properties.Single(p => p.Name == field.Name);
            string where = $"{record.Type.Name}.{field.Name}";
            if (isParameters)
            {
                Assert.True(property.IsRequired == field.Required, where);
            }
            else
            {
                Assert.True(field.Required || !property.IsRequired, where);
            }

            Type type = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
            Assert.True(Suits(field, type), $"{where} is {type}, table says {field.Type}");
            if (field.Fields.Count > 0)
            {
                Type item = field.Type == RpcType.RecordList ? type.GetGenericArguments()[0] : type;
                Compare(field.Fields, ControlJson.Default.GetTypeInfo(item)!, isParameters);
            }
        }
    }

    private static bool Suits(RpcField field, Type type) => field.Type switch
    {
        RpcType.NameText => type == typeof(string),
        RpcType.Text => type == typeof(string) || IsSameChoice(field, type),
        RpcType.Time => type == typeof(DateTime),
        RpcType.Integer => type == typeof(long) || type == typeof(int),
        RpcType.Flag => type == typeof(bool),
        RpcType.Record => type.IsClass,
        RpcType.RecordList or RpcType.TextList => type.IsGenericType,
        _ => true,
    };

    private static bool IsSameChoice(RpcField field, Type type) =>
        type.IsEnum && Enum.GetValues(type).Cast<object>()
            .Select(v => System.Text.Json.JsonSerializer.Serialize(
                v, ControlJson.Default.GetTypeInfo(type)!).Trim('"'))
            .Order().SequenceEqual(field.Values.Order());
}
