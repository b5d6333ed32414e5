using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Linux.Tests;

/// <summary>Directories through their descriptors.</summary>
public sealed class DirectoryFdTests : IDisposable
{
    private readonly string _path = Directory.CreateTempSubdirectory("pangea-directory-").FullName;
    private readonly DirectoryFd _directory;

    public DirectoryFdTests() => _directory = DirectoryFd.Open(_path).Value;

    public void Dispose()
    {
        _directory.Dispose();
        Directory.Delete(_path, recursive: true);
    }

    [Fact]
    public void Makes_opens_and_removes_below_itself()
    {
        Assert.True(_directory.MakeDirectory("below").IsOk);
        Assert.Equal(Errno.EEXIST, _directory.MakeDirectory("below").Errno);
        using DirectoryFd below = _directory.OpenDirectory("below").Value;
        using (OwnedFd file = Create(below, "file"))
        {
            Assert.Equal(3, Files.WriteAt(file, "abc"u8, 10).Value);
        }

        Assert.True(below.StatusOf("file", out FileStatus status).IsOk);
        Assert.Equal((FileKind.Regular, 13L, 0x180), (status.Kind, status.Bytes, status.Mode));
        Assert.Equal(Errno.ENOTEMPTY, _directory.RemoveDirectory("below").Errno);
        Assert.True(below.RemoveFile("file").IsOk);
        Assert.Equal(Errno.ENOENT, below.RemoveFile("file").Errno);
        Assert.Equal(Errno.ENOENT, below.StatusOf("file", out _).Errno);
        Assert.True(_directory.RemoveDirectory("below").IsOk);
        Assert.True(_directory.Sync().IsOk);
    }

    [Fact]
    public void Works_after_the_directory_was_renamed()
    {
        // Goal: a worker that holds the descriptor does not depend on any path.
        string moved = _path + "-moved";
        Directory.Move(_path, moved);
        try
        {
            using OwnedFd file = Create(_directory, "file");
            Assert.True(File.Exists(Path.Combine(moved, "file")));
        }
        finally
        {
            Directory.Move(moved, _path);
        }
    }

    [Fact]
    public void Renames_with_and_without_replacing()
    {
        Create(_directory, "one").Dispose();
        Create(_directory, "two").Dispose();
        Assert.Equal(
            Errno.EEXIST, _directory.Rename("one", _directory, "two", replace: false).Errno);
        Assert.True(_directory.Rename("one", _directory, "three", replace: false).IsOk);
        Assert.True(_directory.Rename("three", _directory, "two", replace: true).IsOk);
        Assert.Equal(["two"], Names());
    }

    [Fact]
    public void Lists_thousands_of_names_of_every_kind()
    {
        var expected = new HashSet<string>();
        for (int i = 0; i < 3000; i++)
        {
            string name = $"{i:d8}-long-enough-to-need-several-calls-é";
            Create(_directory, name).Dispose();
            expected.Add(name);
        }

        Directory.CreateDirectory(Path.Combine(_path, "d"));
        File.CreateSymbolicLink(Path.Combine(_path, "l"), "nowhere");
        List<DirectoryEntry> entries = _directory.List().Value;
        Assert.Contains(new DirectoryEntry("d", FileKind.Directory), entries);
        Assert.Contains(new DirectoryEntry("l", FileKind.SymbolicLink), entries);
        Assert.Equal(3002, entries.Count);
        expected.ExceptWith(
            entries.Where(e => e.Kind == FileKind.Regular).Select(e => e.Name));
        Assert.Empty(expected);

        // A second listing starts anew.
        Assert.Equal(3002, _directory.List().Value.Count);
    }

    [Fact]
    public void Refuses_what_is_not_a_directory()
    {
        using OwnedFd file = Create(_directory, "file");
        Assert.Equal(FaultCode.BadDescriptor, DirectoryFd.Adopt(file).Fault!.Code);
        Assert.Equal(20, _directory.OpenDirectory("file").Fault!.Errno); // ENOTDIR
        File.CreateSymbolicLink(Path.Combine(_path, "link"), "/");
        Assert.False(_directory.OpenDirectory("link").IsOk);
        Assert.Equal(FaultCode.NotFound, DirectoryFd.Open(_path + "/absent").Fault!.Code);
    }

    [Theory]
    [InlineData("zero\0inside")]
    [InlineData("")]
    public void Refuses_names_that_the_kernel_would_misread(string name)
    {
        Assert.False(_directory.OpenFile(name, OpenFlags.Write | OpenFlags.Create).IsOk);
        Assert.False(_directory.MakeDirectory(name).IsOk);
        Assert.False(_directory.RemoveFile(name).IsOk);
        Assert.Empty(Names());
    }

    [Fact]
    public void Refuses_a_name_that_is_too_long()
    {
        string name = new('n', 5000);
        Assert.False(_directory.OpenFile(name, OpenFlags.Write | OpenFlags.Create).IsOk);
        Assert.Equal(Errno.EINVAL, _directory.RemoveFile(name).Errno);
    }

    [Fact]
    public void Tells_the_room_that_is_left()
    {
        FileSystemSpace space = _directory.Space().Value;
        Assert.InRange(space.FreeBytes, 1, space.TotalBytes);
        Assert.False(space.ReadOnly);
    }

    private static OwnedFd Create(DirectoryFd directory, string name) =>
        directory.OpenFile(
            name, OpenFlags.Read | OpenFlags.Write | OpenFlags.Create | OpenFlags.Exclusive).Value;

    private IEnumerable<string> Names() => _directory.List().Value.Select(e => e.Name);
}
