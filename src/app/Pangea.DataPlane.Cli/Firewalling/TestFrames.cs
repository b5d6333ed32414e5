using Pangea.DataPlane.Core;
using Pangea.DataPlane.Packets.Building;
using Pangea.DataPlane.Packets.Capture;

namespace Pangea.DataPlane.Cli.Firewalling;

/// <summary>A frame to be judged.</summary>
/// <param name="Head">Its captured bytes.</param>
/// <param name="FrameBytes">Length of the whole.</param>
/// <param name="TimeNs">Since 1970; 0: not from a capture.</param>
internal readonly record struct TestFrame(ReadOnlyMemory<byte> Head, int FrameBytes, ulong TimeNs);

/// <summary>
/// The frames that a person means: a capture file, hexadecimal digits, or a description in words.
/// </summary>
internal sealed class TestFrames
{
    /// <summary>Headers that are further behind are not looked for by the kernel either.</summary>
    private const int HeadBytesMax = 2048;
    private const int HexDigitsMin = 28;
    private const long CaptureBytesMax = 1L << 30;

    private readonly CaptureFile? _capture;
    private TestFrame? _single;

    private TestFrames(CaptureFile? capture, TestFrame? single)
    {
        _capture = capture;
        _single = single;
    }

    public bool IsCapture => _capture is not null;

    public static Result<TestFrames> Open(string[] words)
    {
        if (words is ["-"])
        {
            using Stream input = Console.OpenStandardInput();
            return OpenCapture(ReadAll(input));
        }

        if (words is [string path] && File.Exists(path))
        {
            try
            {
                return new FileInfo(path).Length <= CaptureBytesMax
                    ? OpenCapture(File.ReadAllBytes(path))
                    : new Fault(FaultCode.TooLarge, $"{path} is larger than 1 GiB");
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                return new Fault(FaultCode.BadDescriptor, $"{path} cannot be read: {e.Message}");
            }
        }

        string text = string.Join(' ', words);
        string digits = text.Replace(" ", "", StringComparison.Ordinal)
            .Replace(":", "", StringComparison.Ordinal);
        if (digits.Length >= HexDigitsMin && digits.Length % 2 == 0
            && digits.All(char.IsAsciiHexDigit))
        {
            return Single(Convert.FromHexString(digits));
        }

        Result<byte[]> frame = FrameText.ToFrame(text);
        return frame.IsOk
            ? Single(frame.Value)
            : frame.Fault with
            {
                Hint = $"{frame.Fault.Hint}, or name a capture file, or give hexadecimal digits",
            };
    }

    /// <summary>The next frame; null at the end.</summary>
    public Result<TestFrame?> Next()
    {
        if (_capture is null)
        {
            TestFrame? single = _single;
            _single = null;
            return single;
        }

        Result<bool> read = _capture.TryRead(out CapturedFrame frame);
        if (!read.IsOk)
        {
            return read.Fault;
        }

        return read.Value
            ? new TestFrame(
                frame.Bytes.Length <= HeadBytesMax ? frame.Bytes : frame.Bytes[..HeadBytesMax],
                frame.FrameBytes,
                frame.TimeNs)
            : (TestFrame?)null;
    }

    private static Result<TestFrames> Single(byte[] frame) =>
        new TestFrames(null, new TestFrame(frame, frame.Length, 0));

    private static Result<TestFrames> OpenCapture(byte[] bytes)
    {
        Result<CaptureFile> capture = CaptureFile.Open(bytes);
        return capture.IsOk ? new TestFrames(capture.Value, null) : capture.Fault;
    }

    private static byte[] ReadAll(Stream input)
    {
        using var bytes = new MemoryStream();
        input.CopyTo(bytes);
        return bytes.ToArray();
    }
}
