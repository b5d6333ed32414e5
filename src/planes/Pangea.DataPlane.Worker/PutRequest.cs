using Pangea.DataPlane.Ces;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Worker;

/// <summary>A put that was checked: what to store, how, and under which key.</summary>
/// <param name="Call">As it came.</param>
/// <param name="Name">Of the object.</param>
/// <param name="Kind">Its class.</param>
/// <param name="Key">The key it is sealed with; a rotation meanwhile is for the next put.</param>
/// <param name="TtlMs">Its time to live; 0 for ever.</param>
internal readonly record struct PutRequest(
    ObjectPutParameters Call, ObjectName Name, ObjectClass Kind, MasterKey Key, long TtlMs)
{
    public static Result<PutRequest> Check(StorageService service, ObjectPutParameters call)
    {
        Result<ObjectName> name = ObjectName.Parse(call.Name);
        if (!name.IsOk)
        {
            return name.Fault;
        }

        if (call.NoClobber && service.Versions.IsTaken(name.Value))
        {
            return ObjectVersions.NameTaken(name.Value);
        }

        if (call.TtlSeconds is < 1 or > Limits.TtlSecondsMax)
        {
            return Fault.InvalidParameter(
                "ttlSeconds",
                $"a time to live is 1 to {Limits.TtlSecondsMax} seconds, not {call.TtlSeconds}",
                "leave it out for an object that stays");
        }

        Result<ObjectClass> kind = service.ClassOf(call.Class);
        return kind.IsOk
            ? new PutRequest(
                call, name.Value, kind.Value, service.Keys.Current,
                (call.TtlSeconds ?? 0) * 1000)
            : kind.Fault;
    }

    /// <summary>The whole content was read: is it what was announced, and still welcome?</summary>
    public Result CheckComplete(StorageService service, long bytes, TransferWatch watch)
    {
        if (watch.Token.IsCancellationRequested)
        {
            return watch.Ending;
        }

        if (Call.Bytes is { } expected && expected != bytes)
        {
            return WrongLength(
                expected, bytes.ToString(System.Globalization.CultureInfo.InvariantCulture));
        }

        return Call.NoClobber && service.Versions.IsTaken(Name)
            ? ObjectVersions.NameTaken(Name)
            : Result.Ok;
    }

    public static Fault WrongLength(long announced, string given) => new(
        FaultCode.BadDescriptor,
        $"the descriptor gave {given} bytes, the call announced {announced}",
        "the file changed meanwhile, or its writer ended early; call again");
}
