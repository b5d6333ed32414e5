// HOT PATH: the calls of puts and gets; what is new for each is the line, its parameters, and the
// descriptor.
using Pangea.DataPlane.Control.Connection;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Control.Wire;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Reactor;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// A put or a get of a worker's channel: moves bytes, answers, cleans up. A job that is used again,
/// with the watch that ends it.
/// </summary>
internal sealed class TransferCall(WorkerCalls calls, StorageService service)
    : ReusableJob<TransferCall, bool>(calls.IdleTransfers)
{
    private TransferWatch _watch = new(null);
    private RpcConnection _connection = null!;
    private RpcMessage _call = null!;
    private OwnedFd _file = null!;
    private ObjectPutParameters? _put;
    private ObjectGetParameters? _get;
    private long _id;

    public TransferWatch Watch => _watch;

    /// <summary>Either the one or the other is given; the file is owned from now on.</summary>
    public void Prepare(
        RpcConnection connection, RpcMessage call, long id, OwnedFd file,
        ObjectPutParameters? put, ObjectGetParameters? get)
    {
        (_connection, _call, _id, _file) = (connection, call, id, file);
        (_put, _get) = (put, get);
        bool wantsProgress = put?.Progress == true || get?.Progress == true;
        Action<long, long?>? report = wantsProgress
            ? (bytes, total) => WorkerCalls.ReportProgress(connection, id, bytes, total)
            : null;
        if (!_watch.TryReset(report))
        {
            _watch.Dispose();
            _watch = new TransferWatch(report);
        }
    }

    protected override async Task RunAsync()
    {
        while (true)
        {
            if (_put is { } put)
            {
                Result<CallerFile> source = CallerFile.ForReading(_file, service.Reactor);
                Result<PutOutcome> outcome = source.IsOk
                    ? await ObjectPut.StartAsync(service, put, source.Value, _watch)
                    : source.Fault;
                End();
                calls.Answer(_connection, _call, outcome);
            }
            else
            {
                Result<CallerFile> target = CallerFile.ForWriting(_file, service.Reactor);
                Result<GetOutcome> outcome = target.IsOk
                    ? await ObjectGet.StartAsync(service, _get!, target.Value, _watch)
                    : target.Fault;
                End();
                calls.Answer(_connection, _call, outcome);
            }

            (_connection, _call, _file, _put, _get) = (null!, null!, null!, null, null);
            await Finish(true);
        }
    }

    private void End()
    {
        calls.Ended(_id);
        _file.Dispose();
    }
}
