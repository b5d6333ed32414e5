using System.Runtime.InteropServices;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Linux.Bpf;

namespace Pangea.DataPlane.Benchmarks.Firewall;

/// <summary>The programs of options.bpf.c, loaded.</summary>
internal sealed class OptionPrograms : IDisposable
{
    private readonly BpfObject _file;
    private readonly SharedValues _options;
    private readonly BpfMap _state;
    private readonly List<BpfProgram> _programs = [];

    private OptionPrograms(BpfObject file)
    {
        _file = file;
        _state = file.Map(".data.options").Value;
        _options = SharedValues.Of(_state).Value;
    }

    internal static Result<OptionPrograms> Load()
    {
        Result<BpfObject> file =
            BpfObject.Open(Path.Combine(AppContext.BaseDirectory, "options.bpf.o"));
        Fault? fault = file.Fault ?? file.Value.Load().Fault;
        return fault is null ? new OptionPrograms(file.Value) : fault;
    }

    /// <summary>Runs one of them so often, on one frame.</summary>
    internal Action<int> Repeat(string program, byte[] frame)
    {
        BpfProgram loaded = _file.Program(program).Value;
        _programs.Add(loaded);
        return FilterRig.Repeat(loaded, frame);
    }

    /// <summary>Which bits of the source are drawn by lot.</summary>
    internal void Spread(uint mask) => _options.At<uint>(0) = mask;

    /// <summary>Puts the addresses into the kernel's hash and into its trie.</summary>
    internal void Fill(IEnumerable<uint> addresses)
    {
        using BpfMap hash = _file.Map("hosts").Value;
        using BpfMap trie = _file.Map("prefixes").Value;
        Span<uint> prefix = [32, 0];
        byte[] value = new byte[sizeof(uint)];
        foreach (uint address in addresses)
        {
            prefix[1] = BitConverter.IsLittleEndian
                ? System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(address)
                : address;
            SysResult first = hash.Update(MemoryMarshal.AsBytes(prefix[1..]), value);
            SysResult second = trie.Update(MemoryMarshal.AsBytes(prefix), value);
            Invariant.Check(first.IsOk && second.IsOk, $"{first}, {second}");
        }
    }

    public void Dispose()
    {
        _programs.ForEach(program => program.Dispose());
        _options.Dispose();
        _state.Dispose();
        _file.Dispose();
    }
}
