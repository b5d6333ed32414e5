using System.Diagnostics;
using Pangea.DataPlane.Core;
using static Pangea.DataPlane.Catalog.Tests.CatalogDirectory;

namespace Pangea.DataPlane.Catalog.Tests;

/// <summary>
/// Goal: damage, a full disk, a directory that cannot be written and a second process each give a
/// fault that says so, and lose nothing but what was damaged.
/// </summary>
public sealed class CatalogFaultTests : IDisposable
{
    private readonly CatalogDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task A_truncated_file_needs_a_rebuild()
    {
        await FillAsync(2000);
        long bytes = new FileInfo(_directory.DataFile).Length;
        foreach (long length in new[] { bytes - 4096, bytes / 2, 4096, 100, 1 })
        {
            SetLength(_directory.DataFile, length);
            AssertNeedsRebuild("bytes");
        }
    }

    [Fact]
    public async Task Noise_and_other_programs_files_need_a_rebuild()
    {
        byte[] noise = new byte[100_000];
        new Random(1).NextBytes(noise);
        File.WriteAllBytes(_directory.DataFile, noise);
        AssertNeedsRebuild("page 0 is no LMDB 0.9 meta page");

        File.Delete(_directory.DataFile);
        await FillAsync(10);
        using (FileStream file = File.OpenWrite(_directory.DataFile))
        {
            file.Position = 4096 + 16; // the second meta page's magic
            file.Write(new byte[8]);
        }

        AssertNeedsRebuild("page 1 is no LMDB 0.9 meta page");
    }

    [Fact]
    public void An_empty_file_is_a_new_catalog()
    {
        File.WriteAllBytes(_directory.DataFile, []);
        using ObjectCatalog catalog = _directory.Open();
        Assert.Equal(0, catalog.Count);
    }

    [Fact]
    public void A_database_of_another_program_is_left_as_it_is()
    {
        MakeForeignDatabase(_directory.Path);
        byte[] before = File.ReadAllBytes(_directory.DataFile);
        AssertNeedsRebuild("open the catalog's tables");
        Assert.Equal(before, File.ReadAllBytes(_directory.DataFile));
    }

    [Theory]
    [InlineData(4, "format 2")]
    [InlineData(6, "checksum")]
    public async Task Another_format_or_a_damaged_state_needs_a_rebuild(int at, string message)
    {
        await FillAsync(10);
        Result<LmdbEnvironment> opened = LmdbEnvironment.Open(_directory.Path, 1 << 30);
        using (LmdbEnvironment environment = opened.Value)
        using (var write = new LmdbWrite(environment))
        {
            Assert.True(write.TryGet(
                CatalogTable.Meta, CatalogState.Key, out ReadOnlySpan<byte> stored));
            byte[] changed = stored.ToArray();
            changed[at] = (byte)(changed[at] + 1);
            write.Put(CatalogTable.Meta, CatalogState.Key, changed);
            Assert.Equal(0, write.Commit());
        }

        AssertNeedsRebuild(message);
    }

    [Fact]
    public async Task A_flipped_byte_in_an_entry_is_noticed_and_remembered()
    {
        await FillAsync(100);
        byte[] file = File.ReadAllBytes(_directory.DataFile);
        int key = file.AsSpan().LastIndexOf("name 00042"u8); // an older page may have it too
        for (int at = file.AsSpan().IndexOf("name 00042"u8); at <= key; at++)
        {
            if (file.AsSpan(at).StartsWith("name 00042"u8))
            {
                file[at + 10 + 12] ^= 0x10;
            }
        }

        File.WriteAllBytes(_directory.DataFile, file);
        using (ObjectCatalog catalog = _directory.Open())
        {
            Assert.NotNull(catalog.Find(Name("name 00041")));
            Assert.Null(catalog.Find(Name("name 00042")));
            Assert.Equal(FaultCode.Corrupt, catalog.NeedsRebuild!.Code);
            Assert.Contains("name 00042", catalog.NeedsRebuild.Message);
            Assert.False((await catalog.CheckpointAsync([])).IsOk);
        }

        AssertNeedsRebuild("an earlier process met a damaged page");
    }

