namespace Pangea.DataPlane.Control.Schema;

/// <summary>One setting that a new configuration changes.</summary>
public sealed record ConfigurationChange
{
    /// <summary>As in the file: "storage.compression".</summary>
    public required string Key { get; init; }

    /// <summary>
    /// "now", "worker" (a drained restart of the worker has brought it) or "start" (kept as it was
    /// until the appliance is started anew).
    /// </summary>
    public required string Effect { get; init; }
}

/// <summary>Result of <c>config.reload</c>.</summary>
public sealed record ConfigReloadResult
{
    public required IReadOnlyList<ConfigurationChange> Changes { get; init; }
}

/// <summary>Result of <c>system.upgrade</c>, sent by the old program.</summary>
public sealed record SystemUpgradeResult
{
    /// <summary>The program that goes on.</summary>
    public required string Program { get; init; }

    /// <summary>False where calls did not end within the bound; they have failed.</summary>
    public required bool Drained { get; init; }
}

/// <summary>What one process of the appliance keeps of its privilege, and why.</summary>
public sealed record ProcessPrivilege
{
    /// <summary>"supervisor" or "warden".</summary>
    public required string Process { get; init; }

    public required int Pid { get; init; }

    public required long Uid { get; init; }

    /// <summary>Effective and permitted set of any thread, hexadecimal.</summary>
    public required string Capabilities { get; init; }

    public required bool NoNewPrivileges { get; init; }

    /// <summary>One phrase a capability: its name and its reason.</summary>
    public required IReadOnlyList<string> Kept { get; init; }
}
