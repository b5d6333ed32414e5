namespace Pangea.DataPlane.Control.Schema;

/// <summary>What a JSON value of the protocol must be.</summary>
public enum RpcType
{
    /// <summary>A JSON string.</summary>
    Text,

    /// <summary>A JSON string that is a valid <see cref="Core.ObjectName"/>.</summary>
    NameText,

    /// <summary>A JSON string holding a UTC time, RFC 3339.</summary>
    Time,

    /// <summary>A JSON number without fraction or exponent, within the field's bounds.</summary>
    Integer,

    /// <summary><c>true</c> or <c>false</c>.</summary>
    Flag,

    /// <summary>A JSON object whose members are <see cref="RpcField.Fields"/>.</summary>
    Record,

    /// <summary>
    /// A JSON array of records; <see cref="RpcField.Fields"/> are the members of each.
    /// </summary>
    RecordList,

    /// <summary>A JSON array of strings.</summary>
    TextList,

    /// <summary>Any JSON value.</summary>
    Any,
}

/// <summary>One parameter of a method, or one member of a result.</summary>
/// <param name="Name">As written in JSON.</param>
/// <param name="Type">What its value must be.</param>
/// <param name="Doc">One phrase for people, with the unit where there is one.</param>
public sealed record RpcField(string Name, RpcType Type, string Doc)
{
    /// <summary>False where the member may be absent.</summary>
    public bool Required { get; init; } = true;

    /// <summary>True where the value may be JSON null.</summary>
    public bool Nullable { get; init; }

    /// <summary>Smallest integer allowed.</summary>
    public long Min { get; init; }

    /// <summary>Largest integer allowed.</summary>
    public long Max { get; init; } = long.MaxValue;

    /// <summary>The strings allowed; empty means any.</summary>
    public IReadOnlyList<string> Values { get; init; } = [];

    /// <summary>Members, for the two record types.</summary>
    public IReadOnlyList<RpcField> Fields { get; init; } = [];

    /// <summary>The same field, not required.</summary>
    public RpcField Optional() => this with { Required = false };
}
