using System.Text;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;
using YamlDotNet.RepresentationModel;

namespace Pangea.DataPlane.Supervisor.Configuration;

/// <summary>
/// The configuration file: YAML, strict. An unknown key or a wrong value is an error with its line
/// and column, and all errors are reported at once.
/// </summary>
public sealed partial class ConfigurationFile
{
    private const int FileBytesMax = 1024 * 1024;
    private const int DepthMax = 16;

    private readonly string _path;
    private readonly List<string> _errors = [];
    private ConfigurationValues _values = new();

    private ConfigurationFile(string path) => _path = path;

    /// <summary>Reads a file. The fault's message has one line per error.</summary>
    public static Result<ConfigurationValues> Read(string path)
    {
        Result<string> text = ReadText(path);
        return text.IsOk ? Parse(path, text.Value) : text.Fault;
    }

    /// <summary>The text of a file, which must be UTF-8 and not too long.</summary>
    internal static Result<string> ReadText(string path)
    {
        // Without waiting: the path may turn out to be a pipe.
        Result<OwnedFd> opened = Files.Open(path, OpenFlags.Read | OpenFlags.NonBlocking);
        if (!opened.IsOk)
        {
            return opened.Fault with
            {
                Message = $"cannot read the configuration: {opened.Fault.Message}",
                Hint = "give the right path with --config",
            };
        }

        using OwnedFd file = opened.Value;
        return ReadText(file, path);
    }

    /// <summary>The text of an open file; <paramref name="path"/> serves messages.</summary>
    internal static Result<string> ReadText(OwnedFd file, string path)
    {
        Result<FileStatus> status = Files.Status(file);
        if (!status.IsOk)
        {
            return status.Fault;
        }

        if (status.Value.Kind != FileKind.Regular)
        {
            return Fault.InvalidParameter("config", $"{path} is not a file");
        }

        byte[] bytes = new byte[FileBytesMax + 1];
        SysResult read = Files.ReadAt(file, bytes, 0);
        if (!read.IsOk)
        {
            return read.Errno.ToFault($"read the configuration {path}");
        }

        if (read.Value > FileBytesMax)
        {
            return new Fault(FaultCode.TooLarge, $"{path} has more than {FileBytesMax} bytes");
        }

        try
        {
            // A mark at the beginning is no part of the text.
            string text = new UTF8Encoding(false, throwOnInvalidBytes: true)
                .GetString(bytes, 0, (int)read.Value);
            return text.TrimStart('\uFEFF');
        }
        catch (DecoderFallbackException)
        {
            return Fault.InvalidParameter("config", $"{path} is not UTF-8 text");
        }
    }

    /// <summary>
    /// Reads the text of a file; <paramref name="path"/> serves messages and relative paths.
    /// </summary>
    public static Result<ConfigurationValues> Parse(string path, string text)
    {
        var file = new ConfigurationFile(path);
        file.ReadDocument(text);
        return file._errors.Count == 0
            ? file._values
            : new Fault(
                FaultCode.InvalidParameters,
                string.Join('\n', file._errors),
                "docs/configuration.md describes every key",
                "config");
    }

    private void ReadDocument(string text)
    {
        var stream = new YamlStream();
        try
        {
            if (IsTooDeep(text))
            {
                return;
            }

            stream.Load(new StringReader(text));
        }
        catch (YamlException e)
        {
            _errors.Add($"{_path}:{e.Start.Line}:{e.Start.Column}: {e.Message}");
            return;
        }
        catch (Exception e) when (e is InvalidOperationException or ArgumentException)
        {
            // How the library reports some malformed texts, found by the fuzz test.
            _errors.Add($"{_path}: malformed YAML: {e.Message}");
            return;
        }

        if (stream.Documents.Count == 0)
        {
            return; // An empty file means every default.
        }

        if (stream.Documents.Count > 1)
        {
            Error(stream.Documents[1].RootNode, "a second document; one is read");
        }

        ReadMapping(stream.Documents[0].RootNode, "the configuration", ReadTop);
    }

