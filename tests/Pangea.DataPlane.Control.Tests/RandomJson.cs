using System.Text;
using Pangea.DataPlane.Control.Schema;

namespace Pangea.DataPlane.Control.Tests;

/// <summary>
/// Makes JSON that is near what the method table asks for: mostly right, then wrong in one place.
/// </summary>
internal static class RandomJson
{
    private static readonly string[] s_values =
    [
        "null", "true", "false", "0", "-1", "1", "1.5", "1e400", "9223372036854775808",
        "\"\"", "\"x\"", "\"\\u0000\"", "\"storage\"", "\"ok\"", "\"auto\"", "[]", "{}", "[{}]",
        "{\"a\":{\"b\":[1]}}",
    ];

    public static string Record(Random random, IReadOnlyList<RpcField> fields)
    {
        var members = new List<string>();
        foreach (RpcField field in fields)
        {
            if (field.Required ? random.Next(20) > 0 : random.Next(2) == 0)
            {
                members.Add($"\"{field.Name}\":{Value(random, field)}");
            }
        }

        if (random.Next(10) == 0)
        {
            members.Add(
                $"\"{(char)('a' + random.Next(26))}\":{s_values[random.Next(s_values.Length)]}");
        }

        return "{" + string.Join(",", members) + "}";
    }

    private static string Value(Random random, RpcField field)
    {
        if (random.Next(12) == 0)
        {
            return s_values[random.Next(s_values.Length)];
        }

        return field.Type switch
        {
            RpcType.Integer =>
                random.NextInt64(field.Min, Math.Min(field.Max, 1L << 40)).ToString(),
            RpcType.Flag => random.Next(2) == 0 ? "true" : "false",
            RpcType.Record => Record(random, field.Fields),
            RpcType.RecordList => List(random, field),
            _ when field.Values.Count > 0 => $"\"{field.Values[random.Next(field.Values.Count)]}\"",
            _ => $"\"text {random.Next(100)}\"",
        };
    }

    private static string List(Random random, RpcField field)
    {
        var text = new StringBuilder("[");
        int count = random.Next(4);
        for (int i = 0; i < count; i++)
        {
            text.Append(i == 0 ? "" : ",").Append(Record(random, field.Fields));
        }

        return text.Append(']').ToString();
    }
}
