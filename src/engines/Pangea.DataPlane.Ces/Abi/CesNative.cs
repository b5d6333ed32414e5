using System.Runtime.InteropServices;

namespace Pangea.DataPlane.Ces.Abi;

/// <summary><c>ces_options</c> of native/pangea_ces.h; 0 in a number means its default.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct CesNativeOptions
{
    public uint DataShards;
    public uint ParityShards;
    public uint StripeBytes;
    public uint Compression;
}

/// <summary><c>ces_shard</c> of native/pangea_ces.h.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct CesNativeShard
{
    // SAFETY: only the exports follow it, within a call.
    public byte* Data;
    public nuint Bytes;
}
