using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Catalog;

/// <summary>
/// One write transaction: begun, used and ended on one thread. The first failure stays; the
/// calls after it do nothing, and <see cref="Commit"/> reports it.
/// </summary>
internal sealed unsafe class LmdbWrite : IDisposable
{
    private readonly LmdbEnvironment _environment;
    private nint _transaction;

    public LmdbWrite(LmdbEnvironment environment)
    {
        _environment = environment;
        nint transaction = 0;
        // SAFETY: the handle is written to this frame; this thread owns the transaction.
        Code = Lmdb.mdb_txn_begin(environment.Handle, 0, 0, &transaction);
        _transaction = transaction;
    }

    /// <summary>The first failure's code, 0 while there is none.</summary>
    public int Code { get; private set; }

    /// <summary>The value's bytes, valid until the next change.</summary>
    public bool TryGet(
        CatalogTable table, ReadOnlySpan<byte> key, out ReadOnlySpan<byte> value)
    {
        value = default;
        if (Code != 0)
        {
            return false;
        }

        // SAFETY: the key is pinned for the call; what is found stays until the next change of
        // this transaction, by contract of this method.
        fixed (byte* pointer = key)
        {
            Lmdb.Value name = new() { Bytes = (nuint)key.Length, Data = pointer };
            Lmdb.Value data;
            int code = Lmdb.mdb_get(_transaction, _environment.TableOf(table), &name, &data);
            value = code == 0 ? data.Span : default;
            Note(code);
            return code == 0;
        }
    }

    public void Put(CatalogTable table, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        Invariant.Check(key.Length is > 0 and <= LmdbEnvironment.KeyBytesMax);
        if (Code != 0)
        {
            return;
        }

        // SAFETY: both spans are pinned for the call, which copies them.
        fixed (byte* pointer = key)
        fixed (byte* bytes = value)
        {
            Lmdb.Value name = new() { Bytes = (nuint)key.Length, Data = pointer };
            Lmdb.Value data = new() { Bytes = (nuint)value.Length, Data = bytes };
            Code = Lmdb.mdb_put(_transaction, _environment.TableOf(table), &name, &data, 0);
        }
    }

    /// <summary>Removes the key where it is there.</summary>
    public void Delete(CatalogTable table, ReadOnlySpan<byte> key)
    {
        if (Code != 0)
        {
            return;
        }

        // SAFETY: the key is pinned for the call.
        fixed (byte* pointer = key)
        {
            Lmdb.Value name = new() { Bytes = (nuint)key.Length, Data = pointer };
            Note(Lmdb.mdb_del(_transaction, _environment.TableOf(table), &name, null));
        }
    }

    /// <summary>Makes everything durable at once; 0 or the first failure's code.</summary>
    public int Commit()
    {
        if (Code == 0)
        {
            // SAFETY: our own live transaction; the call frees it whatever it returns.
            Code = Lmdb.mdb_txn_commit(_transaction);
            _transaction = 0;
        }

        return Code;
    }

    public void Dispose()
    {
        if (_transaction != 0)
        {
            // SAFETY: our own live transaction, ended once.
            Lmdb.mdb_txn_abort(_transaction);
            _transaction = 0;
        }
    }

    private void Note(int code)
    {
        if (code is not 0 and not Lmdb.NotFound)
        {
            Code = code;
        }
    }
}
