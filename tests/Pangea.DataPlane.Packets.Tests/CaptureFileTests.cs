using System.Buffers.Binary;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Packets.Capture;
using Pangea.DataPlane.Packets.Tests.Building;

namespace Pangea.DataPlane.Packets.Tests;

public sealed class CaptureFileTests
{
    private static readonly byte[] s_frame = FrameBuilder.Udp4(1, 2, 3, 4);

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public void Reads_pcap_of_both_byte_orders_and_both_resolutions(bool big, bool nanoseconds)
    {
        byte[] file =
        [
            .. Words(big, nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4, 0x00040002, 0, 0, 65535, 1),
            .. Words(big, 5, 7, (uint)s_frame.Length, 1500), .. s_frame,
            .. Words(big, 6, 0, 0, 0),
        ];
        CapturedFrame[] frames = ReadAll(file);
        Assert.Equal(2, frames.Length);
        Assert.Equal(s_frame, frames[0].Bytes.ToArray());
        Assert.Equal(1500, frames[0].FrameBytes);
        Assert.Equal(5_000_000_000u + (nanoseconds ? 7u : 7000u), frames[0].TimeNs);
        Assert.Equal(0, frames[1].FrameBytes);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Reads_pcapng(bool big)
    {
        byte[] option = [.. Halves(big, 9, 1), 9, 0, 0, 0, .. Halves(big, 0, 0)];
        byte[] file =
        [
            .. Block(big, 0x0a0d0d0a, [.. Words(big, 0x1a2b3c4d, 1, ~0u, ~0u)]),
            .. Block(big, 1, [.. Halves(big, 1, 0), .. Words(big, 0), .. option]),
            .. Block(big, 99, [1, 2, 3, 4]),
            .. Block(
                big, 6,
                [.. Words(big, 0, 1, 2, (uint)s_frame.Length, 99), .. Padded(s_frame)]),
            .. Block(big, 3, [.. Words(big, (uint)s_frame.Length), .. Padded(s_frame)]),
        ];
        CapturedFrame[] frames = ReadAll(file);
        Assert.Equal(2, frames.Length);
        Assert.All(frames, frame => Assert.Equal(s_frame, frame.Bytes.ToArray()));
        Assert.Equal((99, (1UL << 32) + 2), (frames[0].FrameBytes, frames[0].TimeNs));
    }

    [Fact]
    public void A_file_cut_or_damaged_anywhere_is_a_fault_or_a_shorter_capture()
    {
        byte[] ng =
        [
            .. Block(false, 0x0a0d0d0a, [.. Words(false, 0x1a2b3c4d, 1, ~0u, ~0u)]),
            .. Block(false, 1, [.. Halves(false, 1, 0), .. Words(false, 0)]),
            .. Block(
                false, 6,
                [.. Words(false, 0, 1, 2, (uint)s_frame.Length, 99), .. Padded(s_frame)]),
        ];
        byte[] classic =
        [
            .. Words(false, 0xa1b2c3d4, 0x00040002, 0, 0, 65535, 1),
            .. Words(false, 5, 7, (uint)s_frame.Length, 1500), .. s_frame,
        ];
        foreach (byte[] file in (byte[][])[ng, classic])
        {
            for (int length = 0; length < file.Length; length++)
            {
                Drain(file[..length]);
            }

            Random random = new(3);
            for (int i = 0; i < 3000; i++)
            {
                byte[] damaged = [.. file];
                damaged[random.Next(file.Length)] = (byte)random.Next(256);
                Drain(damaged);
            }
        }
    }

    [Fact]
    public void Says_where_a_capture_is_damaged()
    {
        byte[] file =
        [
            .. Words(false, 0xa1b2c3d4, 0x00040002, 0, 0, 65535, 1),
            .. Words(false, 5, 7, 1000, 1000), .. s_frame,
        ];
        Result<bool> read = CaptureFile.Open(file).Value.TryRead(out _);
        Assert.Equal(FaultCode.Corrupt, read.Fault?.Code);
        Assert.Contains("at byte 24", read.Fault!.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Refuses_other_links_and_other_files()
    {
        byte[] wifi = Words(false, 0xa1b2c3d4, 0x00040002, 0, 0, 65535, 105);
        Assert.Equal(FaultCode.Unsupported, CaptureFile.Open(wifi).Fault?.Code);
        Assert.Equal(
            FaultCode.InvalidParameters, CaptureFile.Open("#!/bin/sh"u8.ToArray()).Fault?.Code);
    }

    /// <summary>Reads until the end or a fault; anything else would throw or not end.</summary>
    private static void Drain(byte[] file)
    {
        Result<CaptureFile> capture = CaptureFile.Open(file);
        while (capture.IsOk && capture.Value.TryRead(out CapturedFrame frame) is { IsOk: true } read
            && read.Value)
        {
            Assert.InRange(frame.Bytes.Length, 0, frame.FrameBytes);
        }
    }

    private static CapturedFrame[] ReadAll(byte[] file)
    {
        List<CapturedFrame> frames = [];
        CaptureFile capture = CaptureFile.Open(file).Value;
        while (capture.TryRead(out CapturedFrame frame).Value)
        {
            frames.Add(frame);
        }

        return [.. frames];
    }

    private static byte[] Words(bool big, params uint[] words)
    {
        byte[] bytes = new byte[words.Length * 4];
        for (int i = 0; i < words.Length; i++)
        {
            if (big)
            {
                BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(i * 4), words[i]);
            }
            else
            {
                BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(i * 4), words[i]);
            }
        }

        return bytes;
    }

    private static byte[] Halves(bool big, ushort first, ushort second) =>
        Words(big, big ? ((uint)first << 16) | second : ((uint)second << 16) | first);

    private static byte[] Padded(byte[] bytes) => [.. bytes, .. new byte[-bytes.Length & 3]];

    private static byte[] Block(bool big, uint type, byte[] body)
    {
        byte[] padded = Padded(body);
        uint length = (uint)padded.Length + 12;
        return [.. Words(big, type, length), .. padded, .. Words(big, length)];
    }
}
