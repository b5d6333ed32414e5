namespace Pangea.DataPlane.Supervisor.Configuration;

/// <summary>What a worker does; each role has cores of its own.</summary>
public enum WorkerRole
{
    /// <summary>Keeps objects; there is one worker of it.</summary>
    Storage,

    /// <summary>Passes packets on. No workers yet: its cores are checked and kept free.</summary>
    Relay,

    /// <summary>
    /// Faces other machines. No workers yet: its cores are checked and kept free.
    /// </summary>
    Gateway,
}
