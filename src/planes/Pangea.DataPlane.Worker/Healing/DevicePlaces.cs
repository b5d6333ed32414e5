using Pangea.DataPlane.Catalog;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Storage;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// Which device has had each place, noted in the catalog. A restart formats the empty directory it
/// finds where a disk was lost; whoever then replaces that one means the shards of the lost disk.
/// Loop thread only.
/// </summary>
internal sealed class DevicePlaces(StorageService service)
{
    private const string Table = "device-place";
    private const int IdBytes = 16;

    /// <summary>
    /// Notes the devices of places that nobody had; once after the catalog was opened or emptied.
    /// </summary>
    public void NoteAll()
    {
        foreach (StorageDevice device in service.Devices.All)
        {
            if (device.Id != default && Find(device.Index) == default)
            {
                Set(device.Index, device.Id);
            }
        }
    }

    /// <summary>The device that has or had the place; none where nobody knows.</summary>
    public DeviceId Find(int index) =>
        service.Catalog.GetNote(Table, [(byte)index]) is { Length: IdBytes } note
            ? new DeviceId(ObjectId.Read(note.Span))
            : default;

    /// <summary>From now on the place is this device's.</summary>
    public void Set(int index, DeviceId device)
    {
        Span<byte> note = stackalloc byte[IdBytes];
        device.Value.Write(note);
        service.Catalog.SetNote(Table, [(byte)index], note);
    }

    /// <summary>The place is nobody's any more.</summary>
    public void Forget(int index) => service.Catalog.DeleteNote(Table, [(byte)index]);
}
