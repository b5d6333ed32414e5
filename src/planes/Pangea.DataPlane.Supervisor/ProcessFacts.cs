using System.Globalization;

namespace Pangea.DataPlane.Supervisor;

/// <summary>What the kernel says about a process, not what we meant it to be.</summary>
/// <param name="Uid">Effective user.</param>
/// <param name="RssBytes">Resident memory.</param>
/// <param name="Capabilities">Effective and permitted set together; 0 is none.</param>
/// <param name="NoNewPrivileges">Whether an exec could add privilege.</param>
internal readonly record struct ProcessFacts(
    long Uid, long RssBytes, ulong Capabilities, bool NoNewPrivileges)
{
    /// <summary>Reads /proc/PID/status (proc(5)); null when the process is gone.</summary>
    public static ProcessFacts? Read(int pid)
    {
        long uid = -1;
        long rssBytes = 0;
        ulong capabilities = 0;
        bool noNewPrivileges = false;
        try
        {
            foreach (string line in File.ReadLines($"/proc/{pid}/status"))
            {
                int colon = line.IndexOf(':');
                if (colon < 0)
                {
                    continue;
                }

                string[] values = line[(colon + 1)..].Split(
                    (char[]?)null, StringSplitOptions.RemoveEmptyEntries);
                switch (line.AsSpan(0, colon))
                {
                    case "Uid":
                        uid = long.Parse(values[1], CultureInfo.InvariantCulture);
                        break;
                    case "VmRSS":
                        rssBytes = long.Parse(values[0], CultureInfo.InvariantCulture) * 1024;
                        break;
                    case "CapEff" or "CapPrm":
                        capabilities |= ulong.Parse(
                            values[0], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
                        break;
                    case "NoNewPrivs":
                        noNewPrivileges = values[0] == "1";
                        break;
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }

        return uid < 0 ? null : new ProcessFacts(uid, rssBytes, capabilities, noNewPrivileges);
    }

    /// <summary>One phrase for people.</summary>
    public string Isolation(bool startedByRoot)
    {
        string privilege = Capabilities == 0 ? "no capabilities" : $"capabilities {Capabilities:x}";
        string future = NoNewPrivileges ? "no_new_privs" : "may gain privilege";
        string user = startedByRoot ? $"uid {Uid}" : $"uid {Uid}, the caller (not started by root)";
        return $"{user}, {privilege}, {future}";
    }
}
