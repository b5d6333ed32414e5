using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Worker;

/// <summary>Which bytes of an object a get wants.</summary>
/// <param name="Offset">The first.</param>
/// <param name="Bytes">How many.</param>
/// <param name="IsWhole">True where no range was asked for.</param>
internal readonly record struct GetRange(long Offset, long Bytes, bool IsWhole)
{
    /// <summary>First byte behind the range.</summary>
    public long End => Offset + Bytes;

    /// <summary>
    /// A range reaches at most to the object's end; one that starts behind it, or has no length,
    /// is refused, because its caller believes something else of the object.
    /// </summary>
    public static Result<GetRange> Of(ObjectGetParameters call, long objectBytes)
    {
        if (call.Offset is null && call.Length is null)
        {
            return new GetRange(0, objectBytes, IsWhole: true);
        }

        long offset = call.Offset ?? 0;
        if (offset < 0)
        {
            // More from the end than there is: from the first byte, as HTTP has it.
            offset = Math.Max(0, objectBytes + Math.Max(offset, -objectBytes));
        }

        if (offset >= objectBytes)
        {
            return Fault.InvalidParameter(
                "offset",
                $"object \"{call.Name}\" has {objectBytes} bytes, none at {offset}",
                "pangea stat shows its length");
        }

        if (call.Length is < 1)
        {
            return Fault.InvalidParameter(
                "length", $"a range has at least one byte, not {call.Length}");
        }

        long bytes = Math.Min(call.Length ?? long.MaxValue, objectBytes - offset);
        return new GetRange(offset, bytes, IsWhole: false);
    }
}
