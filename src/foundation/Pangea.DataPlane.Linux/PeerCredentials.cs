namespace Pangea.DataPlane.Linux;

/// <summary>
/// Who is at the other end of a Unix socket, as the kernel recorded it at connect(2) or
/// socketpair(2).
/// </summary>
public readonly record struct PeerCredentials(int Pid, uint Uid, uint Gid);
