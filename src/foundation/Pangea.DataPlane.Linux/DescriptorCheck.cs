using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux.Abi;
using Pangea.DataPlane.Linux.Sys;

namespace Pangea.DataPlane.Linux;

/// <summary>
/// Asks the kernel what a descriptor is: the manifest that came with it is a claim of another
/// process.
/// </summary>
public static class DescriptorCheck
{
    /// <summary>
    /// Null where the descriptor is what it is said to be; <see cref="FaultCode.BadDescriptor"/>
    /// with both where it is not.
    /// </summary>
    /// <param name="name">What it serves, for the message.</param>
    public static Fault? Check(
        string name, OwnedFd descriptor, DescriptorKind kind, DescriptorAccess access)
    {
        DescriptorKind? real = KindOf(descriptor);
        if (real != kind)
        {
            string found = real?.ToString() ?? Files.KindOf(descriptor).ToString();
            return Refuse(name, $"is a {kind}", $"it is a {found}");
        }

        if (kind is DescriptorKind.Stream or DescriptorKind.Listener)
        {
            return null; // A socket is always open for both.
        }

        Result<FileAccessMode> mode = Files.AccessMode(descriptor);
        if (!mode.IsOk)
        {
            return mode.Fault;
        }

        bool isRight = mode.Value.Readable
            && mode.Value.Writable == (access != DescriptorAccess.Read);
        return isRight
            ? null
            : Refuse(
                name,
                $"is open for {access}",
                $"it is readable: {mode.Value.Readable}, writable: {mode.Value.Writable}");
    }

    /// <summary>The kind; null where it is none that we hand to anybody.</summary>
    public static DescriptorKind? KindOf(OwnedFd descriptor) => Files.KindOf(descriptor) switch
    {
        FileKind.Directory => DescriptorKind.Directory,
        FileKind.BlockDevice => DescriptorKind.BlockDevice,
        FileKind.Regular => IsSealed(descriptor) ? DescriptorKind.Memory : DescriptorKind.File,
        FileKind.Socket => KindOfSocket(descriptor),
        _ => null,
    };

    private static DescriptorKind? KindOfSocket(OwnedFd descriptor) =>
        Option(descriptor, Socket.SO_DOMAIN) != Socket.AF_UNIX
            || Option(descriptor, Socket.SO_TYPE) != Socket.SOCK_STREAM
            ? null
            : Option(descriptor, Socket.SO_ACCEPTCONN) == 1
                ? DescriptorKind.Listener
                : DescriptorKind.Stream;

    /// <summary>
    /// Only memory files take seals; a file on tmpfs answers with F_SEAL_SEAL, which alone seals no
    /// length.
    /// </summary>
    private static bool IsSealed(OwnedFd descriptor)
    {
        const int length = Fcntl.F_SEAL_SHRINK | Fcntl.F_SEAL_GROW;
        SysResult seals = Call.Of(LibC.fcntl(descriptor.Number, Fcntl.F_GET_SEALS, 0));
        return seals.IsOk && ((int)seals.Value & length) == length;
    }

    private static unsafe int Option(OwnedFd descriptor, int option)
    {
        int value = -1;
        uint bytes = sizeof(int);

        // SAFETY: the kernel writes at most the four bytes that are there.
        int result = LibC.getsockopt(
            descriptor.Number, Socket.SOL_SOCKET, option, &value, &bytes);
        return result < 0 ? -1 : value;
    }

    private static Fault Refuse(string name, string said, string found) => new(
        FaultCode.BadDescriptor, $"the descriptor \"{name}\" {said} by its manifest, but {found}");
}
