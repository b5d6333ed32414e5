using System.Runtime.InteropServices;
using System.Text;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Catalog;

/// <summary>The tables of the catalog's file; the names in it are theirs in lower case.</summary>
internal enum CatalogTable
{
    Meta,
    Objects,
    Ids,
    Expiry,
    Tombstones,
    Notes,
}

/// <summary>
/// An open LMDB file and the one read transaction through which the loop sees the state of the last
/// checkpoint. Reading is the loop's; <see cref="LmdbWrite"/> may work beside it on another thread.
/// </summary>
internal sealed unsafe class LmdbEnvironment : IDisposable
{
    public const int KeyBytesMax = 511;
    public const string DataFile = "data.mdb";
    public const string LockFile = "lock.mdb";
    private const long MapBytesMin = 1024 * 1024;
    private static readonly string[] s_tableNames =
        ["meta", "objects", "ids", "expiry", "tombstones", "notes"];

    private readonly uint[] _tables = new uint[s_tableNames.Length];
    private nint _environment;
    private nint _read;

    private LmdbEnvironment(nint environment) => _environment = environment;

    /// <summary>The first damage that a read met; reads then answer "not there".</summary>
    public Fault? Damage { get; private set; }

    /// <summary>Of the file's map: grows by <see cref="Grow"/> only.</summary>
    public long MapBytes => (long)Information().MapBytes;

    /// <summary>Bytes of the file that pages have ever used.</summary>
    public long UsedBytes => ((long)Information().LastPage + 1) * Environment.SystemPageSize;

    /// <summary>Where the map begins; 0 where that cannot be found out.</summary>
    public nint MapAddress { get; private set; }

    /// <summary>Handle for transactions that <see cref="LmdbWrite"/> begins.</summary>
    public nint Handle
    {
        get
        {
            Invariant.Check(_environment != 0, "the catalog's file is closed");
            return _environment;
        }
    }

    /// <summary>The library's version, or why it cannot be used.</summary>
    public static Result<string> Version()
    {
        try
        {
            int major, minor, patch;
            // SAFETY: three integers on this frame; the result is a static text.
            _ = Lmdb.mdb_version(&major, &minor, &patch);
            return $"{major}.{minor}.{patch}";
        }
        catch (Exception exception)
            when (exception is DllNotFoundException or EntryPointNotFoundException)
        {
            return new Fault(
                FaultCode.Unsupported,
                $"{Lmdb.Library} cannot be loaded",
                "install the package liblmdb0");
        }
    }

    /// <summary>
    /// Opens or makes the file in the directory. <see cref="FaultCode.Corrupt"/> where it is no
    /// usable LMDB file.
    /// </summary>
    public static Result<LmdbEnvironment> Open(string directory, long mapBytes)
    {
        // Where an address-space limit forbids the large map, a smaller one serves for long.
        while (true)
        {
            int code = TryOpen(directory, mapBytes, out nint handle);
            if (code == Errno.ENOMEM.Value && mapBytes / 2 >= MapBytesMin)
            {
                mapBytes /= 2;
                continue;
            }

            if (code != 0)
            {
                return ToFault(code, $"open the catalog in {directory}");
            }

            var environment = new LmdbEnvironment(handle);
            if (environment.OpenTables() is { } fault)
            {
                environment.Dispose();
                return fault;
            }

            return environment;
        }
    }

    /// <summary>The value's bytes, valid until the read transaction moves on.</summary>
    public bool TryGet(
        CatalogTable table, ReadOnlySpan<byte> key, out ReadOnlySpan<byte> value)
    {
        Invariant.Check(_read != 0);
        Invariant.Check(key.Length is > 0 and <= KeyBytesMax);
        value = default;
        if (Damage is not null)
        {
            return false;
        }

        // SAFETY: the key is pinned for the call; what is found points into the map, which stays
        // while the read transaction lives (Grow and Dispose are the loop's own calls).
        fixed (byte* pointer = key)
        {
            Lmdb.Value name = new() { Bytes = (nuint)key.Length, Data = pointer };
            Lmdb.Value data;
            int code = Lmdb.mdb_get(_read, _tables[(int)table], &name, &data);
            if (code == 0)
            {
                value = data.Span;
            }

            return Found(code);
        }
    }

    /// <summary>Entries of a table as of the last checkpoint.</summary>
    public long Count(CatalogTable table)
    {
        Lmdb.Statistics statistics;
        // SAFETY: a live read transaction and a struct of lmdb.h's layout.
        return Lmdb.mdb_stat(_read, _tables[(int)table], &statistics) == 0
            ? (long)statistics.Entries
            : 0;
    }

    /// <summary>A cursor of the read transaction; closed by its user.</summary>
    public LmdbCursor OpenCursor(CatalogTable table)
    {
        nint cursor = 0;
        // SAFETY: a live read transaction; the handle is written to this frame.
        if (Damage is null)
        {
            _ = Found(Lmdb.mdb_cursor_open(_read, _tables[(int)table], &cursor));
        }

        return new LmdbCursor(this, cursor);
    }

    public uint TableOf(CatalogTable table) => _tables[(int)table];

    /// <summary>Lets the loop see what was committed last.</summary>
    public void RenewRead()
    {
        // SAFETY: the read transaction belongs to this object and has no open cursor now.
        Lmdb.mdb_txn_reset(_read);
        _ = Found(Lmdb.mdb_txn_renew(_read));
    }

    /// <summary>
    /// Makes the map larger; no write transaction may be under way. Addresses change.
    /// </summary>
    public Result Grow(long mapBytes)
    {
        // SAFETY: lmdb.h: the size may be changed while no transaction is active in this process.
        // A reset read transaction is not active; the caller knows that none writes.
        Lmdb.mdb_txn_reset(_read);
        int code = Lmdb.mdb_env_set_mapsize(_environment, (nuint)mapBytes);
        int renewed = Lmdb.mdb_txn_renew(_read);
        _ = Found(renewed);
        MapAddress = FindMap();
        return code == 0 ? Result.Ok : ToFault(code, $"grow the catalog's map to {mapBytes} bytes");
    }

