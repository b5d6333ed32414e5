using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Linux.Tests;

/// <summary>A descriptor is what the kernel says, not what came with it.</summary>
public sealed class DescriptorCheckTests : IDisposable
{
    private readonly string _directory =
        Directory.CreateTempSubdirectory("pangea-descriptors-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public void Each_kind_is_told_from_the_others()
    {
        string path = Path.Combine(_directory, "file");
        File.WriteAllText(path, "x");
        using OwnedFd read = Files.Open(path, OpenFlags.Read).Value;
        using OwnedFd both = Files.Open(path, OpenFlags.Read | OpenFlags.Write).Value;
        using OwnedFd write = Files.Open(path, OpenFlags.Write).Value;
        using DirectoryFd directory = DirectoryFd.Open(_directory).Value;
        using OwnedFd memory = MemoryFile.CreateSealed("test", 4096).Value;
        using OwnedFd unsealed = Files.CreateMemoryFile("test").Value;
        using OwnedFd nothing = Files.Open("/dev/null", OpenFlags.Read).Value;
        (UnixSocket first, UnixSocket second) = UnixSocket.Pair().Value;
        using UnixSocket one = first;
        using UnixSocket other = second;
        using UnixSocket listener = UnixSocket.Listen(
            Path.Combine(_directory, "socket"), 0x180, 1).Value;
        (OwnedFd Fd, DescriptorKind? Kind, DescriptorAccess? Access)[] all =
        [
            (read, DescriptorKind.File, DescriptorAccess.Read),
            (both, DescriptorKind.File, DescriptorAccess.ReadWrite),
            (write, DescriptorKind.File, null),
            (directory.Fd, DescriptorKind.Directory, DescriptorAccess.Read),
            (memory, DescriptorKind.Memory, DescriptorAccess.ReadWrite),
            (unsealed, DescriptorKind.File, DescriptorAccess.ReadWrite),
            (nothing, null, null),
            (one.Fd, DescriptorKind.Stream, null),
            (listener.Fd, DescriptorKind.Listener, null),
        ];
        foreach ((OwnedFd fd, DescriptorKind? kind, DescriptorAccess? access) in all)
        {
            foreach (DescriptorKind said in Enum.GetValues<DescriptorKind>())
            {
                foreach (DescriptorAccess asked in Enum.GetValues<DescriptorAccess>())
                {
                    bool isSocket = kind is DescriptorKind.Stream or DescriptorKind.Listener;
                    bool isRight = said == kind && (isSocket || asked == access);
                    Fault? fault = DescriptorCheck.Check("it", fd, said, asked);
                    Assert.True(isRight == fault is null, $"{kind} {access}: {said} {asked}");
                    Assert.True(isRight || fault!.Code == FaultCode.BadDescriptor);
                }
            }
        }
    }
}
