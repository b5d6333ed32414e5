using System.Globalization;
using System.IO.Pipes;
using System.Security.Cryptography;
using Pangea.DataPlane.Control.Connection;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Appliance.Tests;

/// <summary>
/// Goal: memory stays bounded however large the file. Method: 4 GiB that do not compress, from a
/// pipe and back into one, and the kernel's own record of the worker's largest resident set.
/// </summary>
public sealed class LargeObjectTests
{
    private const long Bytes = 4L << 30;
    private const long RssBytesMax = 200L << 20;

    // 4 GiB become 6 GiB on twelve devices that share one disk here.
    private const long DiskBytesNeeded = 9L << 30;

    [SkippableFact]
    public void Four_gibibytes_pass_through_less_than_200_mebibytes()
    {
        using Appliance appliance = Appliance.Start();
        long free = new DriveInfo(appliance.Directory).AvailableFreeSpace;
        Skip.If(free < DiskBytesNeeded, $"needs 9 GiB of disk, {free >> 20} MiB are free");
        int pid = appliance.WorkerPid();
        using RpcClient client = appliance.Connect();

        byte[] written = [];
        Result<ObjectPutResult> put = default;
        WithPipe(
            (stream, descriptor) => written = Produce(stream),
            PipeDirection.Out,
            descriptor => put = client.Call(
                RpcMethods.ObjectPut,
                new ObjectPutParameters { Name = "large", Bytes = Bytes },
                [descriptor]));
        Assert.True(put.IsOk, $"{put.Fault}\n{appliance.Log}");
        Assert.Equal(Bytes, put.Value.Bytes);
        Assert.Equal(Convert.ToHexStringLower(written), put.Value.Sha256);

        byte[] read = [];
        Result<ObjectGetResult> get = default;
        WithPipe(
            (stream, descriptor) => read = SHA256.HashData(stream),
            PipeDirection.In,
            descriptor => get = client.Call(
                RpcMethods.ObjectGet, new ObjectGetParameters { Name = "large" }, [descriptor]));
        Assert.True(get.IsOk, $"{get.Fault}\n{appliance.Log}");
        Assert.Equal(written, read);

        Assert.Equal(pid, appliance.WorkerPid());
        long peak = PeakRss(pid);
        Assert.True(peak < RssBytesMax, $"the worker needed {peak >> 20} MiB");
        long supervisor = PeakRss(appliance.SupervisorPid);
        Assert.True(supervisor < RssBytesMax, $"the supervisor needed {supervisor >> 20} MiB");
    }

    /// <summary>Runs one end of a pipe on a thread while the call has the other.</summary>
    private static void WithPipe(
        Action<Stream, OwnedFd> ours, PipeDirection direction, Action<OwnedFd> call)
    {
        using var pipe = new AnonymousPipeServerStream(direction);
        using var theirs = OwnedFd.Borrow((int)pipe.ClientSafePipeHandle.DangerousGetHandle());
        var thread = new Thread(() =>
        {
            ours(pipe, theirs);
            pipe.Dispose();
        });
        thread.Start();
        call(theirs);
        if (direction == PipeDirection.In)
        {
            // Ours was the last writing end: the reader sees the end.
            pipe.DisposeLocalCopyOfClientHandle();
        }

        thread.Join();
    }

    /// <summary>Random bytes, each MiB another; returns their SHA-256.</summary>
    private static byte[] Produce(Stream target)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var block = new byte[1 << 20];
        Random.Shared.NextBytes(block);
        for (long done = 0; done < Bytes; done += block.Length)
        {
            BitConverter.TryWriteBytes(block, done);
            hash.AppendData(block);
            target.Write(block);
        }

        return hash.GetHashAndReset();
    }

    private static long PeakRss(int pid)
    {
        string line = File.ReadLines($"/proc/{pid}/status").First(
            l => l.StartsWith("VmHWM:", StringComparison.Ordinal));
        return long.Parse(
            line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1],
            CultureInfo.InvariantCulture) * 1024;
    }
}
