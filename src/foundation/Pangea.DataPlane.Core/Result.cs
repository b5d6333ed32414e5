using System.Diagnostics.CodeAnalysis;

namespace Pangea.DataPlane.Core;

/// <summary>Success without a value, or a <see cref="Core.Fault"/>.</summary>
public readonly struct Result
{
    private Result(Fault? fault) => Fault = fault;

    /// <summary>The failure; null on success.</summary>
    public Fault? Fault { get; }

    [MemberNotNullWhen(false, nameof(Fault))]
    public bool IsOk => Fault is null;

    public static Result Ok => default;

    public static implicit operator Result(Fault fault) => new(fault);
}

/// <summary>
/// A value, or a <see cref="Core.Fault"/>. Default is not a legal state: it has neither.
/// </summary>
public readonly struct Result<T>
{
    private readonly T? _value;

    private Result(T? value, Fault? fault)
    {
        _value = value;
        Fault = fault;
    }

    /// <summary>The failure; null on success.</summary>
    public Fault? Fault { get; }

    [MemberNotNullWhen(false, nameof(Fault))]
    public bool IsOk => Fault is null;

    /// <summary>
    /// The value; asking a failed result for it is a defect and ends the process.
    /// </summary>
    public T Value
    {
        get
        {
            Invariant.Check(Fault is null, Fault?.Message);
            return _value!;
        }
    }

    public static implicit operator Result<T>(T value) => new(value, null);

    public static implicit operator Result<T>(Fault fault) => new(default, fault);
}
