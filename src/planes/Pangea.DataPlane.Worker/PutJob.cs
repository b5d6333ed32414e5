// HOT PATH: the one state machine of a small put; nothing here allocates once it was made.
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Reactor;
using Pangea.DataPlane.Storage;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// A put from its check to its result. A job that is used again, and one asynchronous method, so
/// that a small object costs neither state machines nor turns of the loop between them; a large one
/// goes on in <see cref="PutTransfer"/>.
/// </summary>
internal sealed class PutJob(StorageService service, Stack<PutJob> pool)
    : ReusableJob<PutJob, Result<PutOutcome>>(pool)
{
    private readonly SmallPut _small = new(service);
    private ObjectPutParameters _call = null!;
    private CallerFile _source = null!;
    private TransferWatch _watch = null!;
    private PutRequest _request;

    /// <inheritdoc cref="ObjectPut.StartAsync"/>
    public ValueTask<Result<PutOutcome>> Start(
        ObjectPutParameters call, CallerFile source, TransferWatch watch)
    {
        (_call, _source, _watch) = (call, source, watch);
        return Start();
    }

    protected override async Task RunAsync()
    {
        while (true)
        {
            Fault? fault = Check();
            if (fault is null && service.Catalog.IsFull)
            {
                await service.Checkpoints.WaitForRoomAsync().ConfigureAwait(false);
            }

            if (fault is null && (_call.Bytes ?? _source.BytesLeft) > _request.Kind.SmallBytes)
            {
                await End(await ObjectPut.RunLargeAsync(
                    service, _request, _source, _watch, null, 0).ConfigureAwait(false));
                continue;
            }

            // Of a pipe nothing is known: it is small until it has given more.
            if (fault is null && !await service.Small.EnterAsync(_watch.Token))
            {
                fault = _watch.Ending;
            }

            if (fault is not null)
            {
                await End(fault);
                continue;
            }

            _watch.Start();
            SmallPut put = _small;
            put.Begin(_request, _source, _watch);
            while (put.WantsMore)
            {
                put.Took(await put.ReadAsync());
                if (put.MustWait)
                {
                    await put.WaitAsync();
                }
            }

            if (put.IsTooLong)
            {
                await End(await ObjectPut.RunLargeAsync(
                    service, _request, _source, _watch, put.Slot, put.Bytes)
                    .ConfigureAwait(false));
                continue;
            }

            put.Store();
            ObjectCommit commit = put.Slot.Commit;
            for (int position = 0; put.IsCommitting && position < commit.Positions; position++)
            {
                if (commit.IsAppending(position))
                {
                    commit.EndAppend(position, await commit.Appending(position));
                }
            }

            if (put.IsCommitting && !commit.CheckQuorum().IsOk)
            {
                await commit.VoidAsync().ConfigureAwait(false);
            }

            Result<PutOutcome> outcome = put.End();
            service.NoteServed();
            await End(outcome);
        }
    }

    private Fault? Check()
    {
        Result<PutRequest> request = PutRequest.Check(service, _call);
        if (!request.IsOk)
        {
            return request.Fault;
        }

        _request = request.Value;
        service.RefreshDevices();
        return null;
    }

    private ValueTask<bool> End(Result<PutOutcome> outcome)
    {
        // Whoever is resumed may start this job again, with other ones.
        (_call, _source, _watch, _request) = (null!, null!, null!, default);
        return Finish(outcome);
    }
}
