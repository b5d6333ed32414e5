using System.Runtime.InteropServices;

namespace Pangea.DataPlane.Catalog;

/// <summary>
/// The one door to liblmdb (Debian package liblmdb0, decision 0023): signatures, structs and
/// numbers of lmdb.h 0.9, nothing else. Owners of what these calls return are <see
/// cref="LmdbEnvironment"/>, <see cref="LmdbCursor"/> and <see cref="LmdbWrite"/>, which also say
/// why their calls are sound (SAFETY).
/// </summary>
internal static unsafe partial class Lmdb
{
    internal const string Library = "liblmdb.so.0";

    // Environment flags.
    internal const uint RdOnly = 0x20000;
    internal const uint NoTls = 0x200000;
    internal const uint NoReadAhead = 0x800000;

    internal const uint Create = 0x40000;

    // The table of tables (mdb.c, MAIN_DBI); the one before it is that of free pages.
    internal const uint RootTable = 1;

    // MDB_cursor_op.
    internal const int CursorFirst = 0;
    internal const int CursorNext = 8;
    internal const int CursorSetRange = 17;

    // Return codes; positive ones are errno values.
    internal const int NotFound = -30798;
    internal const int PageNotFound = -30797;
    internal const int Corrupted = -30796;
    internal const int Panic = -30795;
    internal const int VersionMismatch = -30794;
    internal const int Invalid = -30793;
    internal const int MapFull = -30792;
    internal const int Incompatible = -30784;

    [StructLayout(LayoutKind.Sequential)]
    internal struct Value
    {
        public nuint Bytes;
        public byte* Data;

        public readonly ReadOnlySpan<byte> Span => new(Data, (int)Bytes);
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct Information
    {
        public byte* FixedAddress;
        public nuint MapBytes;
        public nuint LastPage;
        public nuint LastTransaction;
        public uint ReadersMax;
        public uint Readers;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct Statistics
    {
        public uint PageBytes;
        public uint Depth;
        public nuint BranchPages;
        public nuint LeafPages;
        public nuint OverflowPages;
        public nuint Entries;
    }

    [LibraryImport(Library)]
    internal static partial byte* mdb_version(int* major, int* minor, int* patch);

    [LibraryImport(Library)]
    internal static partial byte* mdb_strerror(int error);

    [LibraryImport(Library)]
    internal static partial int mdb_env_create(nint* environment);

    [LibraryImport(Library)]
    internal static partial int mdb_env_open(
        nint environment, byte* path, uint flags, uint mode);

    [LibraryImport(Library)]
    internal static partial void mdb_env_close(nint environment);

    [LibraryImport(Library)]
    internal static partial int mdb_env_info(nint environment, Information* information);

    [LibraryImport(Library)]
    internal static partial int mdb_env_set_mapsize(nint environment, nuint bytes);

    [LibraryImport(Library)]
    internal static partial int mdb_env_set_maxdbs(nint environment, uint tables);

    [LibraryImport(Library)]
    internal static partial int mdb_txn_begin(
        nint environment, nint parent, uint flags, nint* transaction);

    [LibraryImport(Library)]
    internal static partial int mdb_txn_commit(nint transaction);

    [LibraryImport(Library)]
    internal static partial void mdb_txn_abort(nint transaction);

    [LibraryImport(Library)]
    internal static partial void mdb_txn_reset(nint transaction);

    [LibraryImport(Library)]
    internal static partial int mdb_txn_renew(nint transaction);

    [LibraryImport(Library)]
    internal static partial int mdb_dbi_open(
        nint transaction, byte* name, uint flags, uint* table);

    [LibraryImport(Library)]
    internal static partial int mdb_stat(nint transaction, uint table, Statistics* statistics);

    [LibraryImport(Library)]
    internal static partial int mdb_get(nint transaction, uint table, Value* key, Value* data);

    [LibraryImport(Library)]
    internal static partial int mdb_put(
        nint transaction, uint table, Value* key, Value* data, uint flags);

    [LibraryImport(Library)]
    internal static partial int mdb_del(nint transaction, uint table, Value* key, Value* data);

    [LibraryImport(Library)]
    internal static partial int mdb_cursor_open(nint transaction, uint table, nint* cursor);

    [LibraryImport(Library)]
    internal static partial void mdb_cursor_close(nint cursor);

    [LibraryImport(Library)]
    internal static partial int mdb_cursor_get(
        nint cursor, Value* key, Value* data, int operation);
}
