using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux.Abi;
using Pangea.DataPlane.Linux.Sys;

namespace Pangea.DataPlane.Linux;

/// <summary>
/// Anonymous files in memory that processes share. Their length is sealed (fcntl(2)), so that
/// nobody who maps one can be made to fault by somebody else who cuts it.
/// </summary>
public static class MemoryFile
{
    /// <summary>Makes one of this length, zeroed.</summary>
    /// <param name="name">Shows up in /proc only.</param>
    public static Result<OwnedFd> CreateSealed(string name, long bytes)
    {
        Result<OwnedFd> made = Files.CreateMemoryFile(name);
        if (!made.IsOk)
        {
            return made;
        }

        OwnedFd file = made.Value;
        SysResult done = Call.Of(LibC.ftruncate(file.Number, bytes));
        if (done.IsOk)
        {
            done = Call.Of(LibC.fcntl(
                file.Number,
                Fcntl.F_ADD_SEALS,
                Fcntl.F_SEAL_SHRINK | Fcntl.F_SEAL_GROW | Fcntl.F_SEAL_SEAL));
        }

        if (done.IsOk)
        {
            return file;
        }

        file.Dispose();
        return done.Errno.ToFault($"seal the memory file {name}");
    }
}
