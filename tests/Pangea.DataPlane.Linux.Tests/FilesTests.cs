using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Linux.Tests;

/// <summary>Calls on open descriptors.</summary>
public sealed class FilesTests
{
    [Fact]
    public void Tells_kinds_apart()
    {
        using OwnedFd memory = Files.CreateMemoryFile("kinds").Value;
        using OwnedFd device = Files.Open("/dev/null", OpenFlags.Read).Value;
        using DirectoryFd directory = DirectoryFd.Open("/").Value;
        (UnixSocket left, UnixSocket right) = UnixSocket.Pair().Value;
        using EventFd signal = EventFd.Create().Value;
        Assert.Equal(FileKind.Regular, Files.KindOf(memory));
        Assert.Equal(FileKind.CharacterDevice, Files.KindOf(device));
        Assert.Equal(FileKind.Directory, Files.KindOf(directory.Fd));
        Assert.Equal(FileKind.Socket, Files.KindOf(left.Fd));
        Assert.Equal(FileKind.Unknown, Files.KindOf(signal.Fd));
        Assert.Equal(0u, Files.Status(memory).Value.LinkCount);
        Assert.Equal(9, Files.Status(OwnedFd.Borrow(100_000)).Fault!.Errno); // EBADF
        left.Dispose();
        right.Dispose();
    }

    [Fact]
    public void Tells_how_a_descriptor_was_opened()
    {
        using OwnedFd read = Files.Open("/dev/null", OpenFlags.Read).Value;
        using OwnedFd write = Files.Open("/dev/null", OpenFlags.Write | OpenFlags.Append).Value;
        using OwnedFd both = Files.Open(
            "/dev/null", OpenFlags.Read | OpenFlags.Write | OpenFlags.NonBlocking).Value;
        Assert.Equal(
            new FileAccessMode(true, false, false, false, false), Files.AccessMode(read).Value);
        Assert.Equal(
            new FileAccessMode(false, true, true, false, false), Files.AccessMode(write).Value);
        Assert.Equal(
            new FileAccessMode(true, true, false, true, false), Files.AccessMode(both).Value);
        Assert.Equal(
            FaultCode.BadDescriptor, Files.AccessMode(OwnedFd.Borrow(100_000)).Fault!.Code);
    }

    [Fact]
    public void Every_descriptor_is_born_close_on_exec()
    {
        using OwnedFd memory = Files.CreateMemoryFile("cloexec").Value;
        using OwnedFd file = Files.Open("/dev/null", OpenFlags.Read).Value;
        using OwnedFd copy = Files.Duplicate(file).Value;
        using EventFd signal = EventFd.Create().Value;
        using DirectoryFd directory = DirectoryFd.Open("/").Value;
        foreach (OwnedFd fd in (OwnedFd[])[memory, file, copy, signal.Fd, directory.Fd])
        {
            string flags = File.ReadLines($"/proc/self/fdinfo/{fd.Number}")
                .First(line => line.StartsWith("flags:", StringComparison.Ordinal));
            const int cloexec = 0x80000;
            Assert.NotEqual(0, Convert.ToInt32(flags.Split('\t')[1], 8) & cloexec);
        }
    }

    [Fact]
    public void Reads_short_only_at_the_end_and_moves_no_position()
    {
        using OwnedFd file = Files.CreateMemoryFile("positions").Value;
        Assert.Equal(5, Files.WriteAt(file, "12345"u8, 3).Value);
        byte[] bytes = new byte[10];
        Assert.Equal(8, Files.ReadAt(file, bytes, 0).Value);
        Assert.Equal("\0\0\012345\0\0"u8.ToArray(), bytes);
        Assert.Equal(0, Files.Position(file).Value);
        Assert.Equal(8, Files.Read(file, bytes).Value);
        Assert.Equal(8, Files.Position(file).Value);
        Assert.True(Files.Truncate(file, 2).IsOk);
        Assert.Equal(2, Files.Status(file).Value.Bytes);
        Assert.True(Files.Reserve(file, 0, 4096, keepLength: true).IsOk
            || Files.Reserve(file, 0, 4096, keepLength: true).Errno == Errno.EOPNOTSUPP);
        Assert.Equal(2, Files.Status(file).Value.Bytes);
    }

    [Fact]
    public void A_lock_belongs_to_one_open_file()
    {
        string path = Path.GetTempFileName();
        try
        {
            using OwnedFd first = Files.Open(path, OpenFlags.Read).Value;
            using OwnedFd second = Files.Open(path, OpenFlags.Read).Value;
            Assert.True(Files.TryLock(first, exclusive: true).IsOk);
            Assert.Equal(Errno.EAGAIN, Files.TryLock(second, exclusive: false).Errno);
            Assert.True(Files.Unlock(first).IsOk);
            Assert.True(Files.TryLock(second, exclusive: true).IsOk);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void A_mapping_shares_a_file()
    {
        using OwnedFd file = Files.CreateMemoryFile("mapping").Value;
        Assert.True(Files.Truncate(file, 4096).IsOk);
        using MappedRegion writer = MappedRegion.Shared(file, 4096, writable: true).Value;
        using MappedRegion reader = MappedRegion.Shared(file, 4096, writable: false).Value;
        unsafe
        {
            // SAFETY: both mappings are 4096 bytes long and alive until the end of the test.
            writer.Address[4095] = 9;
            Assert.Equal(9, reader.Address[4095]);
        }
    }

    [Fact]
    public void Memory_comes_zeroed_whether_or_not_huge_pages_are_there()
    {
        const int bytes = 4 * 1024 * 1024;
        foreach (bool tryHugePages in (bool[])[false, true])
        {
            using MappedRegion region = MappedRegion.Anonymous(bytes, tryHugePages).Value;
            unsafe
            {
                // SAFETY: the region is that long and alive until the end of the loop's turn.
                var span = new Span<byte>(region.Address, bytes);
                Assert.Equal(-1, span.IndexOfAnyExcept((byte)0));
                Assert.Equal(0, (nint)region.Address % 4096);
            }
        }
    }

    [Fact]
    public void Probes_name_every_ability_once_with_a_detail()
    {
        IReadOnlyList<Capability> all = Probes.Run();
        Assert.Equal(all.Count, all.Select(c => c.Name).Distinct().Count());
        Assert.All(all, c => Assert.NotEmpty(c.Detail));
        Assert.Equal(UringProbe.Try() is null, all.Single(c => c.Name == "io_uring").IsAvailable);
        Assert.Empty(Directory.GetFiles(Directory.GetCurrentDirectory(), ".pangea-probe-*"));
    }
}
