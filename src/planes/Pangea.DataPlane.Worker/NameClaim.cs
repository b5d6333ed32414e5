using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// A put's place in the order of a name's versions, held while its commit is under way: no other
/// put or removal of the name gets the same or an earlier time. Dispose when the commit has ended.
/// </summary>
internal readonly struct NameClaim : IDisposable
{
    private readonly NameClaims _claims;
    private readonly ObjectName _name;

    public NameClaim(NameClaims claims, ObjectName name, long createdMs)
    {
        _claims = claims;
        _name = name;
        CreatedMs = createdMs;
    }

    /// <summary>Milliseconds since 1970: the version's time of creation.</summary>
    public long CreatedMs { get; }

    public void Dispose() => _claims.Release(_name);
}

/// <summary>All claims of a worker. Loop thread only.</summary>
internal sealed class NameClaims
{
    private readonly Dictionary<string, (int Holders, long LastMs)> _held =
        new(StringComparer.Ordinal);

    public bool IsHeld(string name) => _held.ContainsKey(name);

    /// <param name="name">The name to be committed.</param>
    /// <param name="afterMs">The time of its newest known version or removal.</param>
    public NameClaim Take(ObjectName name, long afterMs)
    {
        (int holders, long last) = _held.GetValueOrDefault(name.Text, (0, afterMs));
        long now = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();

        // A clock that was set back must not make a new version older than the one it replaces.
        long createdMs = Math.Max(now, Math.Max(afterMs, last) + 1);
        _held[name.Text] = (holders + 1, createdMs);
        return new NameClaim(this, name, createdMs);
    }

    internal void Release(ObjectName name)
    {
        (int holders, long last) = _held[name.Text];
        if (holders == 1)
        {
            _held.Remove(name.Text);
        }
        else
        {
            _held[name.Text] = (holders - 1, last);
        }
    }
}
