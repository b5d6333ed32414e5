using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Pangea.DataPlane.Erasure.Kernels;

/// <summary>
/// The one operation everything else is made of: outputs = matrix x inputs over GF(2^8), byte
/// column by byte column. A kernel says how a coefficient is stored and codes whole steps; this
/// class cuts the shards into passes that fit the registers and tiles that fit the cache, and pads
/// the last bytes to a step. Stateless, so one instance serves every thread.
/// </summary>
internal abstract unsafe class CodingKernel
{
    /// <summary>Alignment of tables, and of the scratch for the last bytes.</summary>
    public const int Alignment = 64;

    private const int TileBytesMin = 512;

    /// <summary>
    /// What a tile may take of the first-level cache (32 KiB at least on everything with these
    /// instructions), leaving room for the other side and for tables.
    /// </summary>
    private const int TileCacheBytes = 24 * 1024;

    // A field here instead of virtual properties: coding a stripe of 4 KiB shards takes 250 ns, and
    // a dozen virtual calls would be a twelfth of that.
    private readonly KernelShape _shape;

    protected CodingKernel(KernelShape shape) => _shape = shape;

    /// <summary>What the kernel takes at once.</summary>
    public ref readonly KernelShape Shape => ref _shape;

    /// <summary>Writes the table entry for multiplying by <paramref name="coefficient"/>.</summary>
    protected abstract void Expand(byte coefficient, byte* entry);

    /// <summary>Codes a product that is within the shape: whole steps, counts of one
    /// pass.</summary>
    protected abstract void Pass(in Product pass);

    /// <summary>Whether <see cref="MultiplyAndCheck"/> takes a product of this shape.</summary>
    public virtual bool CanCheck(in Product product) => false;

    /// <summary>
    /// Computes an encoding (first row and first column are ones) and the CRC-32C states of all its
    /// shards in the same pass: inputs first, then outputs, from the beginning of the shards,
    /// without the final XOR. To is a positive multiple of 64.
    /// </summary>
    public virtual void MultiplyAndCheck(in Product product, uint* states) =>
        throw new NotSupportedException("this kernel does not fuse checksums");

    /// <summary>Bytes of the table for a matrix of this shape.</summary>
    public int TableBytes(int inputCount, int outputCount) =>
        inputCount * outputCount * _shape.CoefficientBytes;

    /// <summary>
    /// Writes the table of a matrix: outputCount rows, inputCount columns, row r at
    /// coefficients + r * stride.
    /// </summary>
    public void BuildTable(
        byte* coefficients, int stride, int inputCount, int outputCount, byte* table)
    {
        // SAFETY: writes exactly TableBytes(inputCount, outputCount), which the caller has room
        // for.
        for (int input = 0; input < inputCount; input++)
        {
            for (int output = 0; output < outputCount; output++)
            {
                Expand(coefficients[output * stride + input], table);
                table += _shape.CoefficientBytes;
            }
        }
    }

    /// <summary>
    /// Computes the product. From is 0, To any length. Streamed stores are ordered before this
    /// returns, so the outputs may be handed to another thread or to the kernel.
    /// </summary>
    public void Multiply(in Product product)
    {
        // SAFETY: the caller vouches for the pointers, which are good for To bytes, and for a table
        // of the same shape. Passes stay below whole; the rest goes through scratch of one step per
        // shard.
        nuint whole = product.To & ~(nuint)(_shape.StepBytes - 1);
        if (whole > 0 && IsOnePass(product))
        {
            Pass(With(product, 0, whole));
        }
        else
        {
            nuint tile = TileBytes(product);
            for (nuint from = 0; from < whole; from += tile)
            {
                MultiplyTile(With(product, from, Math.Min(whole, from + tile)));
            }
        }

        if (whole < product.To)
        {
            MultiplyRest(product, whole);
        }

        if (Sse.IsSupported && product.Has(ProductMode.Stream))
        {
            Sse.StoreFence();
        }
    }

    private bool IsOnePass(in Product product) =>
        product.InputCount <= _shape.InputsMax && product.OutputCount <= OutputsMax(product);

    private int OutputsMax(in Product product) =>
        product.Has(ProductMode.Stream) ? _shape.StreamOutputsMax : _shape.OutputsMax;