    /// <summary>True for success; false for "not there" and for damage, which is noted.</summary>
    public bool Found(int code)
    {
        if (code is not 0 and not Lmdb.NotFound)
        {
            ReportDamage(ToFault(code, "read the catalog").Message);
        }

        return code == 0;
    }

    public void ReportDamage(string what) => Damage ??= new Fault(
        FaultCode.Corrupt, $"the catalog is damaged: {what}", "pangea catalog rebuild");

    public void Dispose()
    {
        // SAFETY: both handles are ours and are given up once; nobody writes any more (the
        // checkpoint's thread has ended before).
        if (_read != 0)
        {
            Lmdb.mdb_txn_abort(_read);
            _read = 0;
        }

        if (_environment != 0)
        {
            Lmdb.mdb_env_close(_environment);
            _environment = 0;
        }
    }

    /// <summary>What a return code of the library means.</summary>
    public static Fault ToFault(int code, string what)
    {
        if (code > 0)
        {
            return new Errno(code).ToFault(what);
        }

        // SAFETY: mdb_strerror returns a static zero-terminated text for each of its own codes.
        string text = Marshal.PtrToStringUTF8((nint)Lmdb.mdb_strerror(code)) ?? $"code {code}";
        return code switch
        {
            Lmdb.Corrupted or Lmdb.PageNotFound or Lmdb.Invalid or Lmdb.VersionMismatch
                or Lmdb.Incompatible =>
                new Fault(FaultCode.Corrupt, $"{what}: {text}", "pangea catalog rebuild"),
            Lmdb.MapFull => new Fault(FaultCode.Busy, $"{what}: {text}"),
            _ => new Fault(FaultCode.Io, $"{what}: {text}"),
        };
    }

    private static int TryOpen(string directory, long mapBytes, out nint handle)
    {
        nint environment = 0;
        handle = 0;
        // SAFETY: the handle is written to this frame; the path is zero-terminated and copied by
        // the library; on failure the handle must still be closed (lmdb.h), which happens here.
        int code = Lmdb.mdb_env_create(&environment);
        if (code != 0)
        {
            return code;
        }

        code = Lmdb.mdb_env_set_mapsize(environment, (nuint)mapBytes);
        code = code != 0
            ? code
            : Lmdb.mdb_env_set_maxdbs(environment, (uint)s_tableNames.Length);
        if (code == 0)
        {
            fixed (byte* path = Encoding.UTF8.GetBytes(directory + '\0'))
            {
                // No read-ahead: lookups are random, and the neighbours would only fill memory.
                // No thread-local readers: the read transaction belongs to the object instead.
                const uint mode = 0x180; // 0600
                code = Lmdb.mdb_env_open(
                    environment, path, Lmdb.NoReadAhead | Lmdb.NoTls, mode);
            }
        }

        if (code != 0)
        {
            Lmdb.mdb_env_close(environment);
            return code;
        }

        handle = environment;
        return 0;
    }

    private Fault? OpenTables()
    {
        nint transaction = 0;
        // SAFETY: a write transaction of this thread alone, ended on every path; names are
        // zero-terminated and copied.
        int code = Lmdb.mdb_txn_begin(_environment, 0, 0, &transaction);

        // Tables are made in an empty file only: a file with other tables is not ours to change.
        Lmdb.Statistics root = default;
        code = code != 0 ? code : Lmdb.mdb_stat(transaction, Lmdb.RootTable, &root);
        uint create = root.Entries == 0 ? Lmdb.Create : 0;
        for (int i = 0; code == 0 && i < s_tableNames.Length; i++)
        {
            fixed (byte* name = Encoding.UTF8.GetBytes(s_tableNames[i] + '\0'))
            fixed (uint* table = &_tables[i])
            {
                code = Lmdb.mdb_dbi_open(transaction, name, create, table);
                code = code == Lmdb.NotFound ? Lmdb.Incompatible : code;
            }
        }

        if (code == 0)
        {
            code = Lmdb.mdb_txn_commit(transaction);
        }
        else if (transaction != 0)
        {
            Lmdb.mdb_txn_abort(transaction);
        }

        nint read = 0;
        code = code != 0 ? code : Lmdb.mdb_txn_begin(_environment, 0, Lmdb.RdOnly, &read);
        _read = read;
        if (code != 0)
        {
            return ToFault(code, "open the catalog's tables");
        }

        MapAddress = FindMap();
        return null;
    }

    /// <summary>
    /// The library tells its map's address only where it was asked for a fixed one; so the mapping
    /// around some stored value is looked up. The root table holds a value for each named one.
    /// </summary>
    private nint FindMap()
    {
        nint stored;
        // SAFETY: as in TryGet; only the address of the value is used.
        fixed (byte* pointer = Encoding.UTF8.GetBytes(s_tableNames[0]))
        {
            Lmdb.Value key = new() { Bytes = (nuint)s_tableNames[0].Length, Data = pointer };
            Lmdb.Value value;
            stored = Lmdb.mdb_get(_read, Lmdb.RootTable, &key, &value) == 0 ? (nint)value.Data : 0;
        }

        return stored == 0 ? 0 : MappedPages.StartOf(stored);
    }

    private Lmdb.Information Information()
    {
        Lmdb.Information information;
        // SAFETY: a live environment and a struct of lmdb.h's layout.
        Invariant.Check(Lmdb.mdb_env_info(Handle, &information) == 0);
        return information;
    }
}