    [Fact]
    public async Task A_catalog_that_needs_a_rebuild_begins_anew()
    {
        await FillAsync(100);
        SetLength(_directory.DataFile, 5000);
        using (ObjectCatalog catalog = ObjectCatalog.Open(_directory.Path).Value)
        {
            Assert.NotNull(catalog.NeedsRebuild);
            Assert.Null(catalog.Find(Name("name 00001")));
            Assert.Empty(catalog.List("", null, 10, out _));
            Assert.Empty(catalog.Expired(long.MaxValue, 10));
            Assert.Empty(catalog.Marks);
            Assert.True(catalog.Clear().IsOk);
            Assert.Null(catalog.NeedsRebuild);
            catalog.Set(Entry("anew"));
            Assert.True((await catalog.CheckpointAsync([])).IsOk);
        }

        using ObjectCatalog reopened = _directory.Open();
        Assert.Equal(1, reopened.Count);
    }

    [Fact]
    public void A_second_user_of_the_directory_is_refused()
    {
        using (ObjectCatalog first = _directory.Open())
        {
            Result<ObjectCatalog> second = ObjectCatalog.Open(_directory.Path);
            Assert.Equal(FaultCode.BadState, second.Fault!.Code);
            first.Set(Entry("still open"));
        }

        _directory.Open().Dispose();
    }

    [Fact]
    public void A_missing_directory_is_a_fault()
    {
        Result<ObjectCatalog> opened = ObjectCatalog.Open(_directory.Path + "/none");
        Assert.Equal(FaultCode.NotFound, opened.Fault!.Code);
    }

    [SkippableFact]
    public async Task A_read_only_directory_is_a_fault()
    {
        await FillAsync(10);
        using Mount mount = Mount.Over(_directory.Path, "bind");
        Mount.Run("mount", "-o", "remount,bind,ro", _directory.Path);
        Result<ObjectCatalog> opened = ObjectCatalog.Open(_directory.Path);
        Assert.False(opened.IsOk);
        Assert.Contains("Read-only", opened.Fault.Message);
    }

    [SkippableFact]
    public async Task A_full_disk_delays_checkpoints_and_loses_nothing()
    {
        const int count = 20_000;
        using (Mount mount = Mount.Over(_directory.Path, "tmpfs"))
        {
            string filler = Path.Combine(_directory.Path, "filler");
            File.WriteAllBytes(filler, new byte[14 << 20]);
            using (ObjectCatalog catalog = _directory.Open(new CatalogOptions { ChangesMax = 500 }))
            {
                Fault? fault = null;
                int failures = 0;
                for (int i = 0; i < count; i++)
                {
                    catalog.Set(Entry($"name {i:D5}", i));
                    if (i % 1000 == 999)
                    {
                        Result written = await catalog.CheckpointAsync([new LogMark(0, 1, 64)]);
                        fault = written.Fault ?? fault;
                        failures += written.IsOk ? 0 : 1;
                        Assert.Equal(!written.IsOk, catalog.IsFull);
                    }
                }

                Assert.Equal(FaultCode.NoSpace, fault!.Code);
                Assert.True(failures > 1);
                Assert.Null(catalog.NeedsRebuild);
                Assert.Equal(3, catalog.Find(Name("name 00003"))!.Bytes);
                Assert.Equal(19_999, catalog.Find(Name("name 19999"))!.Bytes);
                Assert.Equal(1000, catalog.List("", "name 09999", 1000, out _).Count);

                File.Delete(filler);
                Assert.True((await catalog.CheckpointAsync([new LogMark(0, 9, 64)])).IsOk);
                Assert.Equal(0, catalog.PendingChanges);
            }

            using ObjectCatalog reopened = _directory.Open();
            Assert.Equal(count, reopened.Count);
            Assert.Equal(9u, Assert.Single(reopened.Marks).Segment);
            Assert.Equal(19_999, reopened.Find(Name("name 19999"))!.Bytes);
        }
    }

    [Fact]
    public async Task A_full_map_grows()
    {
        using ObjectCatalog catalog = _directory.Open(new CatalogOptions { MapBytes = 256 * 1024 });
        for (int i = 0; i < 30_000; i++)
        {
            catalog.Set(Entry($"name {i:D5}", i));
            if (i % 10_000 == 9_999)
            {
                Assert.True((await catalog.CheckpointAsync([])).IsOk);
            }
        }

        Assert.True(catalog.FileBytes > 1024 * 1024);
        Assert.Equal(12_345, catalog.Find(Name("name 12345"))!.Bytes);
        Assert.Equal("name 00001", catalog.List("", "name 00000", 1, out _)[0].Name.Text);
    }