    private static Product With(in Product product, nuint from, nuint to) => new()
    {
        Table = product.Table,
        TableStride = product.TableStride,
        Inputs = product.Inputs,
        InputCount = product.InputCount,
        Outputs = product.Outputs,
        OutputCount = product.OutputCount,
        From = from,
        To = to,
        Mode = product.Mode,
        PlainInputs = product.PlainInputs,
    };

    private void MultiplyTile(in Product tile)
    {
        for (Cut outputs = new(tile.OutputCount, OutputsMax(tile)); outputs.Next();)
        {
            for (Cut inputs = new(tile.InputCount, _shape.InputsMax); inputs.Next();)
            {
                // Sums that come in parts are added to; they are not streamed, since the next part
                // reads them again. Only the first output can be plain.
                ProductMode mode = tile.Mode;
                mode |= inputs.First > 0 ? ProductMode.Accumulate : 0;
                mode &= inputs.Count < tile.InputCount ? ~ProductMode.Stream : mode;
                mode &= outputs.First > 0 ? ~ProductMode.PlainFirst : mode;
                int entry = inputs.First * tile.TableStride + outputs.First;
                Pass(new Product
                {
                    Table = tile.Table + entry * _shape.CoefficientBytes,
                    TableStride = tile.TableStride,
                    Inputs = tile.Inputs + inputs.First,
                    InputCount = inputs.Count,
                    Outputs = tile.Outputs + outputs.First,
                    OutputCount = outputs.Count,
                    From = tile.From,
                    To = tile.To,
                    Mode = mode,
                    PlainInputs = Math.Clamp(tile.PlainInputs - inputs.First, 0, inputs.Count),
                });
            }
        }
    }

    /// <summary>The last bytes, fewer than a step: coded in a padded copy.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void MultiplyRest(in Product product, nuint from)
    {
        uint rest = (uint)(product.To - from);
        int inputs = product.InputCount;
        int shards = inputs + product.OutputCount;

        // SAFETY: one aligned step per shard; the padding keeps whatever the stack held, its
        // products are computed and never copied out.
        byte* memory = stackalloc byte[shards * Alignment + Alignment];
        byte* scratch = (byte*)(((nuint)memory + Alignment - 1) & ~(nuint)(Alignment - 1));
        byte** pointers = stackalloc byte*[shards];
        for (int shard = 0; shard < shards; shard++)
        {
            pointers[shard] = scratch + shard * Alignment;
            byte* source = shard < inputs ? product.Inputs[shard] : product.Outputs[shard - inputs];
            Unsafe.CopyBlockUnaligned(pointers[shard], source + from, rest);
        }

        MultiplyTile(new Product
        {
            Table = product.Table,
            TableStride = product.TableStride,
            Inputs = pointers,
            InputCount = inputs,
            Outputs = pointers + inputs,
            OutputCount = product.OutputCount,
            To = (nuint)_shape.StepBytes,
            Mode = product.Mode & ~ProductMode.Stream,
            PlainInputs = product.PlainInputs,
        });
        for (int output = 0; output < product.OutputCount; output++)
        {
            Unsafe.CopyBlockUnaligned(
                product.Outputs[output] + from, pointers[inputs + output], rest);
        }
    }

    /// <summary>
    /// What several passes find in the first-level cache: inputs that are read again, or else
    /// outputs that are added to.
    /// </summary>
    private nuint TileBytes(in Product product)
    {
        int shards = product.OutputCount > OutputsMax(product)
            ? product.InputCount
            : product.OutputCount;
        return (nuint)Math.Max(TileCacheBytes / shards & -TileBytesMin, TileBytesMin);
    }

    /// <summary>Cuts a count into as few and as equal parts as possible.</summary>
    private struct Cut(int count, int most)
    {
        private int _partsLeft = (count + most - 1) / most;

        public int First { get; private set; }

        public int End { get; private set; }

        public readonly int Count => End - First;

        public bool Next()
        {
            if (_partsLeft == 0)
            {
                return false;
            }

            First = End;
            End += (count - End) / _partsLeft--;
            return true;
        }
    }
}
