using System.Text;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Core.Tests;

public sealed class ObjectNameTests
{
    [Theory]
    [InlineData("")]
    [InlineData("a\nb")]
    [InlineData("a\0b")]
    [InlineData("tab\t")]
    [InlineData("\u0085next line")]
    public void Refuses_what_is_not_a_printable_name(string text)
    {
        Result<ObjectName> name = ObjectName.Parse(text);

        Assert.False(name.IsOk);
        Assert.Equal(FaultCode.InvalidParameters, name.Fault.Code);
        Assert.Equal("name", name.Fault.Field);
        Assert.NotNull(name.Fault.Hint);
    }

    [Fact]
    public void Refuses_a_lone_surrogate()
    {
        // Not in the table above: attributes are stored as UTF-8, which cannot hold one.
        Assert.False(ObjectName.Parse("lone " + '\ud800').IsOk);
    }

    [Theory]
    [InlineData(1024, true)]
    [InlineData(1025, false)]
    public void Counts_utf8_bytes_not_characters(int bytes, bool allowed)
    {
        string text = new string('ü', bytes / 2) + new string('x', bytes % 2);

        Assert.Equal(bytes, Encoding.UTF8.GetByteCount(text));
        Assert.Equal(allowed, ObjectName.Parse(text).IsOk);
    }

    [Fact]
    public void Orders_as_the_utf8_bytes_do()
    {
        string[] texts =
            ["a", "a/b", "ab", "b", "é", "\ue000", "\uffee", "\U0001f600", "\U0010ffff", "Z"];

        foreach (string left in texts)
        {
            foreach (string right in texts)
            {
                int expected = Encoding.UTF8.GetBytes(left).AsSpan()
                    .SequenceCompareTo(Encoding.UTF8.GetBytes(right));
                Assert.Equal(Math.Sign(expected), Math.Sign(ObjectName.CompareUtf8(left, right)));
            }
        }
    }
}