    /// <summary>
    /// The document model is built by recursion, so text that only nests would overflow the stack.
    /// The parser below it does not recurse.
    /// </summary>
    private bool IsTooDeep(string text)
    {
        int depth = 0;
        var parser = new Parser(new StringReader(text));
        while (parser.MoveNext())
        {
            depth += parser.Current switch
            {
                MappingStart or SequenceStart => 1,
                MappingEnd or SequenceEnd => -1,
                _ => 0,
            };
            if (depth > DepthMax)
            {
                Mark place = parser.Current!.Start;
                _errors.Add($"{_path}:{place.Line}:{place.Column}: nested deeper than {DepthMax}");
                return true;
            }
        }

        return false;
    }

    private bool ReadTop(string key, YamlNode value)
    {
        switch (key)
        {
            case "state":
                ReadText(
                    value, key, text => _values = _values with { StateDirectory = FullPath(text) });
                return true;
            case "socket":
                ReadText(
                    value, key, text => _values = _values with { SocketPath = FullPath(text) });
                return true;
            case "user":
                ReadText(value, key, text => _values = _values with { User = text });
                return true;
            case "storage":
                ReadMapping(value, key, ReadStorage);
                return true;
            case "workers":
                ReadMapping(value, key, ReadWorkers);
                return true;
            case "firewall":
                ReadFirewall(value);
                return true;
            default:
                return false;
        }
    }

    private bool ReadStorage(string key, YamlNode value)
    {
        switch (key)
        {
            case "devices":
                ReadPaths(value, key, paths => _values = _values with { Devices = paths });
                return true;
            case "devicePlaces":
                ReadPaths(value, key, paths => _values = _values with { DevicePlaces = paths });
                return true;
            case "redundancy":
                ReadParsed(value, key, ConfigurationValues.ParseRedundancy, parsed =>
                    _values = _values with { Redundancy = parsed });
                return true;
            case "stripeBytes" or "stripeMiB":
                if (_values.StripeBytes is not null)
                {
                    Error(value, "stripeBytes and stripeMiB say the same thing; give one");
                    return true;
                }

                int unit = key == "stripeMiB" ? 1024 * 1024 : 1;
                ReadParsed(
                    value,
                    key,
                    text => ConfigurationValues.ParseStripeBytes(text, unit),
                    parsed => _values = _values with { StripeBytes = parsed });
                return true;
            case "compression":
                ReadParsed(value, key, ConfigurationValues.ParseCompression, parsed =>
                    _values = _values with { Compression = parsed });
                return true;
            case "classes":
                ReadMapping(value, "storage.classes", ReadClass);
                return true;
            default:
                return ReadSettings(key, value);
        }
    }

    private bool ReadClass(string name, YamlNode value)
    {
        if (name is "default" or "" || name.Length > ObjectClassValues.NameCharactersMax)
        {
            Error(
                value,
                $"\"{name}\" is no name for a class: 1 to {ObjectClassValues.NameCharactersMax} "
                    + "characters, and default is what storage itself says");
            return true;
        }

        var kind = new ObjectClassValues { Name = name };
        ReadMapping(value, $"storage.classes.{name}", (key, node) =>
        {
            switch (key)
            {
                case "redundancy":
                    ReadParsed(node, key, ConfigurationValues.ParseRedundancy, parsed =>
                        kind = kind with { Redundancy = parsed });
                    return true;
                case "stripeBytes" or "stripeMiB":
                    int unit = key == "stripeMiB" ? 1024 * 1024 : 1;
                    ReadParsed(
                        node,
                        key,
                        text => ConfigurationValues.ParseStripeBytes(text, unit),
                        parsed => kind = kind with { StripeBytes = parsed });
                    return true;
                case "compression":
                    ReadParsed(node, key, ConfigurationValues.ParseCompression, parsed =>
                        kind = kind with { Compression = parsed });
                    return true;
                default:
                    return false;
            }
        });
        _values = _values with { Classes = [.. _values.Classes ?? [], kind] };
        return true;
    }

