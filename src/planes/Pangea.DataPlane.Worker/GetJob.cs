// HOT PATH: the one state machine of a small get; nothing here allocates once it was made.
using Pangea.DataPlane.Catalog;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Reactor;
using Pangea.DataPlane.Storage;
using ObjectEntry = Pangea.DataPlane.Catalog.ObjectEntry;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// A get from its check to its result: a job that is used again, as <see cref="PutJob"/> is. A
/// large object goes through <see cref="GetTransfer"/>.
/// </summary>
internal sealed class GetJob(StorageService service, Stack<GetJob> pool)
    : ReusableJob<GetJob, Result<GetOutcome>>(pool)
{
    private readonly SmallGet _small = new(service);
    private ObjectGetParameters _call = null!;
    private CallerFile _target = null!;
    private TransferWatch _watch = null!;
    private ObjectEntry _entry = null!;
    private GetRange _range;

    /// <inheritdoc cref="ObjectGet.StartAsync"/>
    public ValueTask<Result<GetOutcome>> Start(
        ObjectGetParameters call, CallerFile target, TransferWatch watch)
    {
        (_call, _target, _watch) = (call, target, watch);
        return Start();
    }

    protected override async Task RunAsync()
    {
        while (true)
        {
            Fault? fault = Check();
            bool isSmall = fault is null && GarbageQueue.IsSmall(_entry);
            if (fault is not null)
            {
                await End(fault);
                continue;
            }

            service.Garbage.BeginRead(_entry.Id);
            if (!isSmall)
            {
                await EndRead(await ObjectGet.RunLargeAsync(
                    service, _entry, _range, _target, _watch).ConfigureAwait(false));
                continue;
            }

            if (!await service.Small.EnterAsync(_watch.Token))
            {
                await EndRead(_watch.Ending);
                continue;
            }

            _watch.Start();
            SmallGet get = _small;
            get.Begin(_entry);
            while (get.WantsMore)
            {
                // First as many as suffice; where they do not, the next ones.
                get.Load();
                for (int position = 0; position < _entry.Locations.Length; position++)
                {
                    if (get.IsReading(position))
                    {
                        get.Took(position, await get.Reading(position));
                    }
                }

                get.Open();
            }

            get.BeginWrite(_range);
            while (get.HasMoreToWrite)
            {
                get.Wrote(
                    await _target.WriteAsync(get.ToWrite, _watch.Token), _target, _watch);
                if (get.MustWait)
                {
                    await _target.WaitAsync(PollEvents.Writable, _watch.Token);
                }
            }

            await EndRead(get.End());
        }
    }

    private Fault? Check()
    {
        Result<ObjectName> name = ObjectName.Parse(_call.Name);
        if (!name.IsOk)
        {
            return name.Fault;
        }

        if (service.Versions.Find(name.Value) is not { } entry)
        {
            return ObjectVersions.NameUnknown(name.Value);
        }

        Result<GetRange> range = GetRange.Of(_call, entry.Bytes);
        if (!range.IsOk)
        {
            return range.Fault;
        }

        (_entry, _range) = (entry, range.Value);
        service.RefreshDevices();
        return null;
    }

    private ValueTask<bool> EndRead(Result<GetFindings> found)
    {
        service.Garbage.EndRead(_entry.Id);
        service.NoteServed();
        if (!found.IsOk)
        {
            return End(found.Fault);
        }

        _target.AdvancePosition();
        service.Expiry.NoteGet(_entry, _range.Bytes);
        return End(new GetOutcome(_entry.Name, _entry.Id, _entry.Bytes, _range, found.Value));
    }

    private ValueTask<bool> End(Result<GetOutcome> outcome)
    {
        // Whoever is resumed may start this job again, with other ones.
        (_call, _target, _watch, _entry) = (null!, null!, null!, null!);
        return Finish(outcome);
    }
}
