using System.Globalization;
using System.Text;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux.Abi;
using Pangea.DataPlane.Linux.Sys;

namespace Pangea.DataPlane.Linux;

/// <summary>A user that a process can become.</summary>
/// <param name="Name">As asked for.</param>
public readonly record struct UserAccount(string Name, uint Uid, uint Gid)
{
    /// <summary>The effective user of this process.</summary>
    public static UserAccount Current => new(Environment.UserName, LibC.geteuid(), LibC.getegid());

    public static bool IsRoot => LibC.geteuid() == 0;

    /// <summary>
    /// Finds an account by name, or takes "uid" or "uid:gid" as numbers without an account.
    /// </summary>
    public static Result<UserAccount> Find(string name)
    {
        string[] parts = name.Split(':');
        if (parts.Length <= 2 && TryNumber(parts[0], out uint uid))
        {
            uint gid = uid;
            if (parts.Length == 2 && !TryNumber(parts[1], out gid))
            {
                return Fault.InvalidParameter(
                    "user", $"\"{name}\" is neither a user name nor uid:gid");
            }

            return new UserAccount(name, uid, gid);
        }

        return FindByName(name);
    }

    private static bool TryNumber(string text, out uint number) =>
        uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number)
        && number != uint.MaxValue; // -1 means "leave it" to setresuid(2)

    private static unsafe Result<UserAccount> FindByName(string name)
    {
        passwd entry;
        passwd* found = null;
        byte[] buffer = new byte[16 * 1024];
        int result;

        // SAFETY: the strings that the entry points to lie in the pinned buffer; none is kept.
        fixed (byte* start = buffer, text = Encoding.UTF8.GetBytes(name + '\0'))
        {
            result = LibC.getpwnam_r(text, &entry, start, (nuint)buffer.Length, &found);
        }

        if (result != 0)
        {
            return new Errno(result).ToFault($"look up user {name}");
        }

        return found is null
            ? new Fault(
                FaultCode.NotFound,
                $"there is no user {name}",
                $"create it: useradd --system --no-create-home {name}",
                "user")
            : new UserAccount(name, entry.pw_uid, entry.pw_gid);
    }

    public override string ToString() => $"{Name} ({Uid}:{Gid})";
}
