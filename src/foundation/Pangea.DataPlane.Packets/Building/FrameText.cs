using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Packets.Building;

/// <summary>
/// Reads the description of a packet in words, as people ask about it: "tcp syn 192.0.2.1 >
/// 198.51.100.1:22". Words stand in any order; what is not said gets a usual value. Described in
/// docs/firewall.md.
/// </summary>
public sealed class FrameText
{
    private const int TagsMax = 3;
    private readonly string[] _words;
    private readonly FramePlan _plan = new();
    private int _at;

    private FrameText(string text) => _words = text
        .Replace(">", " > ", StringComparison.Ordinal)
        .Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);

    /// <summary>The frame of a description, from the destination MAC address on.</summary>
    public static Result<byte[]> ToFrame(string text)
    {
        FrameText reader = new(text);
        string? error = reader.Read() ?? reader._plan.Complete();
        return error is null
            ? FrameBuilder.Build(reader._plan)
            : Fault.InvalidParameter(
                "packet", error, "write it like: tcp syn 192.0.2.1 > 198.51.100.1:22");
    }

    private string? Read()
    {
        while (_at < _words.Length)
        {
            string? error = Word(_words[_at++]);
            if (error is not null)
            {
                return error;
            }
        }

        return null;
    }

    private string? Word(string word)
    {
        if (FrameWords.Protocols.TryGetValue(word, out byte protocol))
        {
            return Protocol(protocol);
        }

        if (FrameWords.TcpFlags.TryGetValue(word, out byte flag))
        {
            _plan.TcpFlags = (byte)((_plan.TcpFlags ?? 0) | flag);
            return null;
        }

        switch (word)
        {
            case "arp":
                _plan.EtherType = FrameWords.EtherArp;
                return null;
            case "ethertype":
                return Number("an ethertype", 65535, value => _plan.EtherType = (ushort)value);
            case "proto":
                return Number("a protocol", 255, value => _plan.Protocol = (byte)value);
            case "vlan":
                return _plan.Tags.Count == TagsMax
                    ? $"{TagsMax} tags are enough to be malformed"
                    : Number("a VLAN id", 4095, value => _plan.Tags.Add((ushort)value));
            case "type":
                return Type();
            case "ttl":
                return Number("a hop limit", 255, value => _plan.Hops = (byte)value);
            case "bytes":
                return Number("bytes of a frame", 65535, value => _plan.FrameBytes = value);
            case "fragment":
                return Fragment();
            case ">":
                return End(Next(), isSource: false);
            default:
                return End(word, isSource: true);
        }
    }

    private string Next() => _at < _words.Length ? _words[_at++] : "";

    private string? Protocol(byte protocol)
    {
        if (_plan.Protocol is byte before && before != protocol)
        {
            return "a packet has one protocol";
        }

        _plan.Protocol = protocol;
        return null;
    }

    private string? Number(string what, int most, Action<int> use)
    {
        string text = Next();
        bool isHex = text.StartsWith("0x", StringComparison.Ordinal);
        if (!int.TryParse(
                isHex ? text[2..] : text,
                isHex ? NumberStyles.AllowHexSpecifier : NumberStyles.None,
                CultureInfo.InvariantCulture, out int value)
            || value < 0 || value > most)
        {
            return $"'{text}' is not {what}, 0 to {most}";
        }

        use(value);
        return null;
    }

    /// <summary>"type 3", "type unreachable/4".</summary>
    private string? Type()
    {
        string text = Next();
        string[] parts = text.Split('/');
        _plan.IcmpType = parts[0];
        byte code = 0;
        if (parts.Length > 2 || (parts.Length == 2 && !byte.TryParse(
            parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out code)))
        {
            return $"'{text}' is no type of ICMP such as echo, 3 or 3/4";
        }

        _plan.IcmpCode = code;
        return null;
    }

    private string? Fragment()
    {
        string text = Next();
        _plan.Fragment = text switch
        {
            "first" => FragmentKind.First,
            "later" => FragmentKind.Later,
            _ => FragmentKind.None,
        };
        return _plan.Fragment == FragmentKind.None
            ? $"'{text}' is no fragment: first or later"
            : null;
    }

    /// <summary>"192.0.2.1", "192.0.2.1:53", "2001:db8::1" or "[2001:db8::1]:53".</summary>
    private string? End(string word, bool isSource)
    {
        string address = word;
        string? port = null;
        int colon = word.LastIndexOf(':');
        if (word.StartsWith('[') && word.IndexOf(']') is int close and > 0)
        {
            address = word[1..close];
            port = word.Length > close + 1 && word[close + 1] == ':' ? word[(close + 2)..]
                : word.Length == close + 1 ? null : "";
        }
        else if (colon > 0 && word.IndexOf(':') == colon)
        {
            address = word[..colon];
            port = word[(colon + 1)..];
        }

        if (!Address(address, out IPAddress? read))
        {
            return isSource
                ? $"'{word}' is no word of a packet and no address"
                : $"'{word}' is no address to go to";
        }

        ushort number = 0;
        if (port is not null && !ushort.TryParse(
            port, NumberStyles.None, CultureInfo.InvariantCulture, out number))
        {
            return $"'{word}' has no port of 0 to 65535";
        }

        FrameEnd end = new(read!, port is null ? null : number);
        if ((isSource ? _plan.Source : _plan.Destination) is not null)
        {
            return $"'{word}' is one address too many";
        }

        _ = isSource ? _plan.Source = end : _plan.Destination = end;
        return null;
    }

    private static bool Address(string text, out IPAddress? address) =>
        IPAddress.TryParse(text, out address)
        && (address.AddressFamily == AddressFamily.InterNetworkV6
            ? !text.Contains('%')
            : text.Count(c => c == '.') == 3);
}
