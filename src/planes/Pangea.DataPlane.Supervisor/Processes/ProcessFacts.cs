using System.Globalization;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Supervisor.Processes;

/// <summary>
/// What the kernel says about a process, not what we meant it to be. Privilege belongs to threads,
/// so every thread is asked, and what is told is what the least confined one has.
/// </summary>
internal sealed record ProcessFacts
{
    private const int AffinityBytesMax = 1024;

    /// <summary>Effective user.</summary>
    public required long Uid { get; init; }

    public required long Gid { get; init; }

    public required long RssBytes { get; init; }

    public required int Threads { get; init; }

    /// <summary>Effective and permitted sets of all threads together; 0 is none.</summary>
    public required ulong Capabilities { get; init; }

    /// <summary>Bounding sets of all threads together.</summary>
    public required ulong BoundingSet { get; init; }

    /// <summary>Whether an exec of any thread could add privilege.</summary>
    public required bool NoNewPrivileges { get; init; }

    /// <summary>0 none, 1 strict, 2 filter (seccomp(2)).</summary>
    public required int SeccompMode { get; init; }

    /// <summary>Cores of all threads together: "0-1,4".</summary>
    public required string Cores { get; init; }

    public string SeccompName => SeccompMode switch { 0 => "none", 1 => "strict", _ => "filter" };

    /// <summary>
    /// Reads /proc/PID/task/*/status (proc(5)); null when the process is gone.
    /// </summary>
    public static ProcessFacts? Read(int pid)
    {
        ProcessFacts? all = null;
        var cores = new SortedSet<int>();
        try
        {
            foreach (string task in Directory.GetDirectories($"/proc/{pid}/task"))
            {
                if (ReadThread(Path.Combine(task, "status"), cores) is { } thread)
                {
                    all = all is null ? thread : all.With(thread);
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }

        return all is null ? null : all with { Cores = CoreList.Format(cores) };
    }

    /// <summary>One phrase for people.</summary>
    public string Isolation(bool startedByRoot)
    {
        string privilege = Capabilities == 0 ? "no capabilities" : $"capabilities {Capabilities:x}";
        string future = NoNewPrivileges ? "no_new_privs" : "may gain privilege";
        string calls = SeccompMode == 0 ? "no filter of system calls" : "system calls filtered";
        string user = startedByRoot ? $"uid {Uid}" : $"uid {Uid}, the caller (not started by root)";
        return $"{user}, {privilege}, {future}, {calls}";
    }

    /// <summary>The open descriptors by kind; null where we may not look.</summary>
    public static IReadOnlyList<DescriptorCount>? Descriptors(int pid)
    {
        var counts = new SortedDictionary<string, int>(StringComparer.Ordinal);
        try
        {
            foreach (string path in Directory.GetFileSystemEntries($"/proc/{pid}/fd"))
            {
                if (new FileInfo(path).LinkTarget is { } target)
                {
                    string kind = KindOf(path, target);
                    counts[kind] = counts.GetValueOrDefault(kind) + 1;
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }

        return
        [
            .. counts.Select(
                entry => new DescriptorCount { Kind = entry.Key, Count = entry.Value }),
        ];
    }

    private static string KindOf(string path, string target)
    {
        int colon = target.IndexOf(':');
        return target switch
        {
            ['/', 'm', 'e', 'm', 'f', 'd', ':', ..] => "memory",
            ['/', 'd', 'e', 'v', '/', ..] => "device",
            ['/', ..] => Directory.Exists(path) ? "directory" : "file",

            // "anon_inode:[io_uring]", "socket:[123]"
            _ when target.StartsWith("anon_inode:", StringComparison.Ordinal) =>
                target[(colon + 1)..].Trim('[', ']'),
            _ => colon > 0 ? target[..colon] : "other",
        };
    }

    private static ProcessFacts? ReadThread(string path, SortedSet<int> cores)
    {
        var values = new Dictionary<string, string>(64, StringComparer.Ordinal);
        try
        {
            foreach (string line in File.ReadLines(path))
            {
                int colon = line.IndexOf(':');
                if (colon > 0)
                {
                    values[line[..colon]] = line[(colon + 1)..].Trim();
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null; // A thread that has just ended.
        }

        string affinity = values.GetValueOrDefault("Cpus_allowed_list", "");
        if (!values.ContainsKey("Uid") || affinity.Length > AffinityBytesMax)
        {
            return null;
        }

        cores.UnionWith(CoreList.Parse(affinity));
        return new ProcessFacts
        {
            Uid = Second(values["Uid"]),
            Gid = Second(values.GetValueOrDefault("Gid", "0 0")),
            RssBytes = First(values.GetValueOrDefault("VmRSS", "0")) * 1024,
            Threads = 1,
            Capabilities = Hex(values, "CapEff") | Hex(values, "CapPrm"),
            BoundingSet = Hex(values, "CapBnd"),
            NoNewPrivileges = values.GetValueOrDefault("NoNewPrivs") == "1",
            SeccompMode = (int)First(values.GetValueOrDefault("Seccomp", "0")),
            Cores = "",
        };
    }

    private ProcessFacts With(ProcessFacts thread) => this with
    {
        // Another user in one thread would be a defect; root shows.
        Uid = Math.Min(Uid, thread.Uid),
        Gid = Math.Min(Gid, thread.Gid),
        Threads = Threads + 1,
        Capabilities = Capabilities | thread.Capabilities,
        BoundingSet = BoundingSet | thread.BoundingSet,
        NoNewPrivileges = NoNewPrivileges && thread.NoNewPrivileges,
        SeccompMode = Math.Min(SeccompMode, thread.SeccompMode),
    };

    private static long First(string text) => Number(text, 0);

    /// <summary>Real, effective, saved, file system: the second is what counts.</summary>
    private static long Second(string text) => Number(text, 1);

    private static long Number(string text, int index)
    {
        string[] words = text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        return words.Length > index
            && long.TryParse(words[index], CultureInfo.InvariantCulture, out long number)
            ? number
            : 0;
    }

    private static ulong Hex(Dictionary<string, string> values, string name) =>
        ulong.TryParse(
            values.GetValueOrDefault(name, "0"),
            NumberStyles.HexNumber,
            CultureInfo.InvariantCulture,
            out ulong set)
            ? set
            : 0;
}
