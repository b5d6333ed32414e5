namespace Pangea.DataPlane.Tidy;

/// <summary>
/// What a rule found. A rule collects every breach before it fails, so that one run shows them all.
/// </summary>
public sealed class Findings(string rule)
{
    private readonly List<string> _breaches = [];
    private readonly HashSet<string> _usedExceptions = [];

    public void Add(string file, int line, string what) => Add($"{file}:{line}: {what}");

    public void Add(string what) => _breaches.Add(what);

    /// <summary>True where the breach is allowed by <see cref="Exceptions"/>, with its
    /// reason.</summary>
    public bool IsExcepted(string subject)
    {
        bool excepted = Exceptions.For(rule).ContainsKey(subject);
        if (excepted)
        {
            _usedExceptions.Add(subject);
        }

        return excepted;
    }

    /// <summary>Fails with every breach, and with every exception that nothing needs any
    /// more.</summary>
    public void AssertNone()
    {
        foreach (string subject in Exceptions.For(rule).Keys.Except(_usedExceptions))
        {
            Add($"the exception '{subject}' is not needed any more: remove it from Exceptions.cs");
        }

        Assert.True(
            _breaches.Count == 0,
            $"{rule}: {_breaches.Count} breaches\n{string.Join('\n', _breaches)}");
    }
}