    [Fact]
    public void Only_one_checkpoint_is_under_way()
    {
        using var loop = new LoopContext();
        using ObjectCatalog catalog = _directory.Open();
        catalog.Set(Entry("x"));
        Task<Result> first = catalog.CheckpointAsync([]);
        Assert.True(catalog.IsCheckpointing);
        Assert.Equal(FaultCode.Busy, loop.Wait(catalog.CheckpointAsync([])).Fault!.Code);
        Assert.True(loop.Wait(first).IsOk);
        Assert.True(loop.Wait(catalog.CheckpointAsync([])).IsOk);
        Assert.Equal(1, catalog.Checkpoints);
    }

    [Fact]
    public void Closing_finishes_the_checkpoint_that_is_being_written()
    {
        using var loop = new LoopContext();
        ObjectCatalog catalog = _directory.Open();
        catalog.Set(Entry("x"));
        Task<Result> underWay = catalog.CheckpointAsync([]);
        catalog.Set(Entry("y"));
        catalog.Dispose();
        Assert.True(loop.Wait(underWay).IsOk);

        using ObjectCatalog reopened = _directory.Open();
        Assert.Equal("x", Assert.Single(reopened.List("", null, 10, out _)).Name.Text);
    }

    private async Task FillAsync(int count)
    {
        using ObjectCatalog catalog = _directory.Open();
        for (int i = 0; i < count; i++)
        {
            catalog.Set(Entry($"name {i:D5}", i));
        }

        Assert.True((await catalog.CheckpointAsync([new LogMark(0, 1, 64)])).IsOk);
    }

    private void AssertNeedsRebuild(string message)
    {
        Result<ObjectCatalog> opened = ObjectCatalog.Open(_directory.Path);
        Assert.True(opened.IsOk, opened.Fault?.ToString());
        using ObjectCatalog catalog = opened.Value;
        Assert.Equal(FaultCode.Corrupt, catalog.NeedsRebuild!.Code);
        Assert.Contains(message, catalog.NeedsRebuild.Message);
    }

    private static void SetLength(string path, long bytes)
    {
        using FileStream file = File.OpenWrite(path);
        file.SetLength(bytes);
    }

    private static unsafe void MakeForeignDatabase(string directory)
    {
        nint environment, transaction;
        uint table;
        byte[] path = System.Text.Encoding.UTF8.GetBytes(directory + '\0');
        fixed (byte* at = path)
        fixed (byte* name = "theirs\0"u8)
        {
            Assert.Equal(0, Lmdb.mdb_env_create(&environment));
            Assert.Equal(0, Lmdb.mdb_env_set_maxdbs(environment, 1));
            Assert.Equal(0, Lmdb.mdb_env_open(environment, at, 0, 0x180));
            Assert.Equal(0, Lmdb.mdb_txn_begin(environment, 0, 0, &transaction));
            Assert.Equal(0, Lmdb.mdb_dbi_open(transaction, name, Lmdb.Create, &table));
            Assert.Equal(0, Lmdb.mdb_txn_commit(transaction));
            Lmdb.mdb_env_close(environment);
        }
    }

    /// <summary>A mount over a directory, taken away at the end; needs root.</summary>
    private sealed class Mount(string path) : IDisposable
    {
        public static Mount Over(string path, string kind)
        {
            Skip.IfNot(Environment.IsPrivilegedProcess, "mounting needs root");
            bool mounted = kind == "bind"
                ? TryRun("mount", "--bind", path, path)
                : TryRun("mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", path);
            Skip.IfNot(mounted, "this machine forbids mounts");
            return new Mount(path);
        }

        public static void Run(string program, params string[] arguments) =>
            Assert.True(TryRun(program, arguments));

        public void Dispose() => Run("umount", path);

        private static bool TryRun(string program, params string[] arguments)
        {
            using Process process = Process.Start(program, arguments);
            process.WaitForExit();
            return process.ExitCode == 0;
        }
    }
}
