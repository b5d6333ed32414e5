using System.Runtime.InteropServices;
using System.Text;

namespace Pangea.DataPlane.Linux;

/// <summary>
/// A zero-terminated array of zero-terminated UTF-8 strings in native memory, as argv and envp are.
/// Freed with the object, never moved by the collector.
/// </summary>
internal sealed unsafe class NativeStrings : IDisposable
{
    private readonly byte** _pointers;

    internal NativeStrings(IReadOnlyList<string> strings)
    {
        int bytes = strings.Sum(text => Encoding.UTF8.GetByteCount(text) + 1);
        int table = (strings.Count + 1) * sizeof(byte*);

        // SAFETY: one block holds the pointer table and behind it every string with its terminator;
        // the sizes are the sums above, and each write goes through a span cut to what is left.
        byte* block = (byte*)NativeMemory.Alloc((nuint)(table + bytes));
        _pointers = (byte**)block;
        var rest = new Span<byte>(block + table, bytes);
        byte* next = block + table;
        for (int i = 0; i < strings.Count; i++)
        {
            int written = Encoding.UTF8.GetBytes(strings[i], rest);
            rest[written] = 0;
            _pointers[i] = next;
            next += written + 1;
            rest = rest[(written + 1)..];
        }

        _pointers[strings.Count] = null;
    }

    internal byte** Pointers => _pointers;

    // SAFETY: allocated by the constructor, freed once by the one owner.
    public void Dispose() => NativeMemory.Free(_pointers);
}
