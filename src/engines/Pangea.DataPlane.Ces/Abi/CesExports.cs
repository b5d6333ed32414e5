using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Ces.Abi;

/// <summary>
/// The C interface of the engine (native/pangea_ces.h says what each call means). Reached through
/// hostfxr by native/pangea_ces.c, or directly where NativeAOT built the assembly. Handles are
/// numbers that are looked up, so that a stale one is an error and not a crash; memory that is
/// handed out is malloc's.
/// </summary>
internal static unsafe class CesExports
{
    private static readonly Dictionary<ulong, CesInstance> s_instances = [];
    private static ulong s_lastHandle;

    /// <summary>A null key asks for a random one.</summary>
    [UnmanagedCallersOnly(
        EntryPoint = "pangea_ces_new", CallConvs = [typeof(CallConvCdecl)])]
    internal static int New(
        CesNativeOptions* options, byte* key, ulong* handle, byte* message, int messageBytes)
    {
        try
        {
            // SAFETY: the C side checked the pointers for null; key has 32 bytes by contract.
            Result<MasterKey> master = key is null
                ? MasterKey.Generate()
                : MasterKey.FromBytes(new ReadOnlySpan<byte>(key, MasterKey.Bytes));
            CesNativeOptions chosen = options is null ? default : *options;
            Result<CesInstance> instance =
                master.IsOk ? CesInstance.Create(master.Value, chosen) : master.Fault;
            if (!instance.IsOk)
            {
                return Refuse(instance.Fault, message, messageBytes);
            }

            lock (s_instances)
            {
                *handle = ++s_lastHandle;
                s_instances.Add(*handle, instance.Value);
            }

            return 0;
        }
        catch (Exception defect)
        {
            return Refuse(CesInstance.Defect(defect), message, messageBytes);
        }
    }

    [UnmanagedCallersOnly(
        EntryPoint = "pangea_ces_key", CallConvs = [typeof(CallConvCdecl)])]
    internal static int Key(ulong handle, byte* key, byte* message, int messageBytes)
    {
        CesInstance? instance = null;
        try
        {
            instance = Use(handle);
            if (instance is null)
            {
                return Refuse(UnknownHandle(handle), message, messageBytes);
            }

            // SAFETY: the caller's buffer has 32 bytes by contract.
            instance.Key.Secret.CopyTo(new Span<byte>(key, MasterKey.Bytes));
            return 0;
        }
        catch (Exception defect)
        {
            return Refuse(CesInstance.Defect(defect), message, messageBytes);
        }
        finally
        {
            instance?.Release();
        }
    }

    [UnmanagedCallersOnly(
        EntryPoint = "pangea_ces_process", CallConvs = [typeof(CallConvCdecl)])]
    internal static int Process(
        ulong handle,
        byte* data,
        nuint bytes,
        CesNativeShard** shards,
        nuint* count,
        byte* message,
        int messageBytes)
    {
        CesInstance? instance = null;
        try
        {
            instance = Use(handle);
            if (instance is null || bytes > CesInstance.ObjectBytesMax)
            {
                Fault fault = instance is null ? UnknownHandle(handle) : TooLarge(bytes);
                return Refuse(fault, message, messageBytes);
            }

            // SAFETY: the caller keeps bytes at data readable during the call; the stream only
            // reads. NULL is a fine address for nothing.
            using Stream source =
                bytes == 0 ? new MemoryStream() : new UnmanagedMemoryStream(data, (long)bytes);
            Result<MemoryStream[]> made = instance.Process(source);
            if (!made.IsOk)
            {
                return Refuse(made.Fault, message, messageBytes);
            }

            *shards = HandOut(made.Value);
            *count = (nuint)made.Value.Length;
            return 0;
        }
        catch (Exception defect)
        {
            return Refuse(CesInstance.Defect(defect), message, messageBytes);
        }
        finally
        {
            instance?.Release();
        }
    }

