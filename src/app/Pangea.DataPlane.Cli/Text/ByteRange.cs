using System.Globalization;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Cli.Text;

/// <summary>
/// A part of an object as HTTP writes it (RFC 9110, 14.1.2): <c>0-99</c> is the first hundred
/// bytes, <c>100-</c> all but them, <c>-100</c> the last hundred.
/// </summary>
/// <param name="Offset">First byte; negative: counted from the end.</param>
/// <param name="Length">Bytes; null: up to the end.</param>
internal readonly record struct ByteRange(long Offset, long? Length)
{
    public static Result<ByteRange> Parse(string text)
    {
        int dash = text.IndexOf('-');
        if (dash >= 0)
        {
            string first = text[..dash];
            string last = text[(dash + 1)..];
            if (first.Length == 0 && TryNumber(last, out long suffix) && suffix > 0)
            {
                return new ByteRange(-suffix, null);
            }

            if (TryNumber(first, out long from))
            {
                if (last.Length == 0)
                {
                    return new ByteRange(from, null);
                }

                if (TryNumber(last, out long to) && to >= from && to - from < long.MaxValue)
                {
                    return new ByteRange(from, to - from + 1);
                }
            }
        }

        return Fault.InvalidParameter(
            "range",
            $"\"{text}\" is no range of bytes",
            "0-99 is the first hundred bytes, 100- all after them, -100 the last hundred");
    }

    private static bool TryNumber(string text, out long number) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
}
