using System.Net;
using System.Net.Sockets;
using System.Text;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Rules;

namespace Pangea.DataPlane.Supervisor.Firewall;

/// <content>What time brings, and bans with their file.</content>
internal sealed partial class FirewallService
{
    private const int SweepBeats = 60;
    private static readonly TimeSpan s_beat = TimeSpan.FromSeconds(1);

    /// <summary>By the clock that only moves on: the time of day may jump.</summary>
    private long _confirmDueMs = long.MaxValue;

    private string? _savedBans;
    private string? _lastFailure;

    /// <inheritdoc/>
    public Result Ban(IPAddress source, TimeSpan duration, string plane, string why)
    {
        if (duration <= TimeSpan.Zero)
        {
            return Fault.InvalidParameter("duration", $"{duration} is no time to ban for");
        }

        Result banned = _bans.Add(
            PrefixOf(source), duration, new BanNote("plane", $"{plane}: {why}"));
        EventLog.Write(
            banned.IsOk ? "firewall.banned" : "firewall.notBanned",
            ("source", source),
            ("seconds", (long)duration.TotalSeconds),
            ("plane", plane),
            ("why", why),
            ("fault", banned.Fault?.Message));
        return banned;
    }

    private static IpPrefix PrefixOf(IPAddress source)
    {
        if (source.IsIPv4MappedToIPv6)
        {
            source = source.MapToIPv4();
        }

        Span<byte> bytes = stackalloc byte[16];
        bool written = source.TryWriteBytes(bytes, out int count);
        Invariant.Check(written);
        return source.AddressFamily == AddressFamily.InterNetwork
            ? IpPrefix.V4(System.Buffers.Binary.BinaryPrimitives.ReadUInt32BigEndian(bytes), 32)
            : IpPrefix.V6(
                System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(bytes[..count]), 128);
    }

    private async void Beat()
    {
        int beats = 0;
        while ((await _reactor.DelayAsync(s_beat, _stopping.Token)).IsOk)
        {
            _samples.Drain(_view.RuleAt);
            if (Environment.TickCount64 >= _confirmDueMs)
            {
                await TakeBackAsync();
            }
            else if (_view.Policy.IsDue(DateTimeOffset.UtcNow))
            {
                await ExpireAsync();
            }

            if (++beats % SweepBeats == 0)
            {
                _bans.Sweep();
                SaveBans();
            }
        }
    }

    /// <summary>Nobody confirmed the change: whoever made it may have locked himself out.</summary>
    private async ValueTask TakeBackAsync()
    {
        Result<bool> back = await ChangeAsync<bool>(() =>
        {
            Result done = _book.Rollback(DateTimeOffset.UtcNow);
            return done.IsOk ? true : done.Fault;
        });
        if (back.IsOk || back.Fault.Code == FaultCode.BadState)
        {
            _confirmDueMs = long.MaxValue;
            EventLog.Write("firewall.rolledBack", ("reason", "nobody confirmed the change"));
        }
        else
        {
            TellOnce("firewall.notRolledBack", back.Fault);
        }
    }

    private async ValueTask ExpireAsync()
    {
        Result<bool> done = await ChangeAsync(() =>
        {
            Result<bool> ticked = _book.Tick(DateTimeOffset.UtcNow);
            return ticked.IsOk && Save() is { } fault ? fault : ticked;
        });
        if (done.IsOk)
        {
            EventLog.Write("firewall.rulesExpired", ("generation", _view.Generation));
        }
        else
        {
            TellOnce("firewall.notExpired", done.Fault);
        }
    }

    /// <summary>What is tried again each second is said once.</summary>
    private void TellOnce(string id, Fault fault)
    {
        if (_lastFailure != fault.Message)
        {
            _lastFailure = fault.Message;
            EventLog.Write(id, fault);
        }
    }

    private void OpenBans()
    {
        if (_kernel.Filter is { } filter)
        {
            _bans.Resume(filter);
        }

        Result<string?> text = _state.ReadFirewall(BanBook.FileName);
        if (text is { IsOk: true, Value: { } lines })
        {
            // After a reboot the tables are new, and the file is what there is.
            _bans.Read(lines, DateTimeOffset.UtcNow, notesOnly: _kernel.Filter is not null);
        }
        else if (!text.IsOk)
        {
            EventLog.Write("firewall.bansUnreadable", text.Fault);
        }
    }

    private void SaveBans()
    {
        string text = _bans.Write(DateTimeOffset.UtcNow);
        TextDigest all = default;
        all.Add(text);
        string digest = all.ToString();
        if (digest == _savedBans)
        {
            return;
        }

        if (_state.WriteFirewall(
            BanBook.FileName, Encoding.UTF8.GetBytes(text)) is { } fault)
        {
            TellOnce("firewall.bansNotKept", fault);
        }
        else
        {
            _savedBans = digest;
        }
    }
}