    private bool ReadWorkers(string key, YamlNode value)
    {
        switch (key)
        {
            case "deathsPerMinute":
                ReadParsed(value, key, ConfigurationValues.ParseDeathsPerMinute, parsed =>
                    _values = _values with { DeathsPerMinuteMax = parsed });
                return true;
            case "stallSeconds":
                ReadParsed(value, key, ConfigurationValues.ParseStallSeconds, parsed =>
                    _values = _values with { StallSecondsMax = parsed });
                return true;
            case "storage":
                break;
            case "relay":
                ReadCores(key, value, cores => _values = _values with { RelayCores = cores });
                return true;
            case "gateway":
                ReadCores(key, value, cores => _values = _values with { GatewayCores = cores });
                return true;
            default:
                return false;
        }

        ReadMapping(value, "workers.storage", (inner, node) =>
        {
            switch (inner)
            {
                case "cores":
                    ReadParsed(
                        node, inner, text => CoreRequest.Parse(text, PlaceOf(node)),
                        parsed => _values = _values with { StorageCores = parsed });
                    return true;
                case "threads":
                    ReadParsed(node, inner, ConfigurationValues.ParseThreads, parsed =>
                        _values = _values with { StorageThreads = parsed });
                    return true;
                case "standby":
                    ReadParsed(node, inner, ConfigurationValues.ParseStandby, parsed =>
                        _values = _values with { StorageStandby = parsed });
                    return true;
                default:
                    return false;
            }
        });
        return true;
    }

    /// <summary>Of a role that has no workers yet, and so nothing else to say.</summary>
    private void ReadCores(string role, YamlNode value, Action<CoreRequest> take) =>
        ReadMapping(value, $"workers.{role}", (key, node) =>
        {
            if (key != "cores")
            {
                return false;
            }

            ReadParsed(node, key, text => CoreRequest.Parse(text, PlaceOf(node)), take);
            return true;
        });

    private void ReadPaths(YamlNode node, string key, Action<IReadOnlyList<string>> take)
    {
        if (node is not YamlSequenceNode { Children: { } children }
            || children.Count is 0 or > Limits.DevicesMax)
        {
            Error(node, $"{key} is a list of 1 to {Limits.DevicesMax} paths");
            return;
        }

        var paths = new List<string>();
        foreach (YamlNode child in children)
        {
            ReadText(child, key, text =>
            {
                string path = FullPath(text);
                if (paths.Contains(path))
                {
                    Error(child, $"{path} is named twice in {key}");
                }

                paths.Add(path);
            });
        }

        take(paths);
    }

    private void ReadMapping(YamlNode node, string what, Func<string, YamlNode, bool> read)
    {
        if (node is not YamlMappingNode mapping)
        {
            Error(node, $"{what} is a mapping of keys to values");
            return;
        }

        foreach ((YamlNode keyNode, YamlNode value) in mapping.Children)
        {
            if (keyNode is not YamlScalarNode { Value: { } key } || !read(key, value))
            {
                Error(keyNode, $"unknown key \"{keyNode}\" in {what}");
            }
        }
    }

    private void ReadText(YamlNode node, string key, Action<string> take)
    {
        if (node is YamlScalarNode { Value: { Length: > 0 } text } && !text.Contains('\0'))
        {
            take(text);
        }
        else
        {
            Error(node, $"{key} needs a text");
        }
    }

    private void ReadParsed<T>(
        YamlNode node, string key, Func<string, Result<T>> parse, Action<T> take) =>
        ReadText(node, key, text =>
        {
            Result<T> parsed = parse(text);
            if (parsed.IsOk)
            {
                take(parsed.Value);
            }
            else
            {
                Error(node, $"{key}: {parsed.Fault.Message}");
            }
        });

    /// <summary>Paths in a file are relative to the file, not to whoever starts us.</summary>
    private string FullPath(string path) =>
        Path.GetFullPath(path, Path.GetDirectoryName(Path.GetFullPath(_path)) ?? "/");

    private void Error(YamlNode node, string message) =>
        _errors.Add($"{PlaceOf(node)}: {message}");

    private string PlaceOf(YamlNode node) =>
        $"{_path}:{node.Start.Line}:{node.Start.Column}";
}
