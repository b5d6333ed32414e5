using System.Text;
using Pangea.DataPlane.Control.Wire;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Cli;

/// <summary>How a failure looks on standard error.</summary>
internal static class FaultReport
{
    public static void Write(TextWriter error, Fault fault, bool json)
    {
        if (json)
        {
            error.WriteLine($"{{\"error\":{Encoding.UTF8.GetString(RpcErrors.Write(fault))}}}");
            return;
        }

        // Several errors of one file come one a line.
        string[] lines = fault.Message.Split('\n');
        error.WriteLine($"pangea: {Printable(lines[0])}");
        foreach (string line in lines.AsSpan(1))
        {
            error.WriteLine($"  {Printable(line)}");
        }

        if (fault.Hint is not null)
        {
            error.WriteLine($"hint: {Printable(fault.Hint)}");
        }
    }

    /// <summary>Text from elsewhere must not reach a terminal's control functions.</summary>
    public static string Printable(string text) =>
        text.AsSpan().IndexOfAnyInRange('\u0000', '\u001f') < 0 && !text.Contains('\u007f')
            ? text
            : string.Create(text.Length, text, (span, source) =>
            {
                for (int i = 0; i < span.Length; i++)
                {
                    span[i] = char.IsControl(source[i]) ? '?' : source[i];
                }
            });
}
