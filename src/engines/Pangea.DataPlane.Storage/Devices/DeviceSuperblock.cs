using System.Text;
using System.Text.Json;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Storage;

/// <summary>
/// The small JSON text <c>pangea-device.json</c> at the top of a device directory, or in block 0 of
/// a block device: which device this is and which appliance's state it belongs to, so that one that
/// turns up in another place, or one of another appliance, is recognised.
/// </summary>
/// <param name="Device">This device.</param>
/// <param name="StateId">The appliance state the device belongs to, as the supervisor names
/// it.</param>
/// <param name="SegmentBytes">Length of the slots of a block device; 0 in a directory.</param>
public sealed record DeviceSuperblock(DeviceId Device, string StateId, long SegmentBytes = 0)
{
    public const string FileName = "pangea-device.json";

    /// <summary>Far more than the file ever needs; a longer one is not ours.</summary>
    public const int BytesMax = 4096;

    private const int Format = 2;

    public byte[] Encode()
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            json.WriteNumber("format", Format);
            json.WriteString("device", Device.ToString());
            json.WriteString("state", StateId);
            if (SegmentBytes > 0)
            {
                json.WriteNumber("segmentBytes", SegmentBytes);
            }

            json.WriteEndObject();
        }

        stream.WriteByte((byte)'\n');
        return stream.ToArray();
    }

    public static Result<DeviceSuperblock> Decode(ReadOnlyMemory<byte> bytes)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(bytes);
            JsonElement root = document.RootElement;
            int format = root.GetProperty("format").GetInt32();
            if (format != Format)
            {
                return new Fault(
                    FaultCode.Unsupported,
                    $"device superblock has format {format}, this program knows format {Format}",
                    "read its objects with the release that wrote it; there is no conversion");
            }

            string? state = root.GetProperty("state").GetString();
            long segmentBytes = root.TryGetProperty("segmentBytes", out JsonElement length)
                ? length.GetInt64()
                : 0;
            return state is not null && segmentBytes >= 0
                && ObjectId.TryParse(root.GetProperty("device").GetString(), out ObjectId id)
                ? new DeviceSuperblock(new DeviceId(id), state, segmentBytes)
                : Damaged("a field has no usable value");
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException
            or InvalidOperationException or FormatException)
        {
            return Damaged(e.Message);
        }
    }

    private static Fault Damaged(string why) => new(
        FaultCode.Corrupt,
        $"{FileName} is damaged: {why}",
        "move the directory away and let an empty one take its place; its shards are rebuilt "
        + "from the others");
}