    [UnmanagedCallersOnly(
        EntryPoint = "pangea_ces_reconstruct", CallConvs = [typeof(CallConvCdecl)])]
    internal static int Reconstruct(
        ulong handle,
        CesNativeShard* shards,
        nuint count,
        byte** data,
        nuint* bytes,
        byte* message,
        int messageBytes)
    {
        CesInstance? instance = null;
        try
        {
            instance = Use(handle);
            if (instance is null)
            {
                return Refuse(UnknownHandle(handle), message, messageBytes);
            }

            Result<Stream?[]> streams = Streams(shards, count);
            Result<MemoryStream> restored =
                streams.IsOk ? instance.Reconstruct(streams.Value) : streams.Fault;
            if (!restored.IsOk)
            {
                return Refuse(restored.Fault, message, messageBytes);
            }

            // SAFETY: the block has room for the content.
            ReadOnlySpan<byte> content =
                restored.Value.GetBuffer().AsSpan(0, (int)restored.Value.Length);
            *data = (byte*)NativeMemory.Alloc((nuint)Math.Max(content.Length, 1));
            content.CopyTo(new Span<byte>(*data, content.Length));
            *bytes = (nuint)content.Length;
            return 0;
        }
        catch (Exception defect)
        {
            return Refuse(CesInstance.Defect(defect), message, messageBytes);
        }
        finally
        {
            instance?.Release();
        }
    }

    [UnmanagedCallersOnly(
        EntryPoint = "pangea_ces_free_memory", CallConvs = [typeof(CallConvCdecl)])]
    internal static void FreeMemory(void* memory) => NativeMemory.Free(memory);

    [UnmanagedCallersOnly(
        EntryPoint = "pangea_ces_free_handle", CallConvs = [typeof(CallConvCdecl)])]
    internal static void Free(ulong handle)
    {
        CesInstance? instance;
        lock (s_instances)
        {
            s_instances.Remove(handle, out instance);
        }

        // Calls under way end as they would have; the last one overwrites the key.
        instance?.Release();
    }

    /// <summary>The handle's instance, retained: whoever gets it releases it.</summary>
    private static CesInstance? Use(ulong handle)
    {
        lock (s_instances)
        {
            CesInstance? instance = s_instances.GetValueOrDefault(handle);
            instance?.Retain();
            return instance;
        }
    }

    private static Result<Stream?[]> Streams(CesNativeShard* shards, nuint count)
    {
        if (count > Limits.ShardsMax)
        {
            return Fault.InvalidParameter(
                "count", $"there are at most {Limits.ShardsMax} shards");
        }

        // SAFETY: shards has count entries, each readable during the call; lengths that cannot be
        // are refused.
        var streams = new Stream?[(int)count];
        for (int i = 0; i < streams.Length; i++)
        {
            byte* data = shards[i].Data;
            nuint bytes = shards[i].Bytes;
            if (bytes > long.MaxValue || (nuint)data + bytes < (nuint)data)
            {
                return Fault.InvalidParameter(
                    "shards", $"shard {i} cannot have {bytes} bytes at its address");
            }

            streams[i] = data is null ? null : new UnmanagedMemoryStream(data, (long)bytes);
        }

        return streams;
    }

    /// <summary>One allocation: the array of shards, then their bytes.</summary>
    private static CesNativeShard* HandOut(MemoryStream[] shards)
    {
        nuint arrayBytes = (nuint)(shards.Length * sizeof(CesNativeShard));
        nuint total = arrayBytes;
        foreach (MemoryStream shard in shards)
        {
            total += (nuint)shard.Length;
        }

        // SAFETY: the block has room for the array and for every shard, which are laid one after
        // another.
        byte* block = (byte*)NativeMemory.Alloc(total);
        var array = (CesNativeShard*)block;
        byte* at = block + arrayBytes;
        for (int i = 0; i < shards.Length; i++)
        {
            int bytes = (int)shards[i].Length;
            shards[i].GetBuffer().AsSpan(0, bytes).CopyTo(new Span<byte>(at, bytes));
            array[i] = new CesNativeShard { Data = at, Bytes = (nuint)bytes };
            at += bytes;
        }

        return array;
    }

    private static int Refuse(Fault fault, byte* message, int messageBytes)
    {
        // SAFETY: the C side's buffer; Encoding stops at its end, the last byte stays for the zero.
        var text = new Span<byte>(message, messageBytes);
        Encoder encoder = Encoding.ASCII.GetEncoder();
        encoder.Convert(fault.ToString(), text[..^1], flush: true, out _, out int written, out _);
        text[written] = 0;
        return (int)fault.Code;
    }

    private static Fault UnknownHandle(ulong handle) =>
        Fault.InvalidParameter("handle", $"there is no handle {handle}", "it was freed already");

    private static Fault TooLarge(nuint bytes) => new(
        FaultCode.TooLarge,
        $"{bytes} bytes are too many for one call, at most {CesInstance.ObjectBytesMax}",
        "use the stream interface of the library");
}
