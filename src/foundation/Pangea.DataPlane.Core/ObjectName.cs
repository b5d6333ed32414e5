using System.Text;

namespace Pangea.DataPlane.Core;

/// <summary>
/// A valid object name: 1 to <see cref="Limits.ObjectNameBytesMax"/> bytes of UTF-8 without control
/// characters. A slash has no meaning to the store; prefixes are plain text. Order is by UTF-8
/// bytes.
/// </summary>
public readonly record struct ObjectName : IComparable<ObjectName>
{
    private static readonly UTF8Encoding s_strict = new(false, throwOnInvalidBytes: true);

    private ObjectName(string text) => Text = text;

    public string Text { get; }

    public static Result<ObjectName> Parse(string text)
    {
        foreach (char c in text)
        {
            if (char.IsControl(c))
            {
                return Fault.InvalidParameter(
                    "name",
                    $"object name contains the control character U+{(int)c:X4}",
                    "use printable UTF-8 characters");
            }
        }

        int bytes;
        try
        {
            bytes = s_strict.GetByteCount(text);
        }
        catch (EncoderFallbackException)
        {
            return Fault.InvalidParameter(
                "name", "object name is not valid Unicode (lone surrogate)", "use UTF-8 text");
        }

        if (bytes is 0 or > Limits.ObjectNameBytesMax)
        {
            return Fault.InvalidParameter(
                "name",
                $"object name has {bytes} bytes, allowed are 1 to {Limits.ObjectNameBytesMax}",
                "choose a shorter name");
        }

        return new ObjectName(text);
    }

    /// <summary>
    /// Compares as the UTF-8 bytes do. UTF-16 ordinal order differs from it only where surrogates
    /// meet U+E000..U+FFFF, hence the comparison by rune.
    /// </summary>
    public int CompareTo(ObjectName other) => CompareUtf8(Text, other.Text);

    /// <inheritdoc cref="CompareTo"/>
    public static int CompareUtf8(string left, string right)
    {
        int common = left.AsSpan().CommonPrefixLength(right);
        if (common == left.Length || common == right.Length)
        {
            return left.Length.CompareTo(right.Length);
        }

        char a = left[common];
        char b = right[common];
        bool surrogateA = char.IsSurrogate(a);
        bool surrogateB = char.IsSurrogate(b);
        return surrogateA == surrogateB ? a.CompareTo(b) : surrogateA ? 1 : -1;
    }

    public override string ToString() => Text;
}
