namespace Pangea.DataPlane.Firewall.Text;

/// <summary>One thing wrong in a rule file or in a list that it includes.</summary>
/// <param name="Source">Name of the file.</param>
/// <param name="Line">From 1.</param>
/// <param name="Column">From 1, in characters.</param>
/// <param name="Message">What is wrong with which value, and what is expected.</param>
public sealed record RuleError(string Source, int Line, int Column, string Message)
{
    public override string ToString() => $"{Source}:{Line}:{Column}: {Message}";
}

/// <summary>A file of prefixes, one a line, as the caller read it.</summary>
public sealed record ListFile(string Name, string Text);
