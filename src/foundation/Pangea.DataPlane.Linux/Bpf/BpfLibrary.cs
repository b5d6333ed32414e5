using System.Runtime.InteropServices;
using System.Text;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux.Sys;

namespace Pangea.DataPlane.Linux.Bpf;

/// <summary>
/// Whether libbpf is there, and what it says: it explains a failed load in text only, so its
/// messages are kept for the thread that is loading and end in the fault.
/// </summary>
public static unsafe class BpfLibrary
{
    private const int MessageBytesMax = 1 << 20;
    private const int TailBytesMax = 8192;
    private const int MessagesMax = 64;

    private static readonly Lazy<Result<string>> s_version = new(Begin);

    [ThreadStatic]
    private static List<string>? s_messages;

    /// <summary>"1.1", or why the library cannot be used.</summary>
    public static Result<string> Version => s_version.Value;

    /// <summary>Starts to keep what the library says to this thread.</summary>
    internal static void Listen() => s_messages = [];

    /// <summary>
    /// What was kept, oldest first, without what the verifier log says better; then stops.
    /// </summary>
    internal static IReadOnlyList<string> Heard()
    {
        List<string> messages = s_messages ?? [];
        s_messages = null;
        return messages;
    }

    private static Result<string> Begin()
    {
        try
        {
            // SAFETY: the callback is a static function that lives as long as the process.
            Libbpf.libbpf_set_print(&Print);
            return $"{Libbpf.libbpf_major_version()}.{Libbpf.libbpf_minor_version()}";
        }
        catch (TypeLoadException)
        {
            return new Fault(
                FaultCode.Unsupported,
                $"{Libbpf.Library} cannot be loaded",
                "install the package libbpf1");
        }
    }

    // The argument is a va_list, which travels as a pointer on x86-64 (an array that decays) and on
    // arm64 (a struct above 16 bytes).
    [UnmanagedCallersOnly]
    private static int Print(int level, byte* format, nint arguments)
    {
        const int debug = 2;
        List<string>? messages = s_messages;
        if (level >= debug || messages is null || messages.Count >= MessagesMax)
        {
            return 0;
        }

        // The verifier's log is one message, and its end is what matters.
        // SAFETY: vsnprintf writes at most the given bytes, terminator included, and the format and
        // its arguments come together from the library; the tail is cut from what was written.
        byte* buffer = (byte*)NativeMemory.Alloc(MessageBytesMax);
        int length = Libbpf.vsnprintf(buffer, MessageBytesMax, format, arguments);
        length = Math.Min(length, MessageBytesMax - 1);
        if (length > 0)
        {
            int cut = Math.Max(0, length - TailBytesMax);
            messages.Add(Encoding.UTF8.GetString(buffer + cut, length - cut).Trim());
        }

        NativeMemory.Free(buffer);

        return 0;
    }
}
