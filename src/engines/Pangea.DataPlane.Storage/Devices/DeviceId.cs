using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Storage;

/// <summary>
/// Identity of one formatted device directory: 16 random bytes made when it was formatted. A
/// directory that is emptied and formatted again is a different device: what it held is known to be
/// gone.
/// </summary>
public readonly record struct DeviceId(ObjectId Value)
{
    public const int Bytes = ObjectId.Bytes;

    public static DeviceId New() => new(ObjectId.New());

    public override string ToString() => Value.ToString();
}
