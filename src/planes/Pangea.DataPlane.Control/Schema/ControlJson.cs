using System.Text.Json.Serialization;

namespace Pangea.DataPlane.Control.Schema;

/// <summary>
/// The serializer's generated code for every record of the protocol: no reflection. Parameters are
/// checked against the method table before they come here, so this context stays tolerant: a client
/// may read the result of a newer appliance.
/// </summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UseStringEnumConverter = true,
    RespectNullableAnnotations = true)]
[JsonSerializable(typeof(Nothing))]
[JsonSerializable(typeof(ObjectPutParameters))]
[JsonSerializable(typeof(ObjectPutResult))]
[JsonSerializable(typeof(ObjectGetParameters))]
[JsonSerializable(typeof(ObjectGetResult))]
[JsonSerializable(typeof(ObjectListParameters))]
[JsonSerializable(typeof(ObjectListResult))]
[JsonSerializable(typeof(ObjectNameParameters))]
[JsonSerializable(typeof(ObjectStatResult))]
[JsonSerializable(typeof(ObjectRemoveResult))]
[JsonSerializable(typeof(ObjectProgress))]
[JsonSerializable(typeof(SystemVersionResult))]
[JsonSerializable(typeof(SystemStatusResult))]
[JsonSerializable(typeof(WorkerListResult))]
[JsonSerializable(typeof(WorkerStartParameters))]
[JsonSerializable(typeof(WorkerStartResult))]
[JsonSerializable(typeof(WorkerPingResult))]
[JsonSerializable(typeof(StorageStatusResult))]
[JsonSerializable(typeof(CallCancelParameters))]
[JsonSerializable(typeof(KeyListResult))]
[JsonSerializable(typeof(WorkerKeysParameters))]
[JsonSerializable(typeof(WorkerKeysResult))]
[JsonSerializable(typeof(DeviceListResult))]
[JsonSerializable(typeof(DeviceAddParameters))]
[JsonSerializable(typeof(DeviceRemoveParameters))]
[JsonSerializable(typeof(DeviceReplaceParameters))]
[JsonSerializable(typeof(DeviceChangeResult))]
[JsonSerializable(typeof(ScrubStartParameters))]
[JsonSerializable(typeof(ScrubStatus))]
[JsonSerializable(typeof(HealStatus))]
[JsonSerializable(typeof(CatalogRebuildParameters))]
[JsonSerializable(typeof(CatalogRebuildResult))]
[JsonSerializable(typeof(WorkerDeviceParameters))]
[JsonSerializable(typeof(WorkerDeviceRemoveParameters))]
[JsonSerializable(typeof(WorkerIndexParameters))]
[JsonSerializable(typeof(StatsReadResult))]
[JsonSerializable(typeof(PostmortemResult))]
[JsonSerializable(typeof(WorkerRestartResult))]
[JsonSerializable(typeof(ConfigReloadResult))]
[JsonSerializable(typeof(SystemUpgradeResult))]
[JsonSerializable(typeof(System.Text.Json.JsonElement))]
public sealed partial class ControlJson : JsonSerializerContext;
