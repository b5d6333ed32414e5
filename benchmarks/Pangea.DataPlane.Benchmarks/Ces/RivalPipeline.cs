using System.Diagnostics;
using System.Globalization;

namespace Pangea.DataPlane.Benchmarks.Ces;

/// <summary>
/// The whole job by <c>zstd -3 -T2</c>, <c>age</c> and zfec 8+4 as a shell script, in the three
/// ways in which an operator may put zfec into it. CPU seconds count every child.
/// </summary>
/// <param name="Name">What is run, for the table's last column.</param>
/// <param name="Short">Tells its rows from those of the others.</param>
/// <param name="Put">Shell commands from <c>mixed</c> to twelve shard files.</param>
/// <param name="Get">Shell commands from eight of them to <c>rival-restored</c>.</param>
internal sealed record RivalPipeline(string Name, string Short, string Put, string Get)
{
    private const string Seal = "zstd -q -3 -T2 -c mixed | age -r \"$(age-keygen -y key)\"";
    private const string Open = "age -d -i key";
    private const string Unpack = "zstd -q -d -T2 -f -o rival-restored";
    private const string Python = "/usr/bin/python3";

    // Debian's python3-zfec has the library and no program; the module behind the program wants
    // three functions of the package pyutil, which Debian does not carry.
    private const string PyutilFile = """
        import os
        def remove_if_possible(name):
            if os.path.exists(name):
                os.remove(name)
        """;

    private const string PyutilMath = """
        def pad_size(n, k):
            return -n % k
        def log_ceil(n, b):
            power, result = 1, 0
            while power < n:
                power, result = power * b, result + 1
            return result
        """;

    // The same C library, a block of 8 x 128 KiB at a time instead of 8 x 4 KiB.
    private const string Script = """
        import sys, zfec
        K, M, BLOCK = 8, 12, 131072
        if sys.argv[1] == "encode":
            encoder = zfec.Encoder(K, M)
            files = [open("rival.%d" % i, "wb") for i in range(M)]
            source = open(sys.argv[2], "rb")
            total = 0
            while chunk := source.read(K * BLOCK):
                total += len(chunk)
                view = memoryview(chunk.ljust(K * BLOCK, b"\0"))
                blocks = [view[i * BLOCK:(i + 1) * BLOCK] for i in range(K)]
                for file, block in zip(files, encoder.encode(blocks)):
                    file.write(block)
            open("rival.length", "w").write(str(total))
        else:
            kept = [i for i in range(M) if i not in (1, 4, 6, 10)]
            decoder = zfec.Decoder(K, M)
            files = [open("rival.%d" % i, "rb") for i in kept]
            left = int(open("rival.length").read())
            with open(sys.argv[2], "wb") as output:
                while left:
                    blocks = decoder.decode([file.read(BLOCK) for file in files], kept)
                    piece = b"".join(blocks)[:left]
                    output.write(piece)
                    left -= len(piece)
        """;

    private const string Kept = "sealed.00_12.fec sealed.02_12.fec sealed.03_12.fec "
        + "sealed.05_12.fec sealed.07_12.fec sealed.08_12.fec sealed.09_12.fec sealed.11_12.fec";

    /// <summary>The issue's pipeline first: the three programs, files between them as they
    /// need.</summary>
    public static readonly IReadOnlyList<RivalPipeline> All =
    [
        new(
            "zstd -3 -T2 | age; zfec's program", "zfec",
            $"{Seal} -o sealed; {ZfecProgram("zfec")} -q -f -k 8 -m 12 sealed",
            $"{ZfecProgram("zunfec")} -f -o opened {Kept}; {Open} opened | {Unpack}"),
        new(
            "zstd -3 -T2 | age; script", "script",
            $"{Seal} -o sealed; {Python} fec.py encode sealed",
            $"{Python} fec.py decode opened; {Open} opened | {Unpack}"),
        new(
            "zstd -3 -T2 | age | script", "pipe",
            $"{Seal} | {Python} fec.py encode /dev/stdin",
            $"{Python} fec.py decode /dev/stdout | {Open} | {Unpack}"),
    ];

    /// <summary>Writes the scripts and the key; false where a program is not installed.</summary>
    public static bool Prepare(string folder)
    {
        string pyutil = Directory.CreateDirectory(Path.Combine(folder, "pyutil")).FullName;
        File.WriteAllText(Path.Combine(pyutil, "__init__.py"), string.Empty);
        File.WriteAllText(Path.Combine(pyutil, "fileutil.py"), PyutilFile);
        File.WriteAllText(Path.Combine(pyutil, "mathutil.py"), PyutilMath);
        File.WriteAllText(Path.Combine(folder, "fec.py"), Script);
        return Shell(folder, "command -v zstd && command -v age && command -v age-keygen "
            + $"&& {Python} -c 'import zfec' && age-keygen -o key 2>/dev/null").Exit == 0;
    }

    public JobSample RunPut(string folder) => Timed(folder, Put);

    public JobSample RunGet(string folder) => Timed(folder, Get);

    public static (int Exit, string Output) Shell(string folder, string script)
    {
        var start = new ProcessStartInfo("bash", ["-c", script + " 2>&1"])
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
        };
        using Process process = Process.Start(start)!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output);
    }

    private static string ZfecProgram(string name) =>
        $"PYTHONPATH=. {Python} -c 'import sys; from zfec.cmdline_{name} import main; "
        + "sys.exit(main())'";

    private static JobSample Timed(string folder, string script)
    {
        var clock = Stopwatch.StartNew();
        (int exit, string output) = Shell(folder, $"set -e -o pipefail; {script}; times");
        double seconds = clock.Elapsed.TotalSeconds;
        if (exit != 0)
        {
            throw new InvalidOperationException($"the rival failed: {output}");
        }

        // bash prints two lines of "user system" times, the second one for its children: 0m1.234s.
        string children = output.TrimEnd().Split('\n')[^1];
        double cpu = children.Split(' ').Sum(time =>
        {
            string[] parts = time.TrimEnd('s').Split('m');
            return (60 * double.Parse(parts[0], CultureInfo.InvariantCulture))
                + double.Parse(parts[1], CultureInfo.InvariantCulture);
        });
        return new JobSample(seconds, cpu);
    }
}

/// <summary>What one half of the job took: wall and CPU seconds.</summary>
internal readonly record struct JobSample(double Seconds, double Cpu);
