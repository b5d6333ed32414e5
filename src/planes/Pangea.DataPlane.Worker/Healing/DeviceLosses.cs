using System.Diagnostics.CodeAnalysis;
using Pangea.DataPlane.Catalog;
using Pangea.DataPlane.Storage;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// Since when devices are missing. A device that is away for a moment is not lost: moving all its
/// shards elsewhere would be work for nothing. Loop thread only.
/// </summary>
internal sealed class DeviceLosses(StorageService service)
{
    private const long GivenUp = -1;

    private readonly long[] _missingSince = new long[byte.MaxValue + 1];

    /// <summary>
    /// True where shards can be read from the device; one whose directory was taken away is gone,
    /// although its open files still answer.
    /// </summary>
    public static bool IsHere([NotNullWhen(true)] StorageDevice? device) =>
        device?.Log is not null && device.State != DeviceState.Missing;

    /// <summary>How long a device may be away before its shards are made anew elsewhere.</summary>
    public long GraceMs { get; set; }

    /// <summary>Everything that is missing now counts as lost, until it comes back.</summary>
    public void GiveUpAll()
    {
        for (int ordinal = 0; ordinal < _missingSince.Length; ordinal++)
        {
            bool isHere = IsHere(service.Ordinals.Find((byte)ordinal));
            _missingSince[ordinal] = isHere ? 0 : GivenUp;
        }
    }

    /// <summary>Forgets that devices were missing which are here now.</summary>
    public void Refresh()
    {
        for (int ordinal = 0; ordinal < _missingSince.Length; ordinal++)
        {
            if (_missingSince[ordinal] != 0 && IsHere(service.Ordinals.Find((byte)ordinal)))
            {
                _missingSince[ordinal] = 0;
            }
        }
    }

    /// <summary>The device will not come back: it was replaced or taken out.</summary>
    public void GiveUp(byte ordinal) => _missingSince[ordinal] = GivenUp;

    /// <summary>True where what was at that place is to be made anew.</summary>
    public bool IsLost(ShardLocation location)
    {
        if (location.IsNone)
        {
            return true;
        }

        ref long since = ref _missingSince[location.Device];
        if (IsHere(service.Ordinals.Find(location.Device)))
        {
            since = 0;
            return false;
        }

        long nowMs = Environment.TickCount64;
        since = since == 0 ? nowMs : since;
        return since == GivenUp || nowMs - since >= GraceMs;
    }
}
