using System.Globalization;
using System.Text;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Supervisor.Privilege;

/// <summary>One descriptor that goes over an exec.</summary>
/// <param name="Name">What it serves.</param>
/// <param name="Kind">Checked at the other side.</param>
/// <param name="Access">Checked at the other side.</param>
/// <param name="Fd">The number stays the same.</param>
internal sealed record InheritedFd(
    string Name, DescriptorKind Kind, DescriptorAccess Access, OwnedFd Fd);

/// <summary>
/// What a supervisor hands to the program that it executes in its own place: open descriptors with
/// their kinds, and a few texts. The manifest itself is a file in memory, one JSON array a line.
/// </summary>
internal sealed class Inheritance
{
    /// <summary>Names the manifest's descriptor on the command line.</summary>
    public const string Option = "--inherited";

    private const int BytesMax = 16 * 1024 * 1024;
    private const string DescriptorLine = "descriptor";
    private const string TextLine = "text";

    private readonly List<InheritedFd> _descriptors = [];
    private readonly List<(string Name, string Text)> _texts = [];

    /// <summary>Those that are open: a client may have left since it was added.</summary>
    public IReadOnlyList<InheritedFd> Descriptors =>
        [.. _descriptors.Where(each => !each.Fd.IsClosed)];

    public void Add(string name, DescriptorKind kind, DescriptorAccess access, OwnedFd fd) =>
        _descriptors.Add(new InheritedFd(name, kind, access, fd));

    public void Add(string name, string text) => _texts.Add((name, text));

    /// <summary>The text of that name, or null.</summary>
    public string? Text(string name) =>
        _texts.Where(each => each.Name == name).Select(each => each.Text).FirstOrDefault();

    public IEnumerable<string> Texts(string name) =>
        _texts.Where(each => each.Name == name).Select(each => each.Text);

    /// <summary>Takes the descriptor of that name.</summary>
    public Result<OwnedFd> Take(string name)
    {
        InheritedFd? found = _descriptors.FirstOrDefault(each => each.Name == name);
        if (found is null)
        {
            return new Fault(FaultCode.BadDescriptor, $"no descriptor \"{name}\" was inherited");
        }

        _descriptors.Remove(found);
        return found.Fd;
    }

    /// <summary>Writes the manifest to a file in memory, at its beginning.</summary>
    public Result<OwnedFd> Write()
    {
        var lines = new List<byte>();
        foreach (InheritedFd each in Descriptors)
        {
            lines.AddRange(WardenWire.Line(
            [
                DescriptorLine, each.Name, each.Kind.ToString(), each.Access.ToString(),
                each.Fd.Number.ToString(CultureInfo.InvariantCulture),
            ]));
        }

        foreach ((string name, string text) in _texts)
        {
            lines.AddRange(WardenWire.Line([TextLine, name, text]));
        }

        Result<OwnedFd> file = Files.CreateMemoryFile("pangea-inheritance");
        if (!file.IsOk)
        {
            return file;
        }

        SysResult written = Files.WriteAt(file.Value, lines.ToArray(), 0);
        return written.IsOk ? file : written.Errno.ToFault("write what is inherited");
    }

    /// <summary>
    /// Reads the manifest and takes its descriptors: no child gets one, and each is what it is said
    /// to be.
    /// </summary>
    public static Result<Inheritance> Read(string number)
    {
        if (!int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out int fd))
        {
            return Fault.InvalidParameter(Option, $"{number} is no descriptor");
        }

        Result<OwnedFd> taken = InheritedFds.Take(fd);
        if (!taken.IsOk)
        {
            return taken.Fault;
        }

        using OwnedFd file = taken.Value;
        Result<FileStatus> status = Files.Status(file);
        if (!status.IsOk || status.Value.Bytes > BytesMax)
        {
            return status.Fault ?? new Fault(FaultCode.TooLarge, "too much is inherited");
        }

        byte[] bytes = new byte[status.Value.Bytes];
        SysResult read = Files.ReadAt(file, bytes, 0);
        return read.IsOk
            ? Parse(Encoding.UTF8.GetString(bytes))
            : read.Errno.ToFault("read what is inherited");
    }

    private static Result<Inheritance> Parse(string text)
    {
        var inheritance = new Inheritance();
        foreach (string line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            switch (WardenWire.Texts(Encoding.UTF8.GetBytes(line)))
            {
                case [TextLine, { } name, { } value]:
                    inheritance.Add(name, value);
                    break;
                case [DescriptorLine, { } name, { } kind, { } access, { } number]
                    when Enum.TryParse(kind, out DescriptorKind known)
                        && Enum.TryParse(access, out DescriptorAccess allowed)
                        && int.TryParse(number, CultureInfo.InvariantCulture, out int fd):
                    Result<OwnedFd> taken = InheritedFds.Take(fd);
                    Fault? fault = taken.IsOk
                        ? DescriptorCheck.Check(name, taken.Value, known, allowed)
                        : taken.Fault;
                    if (fault is not null)
                    {
                        return fault;
                    }

                    inheritance.Add(name, known, allowed, taken.Value);
                    break;
                default:
                    return new Fault(FaultCode.Internal, "the manifest of an exec is damaged");
            }
        }

        return inheritance;
    }
}
