using System.Globalization;
using System.Security.Cryptography;
using System.Text;

using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Ces;

/// <summary>
/// The master keys of an appliance: the current one seals new objects, the older ones stay for the
/// objects that name them. Its text form is one line a key, <c>pangea-key-v1 ID SECRET</c> (16 and
/// 64 hexadecimal digits); the last line is the current key, so that rotating only appends. Empty
/// lines and lines that start with <c>#</c> are skipped. The id repeats what the secret implies and
/// so serves as a checksum.
/// </summary>
public sealed class KeyRing : IDisposable
{
    /// <summary>Keys of one ring; a rotation a week for 40 years.</summary>
    public const int KeysMax = 2048;

    /// <summary>Bound of the text form, for readers that size a buffer.</summary>
    public const int TextBytesMax = 512 * 1024;

    private const string LinePrefix = "pangea-key-v1";
    private const int LineFields = 3;

    // Never changed but replaced: whoever looks a key up while another thread rotates sees the ring
    // as it was or as it is.
    private readonly Lock _changing = new();
    private volatile MasterKey[] _keys;

    private KeyRing(MasterKey[] keys) => _keys = keys;

    /// <summary>
    /// The key for new objects. A rotation may change it at any time, so an object's key is asked
    /// for once.
    /// </summary>
    public MasterKey Current => _keys[^1];

    public int Count => _keys.Length;

    /// <summary>Ids from the oldest to the current key.</summary>
    public IEnumerable<KeyId> Ids
    {
        get
        {
            foreach (MasterKey key in _keys)
            {
                yield return key.Id;
            }
        }
    }

    /// <summary>A ring of one key, which it owns from now on.</summary>
    public static KeyRing Of(MasterKey key) => new([key]);

    /// <summary>Makes <paramref name="key"/> the current one; the ring owns it from now
    /// on.</summary>
    public Result Rotate(MasterKey key)
    {
        lock (_changing)
        {
            MasterKey[] keys = _keys;
            if (keys.Length >= KeysMax)
            {
                return new Fault(
                    FaultCode.TooLarge,
                    $"the key ring holds {KeysMax} keys already",
                    "remove the lines of keys that no object uses any more");
            }

            if (Has(key.Id))
            {
                return new Fault(
                    FaultCode.Exists, $"the key ring holds the key {key.Id} already");
            }

            _keys = [.. keys, key];
            return Result.Ok;
        }
    }

    /// <summary>
    /// Takes the keys that <paramref name="newer"/> has and this ring has not, in their order, so
    /// that the last of them becomes the current one. Keys that are here stay the same objects:
    /// whoever uses one goes on. The other ring is used up.
    /// </summary>
    public Result Merge(KeyRing newer)
    {
        Result outcome = Result.Ok;
        MasterKey[] taken = newer._keys;
        newer._keys = [];
        foreach (MasterKey key in taken)
        {
            if (!outcome.IsOk || Has(key.Id))
            {
                key.Dispose();
                continue;
            }

            outcome = Rotate(key);
            if (!outcome.IsOk)
            {
                key.Dispose();
            }
        }

        return outcome;
    }

    public Result<MasterKey> Find(KeyId id)
    {
        MasterKey[] keys = _keys;
        foreach (MasterKey key in keys)
        {
            if (key.Id == id)
            {
                return key;
            }
        }

        return new Fault(
            FaultCode.Denied,
            $"the key {id} is not among the {keys.Length} keys of this appliance",
            "add the line of that key to the key file, above the current one");
    }

    /// <summary>Reads the text form. No fault repeats any part of a secret.</summary>
    public static Result<KeyRing> Parse(ReadOnlySpan<char> text) =>
        ParseInto(new KeyRing([]), text);

    /// <summary>Adds the keys of the text to a ring, which is disposed with them on a
    /// fault.</summary>
    internal static Result<KeyRing> ParseInto(KeyRing ring, ReadOnlySpan<char> text)
    {
        if (text.Length > TextBytesMax)
        {
            ring.Dispose();
            return new Fault(
                FaultCode.TooLarge,
                $"a key file has at most {TextBytesMax} bytes, not {text.Length}");
        }

        int lineNumber = 0;
        foreach (ReadOnlySpan<char> raw in text.EnumerateLines())
        {
            lineNumber++;
            ReadOnlySpan<char> line = raw.Trim();
            if (line.IsEmpty || line[0] == '#')
            {
                continue;
            }

            Result<MasterKey> key = ParseLine(line, lineNumber);
            Result added = key.IsOk ? ring.Rotate(key.Value) : key.Fault;
            if (!added.IsOk)
            {
                if (key.IsOk)
                {
                    key.Value.Dispose(); // The ring did not take it.
                }

                ring.Dispose();
                return added.Fault;
            }
        }

        return ring.Count > 0
            ? ring
            : Fault.InvalidParameter(
                "keys", "the key file holds no key", $"a line reads: {LinePrefix} ID SECRET");
    }

    /// <summary>The text form, secrets included: only for the key file.</summary>
    public string FormatSecrets()
    {
        var text = new StringBuilder(Count * 96);
        foreach (MasterKey key in _keys)
        {
            text.Append(CultureInfo.InvariantCulture, $"{LinePrefix} {key.Id} ");
            text.Append(Convert.ToHexStringLower(key.Secret)).Append('\n');
        }

        return text.ToString();
    }

    public override string ToString() => $"{Count} keys, current {Current.Id}";

    public void Dispose()
    {
        foreach (MasterKey key in _keys)
        {
            key.Dispose();
        }
    }

    private bool Has(KeyId id) => Array.Exists(_keys, known => known.Id == id);

    private static Result<MasterKey> ParseLine(ReadOnlySpan<char> line, int lineNumber)
    {
        Span<Range> fields = stackalloc Range[LineFields + 1];
        int count = line.Split(fields, ' ', StringSplitOptions.RemoveEmptyEntries);
        Span<byte> secret = stackalloc byte[MasterKey.Bytes];
        if (count != LineFields || !line[fields[0]].SequenceEqual(LinePrefix)
            || !KeyId.TryParse(line[fields[1]], out KeyId id)
            || line[fields[2]].Length != 2 * MasterKey.Bytes
            || Convert.FromHexString(line[fields[2]], secret, out _, out _)
                != System.Buffers.OperationStatus.Done)
        {
            return Fault.InvalidParameter(
                "keys",
                $"line {lineNumber} of the key file is not a key",
                $"a line reads: {LinePrefix}, 16 hexadecimal digits, 64 hexadecimal digits");
        }

        Result<MasterKey> key = MasterKey.FromBytes(secret);
        CryptographicOperations.ZeroMemory(secret);
        if (key.IsOk && key.Value.Id != id)
        {
            key.Value.Dispose();
            return Fault.InvalidParameter(
                "keys",
                $"line {lineNumber} of the key file says key {id}, but its secret has another id",
                "the line was damaged or edited; restore it from a copy");
        }

        return key;
    }
}
