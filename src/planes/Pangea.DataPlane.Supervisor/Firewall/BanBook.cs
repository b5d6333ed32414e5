using System.Globalization;
using System.Text;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Compiling;
using Pangea.DataPlane.Firewall.Image;
using Pangea.DataPlane.Firewall.Judging;
using Pangea.DataPlane.Firewall.Rules;
using Pangea.DataPlane.Linux.Bpf;
using Pangea.DataPlane.Xdp;

namespace Pangea.DataPlane.Supervisor.Firewall;

/// <summary>
/// The banned sources: in the program's tables where one is loaded, in the userspace filter's
/// otherwise. Beside them, for some of them, who banned and why. Times are those of the data path's
/// clock, which goes on over restarts but not over a reboot; files have the time of day.
/// </summary>
internal sealed class BanBook
{
    /// <summary>In the state directory.</summary>
    public const string FileName = "firewall.bans";

    /// <summary>Bans that the file holds; with notes first.</summary>
    public const int SavedMax = 100_000;

    private const ulong Forever = ulong.MaxValue;
    private const int NotesMax = 16_384;
    private const int CommentCharsMax = 200;

    private readonly UserspaceFilter _own;
    private readonly Dictionary<IpPrefix, BanNote> _notes = [];
    private readonly int _max;
    private XdpFilter? _filter;

    public BanBook(int max)
    {
        _max = max;
        Result<CompiledPolicy> nothing = PolicyCompiler.Compile(
            RuleSet.Empty, new CompileOptions { Now = DateTimeOffset.UnixEpoch });
        _own = new UserspaceFilter(nothing.Value, sourceStates: 64);
    }

    /// <summary>Bans of rules that found no room.</summary>
    public long Refused => (long)(_filter?.BansRefused ?? 0);

    /// <summary>The data path's clock.</summary>
    public ulong NowNs => _filter?.NowNs() is { IsOk: true } now ? now.Value : KernelClock.BootNs;

    /// <summary>Finds the bans in the tables of a program that an earlier process left.</summary>
    public void Resume(XdpFilter filter) => _filter = filter;

    /// <summary>
    /// From now on bans are in that program's tables, with those that there were; null: in none.
    /// Programs that follow each other share their tables.
    /// </summary>
    public void Use(XdpFilter? filter)
    {
        if (_filter is null != filter is null)
        {
            List<(IpPrefix Source, ulong ExpiryNs)> all = [.. List()];
            _filter = filter;
            foreach ((IpPrefix source, ulong expiryNs) in all)
            {
                _ = Put(source, expiryNs);
            }

            foreach ((IpPrefix source, _) in filter is null ? [] : _own.Bans().ToList())
            {
                _own.Unban(source);
            }
        }

        _filter = filter;
        filter?.Bans6.Note();
    }

    /// <summary>Bans a source, or changes the end and the note of its ban.</summary>
    /// <param name="source">An address, or a /64 of IPv6.</param>
    /// <param name="duration">From now on; null: until it is taken back.</param>
    /// <param name="note">Who and why.</param>
    public Result Add(IpPrefix source, TimeSpan? duration, BanNote note)
    {
        if (source.Bits != source.AddressBits && !(source.IsV6 && source.Bits == 64))
        {
            return Fault.InvalidParameter(
                "address",
                $"{source} is neither an address nor a /64 of IPv6",
                "deny another prefix by a rule");
        }

        Result put = Put(source, ExpiryOf(duration));
        if (put.IsOk && (_notes.Count < NotesMax || _notes.ContainsKey(source)))
        {
            _notes[source] = note with { Comment = Cut(note.Comment) };
        }

        return put;
    }

    /// <summary>False where there was none.</summary>
    public bool Remove(IpPrefix source)
    {
        _notes.Remove(source);
        if (_filter is null)
        {
            return _own.Unban(source);
        }

        return source.IsV6
            ? KeyOf(source) is { } key && _filter.Bans6.Remove(key)
            : _filter.Bans4.Remove(V4(source), NowNs);
    }

    /// <summary>Ends all; returns how many.</summary>
    public int Clear()
    {
        List<IpPrefix> all = [.. List().Select(each => each.Source)];
        return all.Count(Remove);
    }

    /// <summary>Whether packets of this address drop now.</summary>
    public bool Contains(IpPrefix address)
    {
        ulong now = NowNs;
        if (_filter is null)
        {
            return _own.Bans().Any(each => each.ExpiryNs > now && each.Source.Contains(address));
        }

        return address.IsV6
            ? _filter.Bans6.ExpiryNs(KeyOf(address)!.Value) > now
                || _filter.Bans6.ExpiryNs(KeyOf(Net64(address))!.Value) > now
            : _filter.Bans4.Contains(V4(address), now);
    }

    /// <summary>All that have not ended, in no order.</summary>
    public IEnumerable<(IpPrefix Source, ulong ExpiryNs)> List()
    {
        ulong now = NowNs;
        if (_filter is null)
        {
            return _own.Bans().Where(each => each.ExpiryNs > now);
        }

        return _filter.Bans4.List(now)
            .Select(each => (IpPrefix.V4(each.Address, 32), each.ExpiryNs))
            .Concat(_filter.Bans6.List()
                .Where(each => each.ExpiryNs > now)
                .Select(each => (PrefixOf(each.Key), each.ExpiryNs)));
    }

    /// <summary>When a ban ends by the time of day; null: never.</summary>
    public DateTime? EndOf(ulong expiryNs, ulong nowNs, DateTimeOffset now) =>
        expiryNs == Forever
            ? null
            : now.UtcDateTime.AddTicks((long)Math.Min(
                (expiryNs - Math.Min(expiryNs, nowNs)) / 100, long.MaxValue / 1000));

    /// <summary>Null where nothing is known; then a rule banned it, or its note was given up.
    /// </summary>
    public BanNote? NoteOf(IpPrefix source) =>
        _notes.TryGetValue(source, out BanNote note) ? note : null;

    /// <summary>
    /// Takes out what has ended; returns how many bans there are. For a moment without packets to
    /// judge, though none of them is missed.
    /// </summary>
    public int Sweep()
    {
        ulong now = NowNs;
        if (_filter is null)
        {
            _own.ExpireBans(now);
        }
        else
        {
            _filter.Bans6.Sweep(now);
            _filter.Bans4.RebuildFilter(now);
        }

        HashSet<IpPrefix> left = [];
        int count = 0;
        foreach ((IpPrefix source, _) in List())
        {
            count++;
            if (_notes.ContainsKey(source))
            {
                left.Add(source);
            }
        }

        foreach (IpPrefix source in _notes.Keys.Where(each => !left.Contains(each)).ToList())
        {
            _notes.Remove(source);
        }

        return count;
    }

    /// <summary>
    /// The bans as lines <c>SOURCE END ORIGIN COMMENT</c>, END in seconds of Unix time or
    /// <c>never</c>.
    /// </summary>
    public string Write(DateTimeOffset now)
    {
        ulong nowNs = NowNs;
        StringBuilder text = new();
        int count = 0;
        void Add(IpPrefix source, ulong expiryNs, BanNote? note)
        {
            string end = EndOf(expiryNs, nowNs, now) is { } time
                ? new DateTimeOffset(time).ToUnixTimeSeconds().ToString(
                    CultureInfo.InvariantCulture)
                : "never";
            text.Append(CultureInfo.InvariantCulture, $"{source} {end} {note?.Origin ?? "-"}");
            text.Append(note?.Comment is { } comment ? $" {comment}\n" : "\n");
            count++;
        }

        List<(IpPrefix Source, ulong ExpiryNs)> all = [.. List()];
        foreach ((IpPrefix source, ulong expiryNs) in all)
        {
            if (NoteOf(source) is { } note)
            {
                Add(source, expiryNs, note);
            }
        }

        foreach ((IpPrefix source, ulong expiryNs) in all)
        {
            if (count < SavedMax && NoteOf(source) is null)
            {
                Add(source, expiryNs, null);
            }
        }

        return text.ToString();
    }

    /// <summary>Takes over what <see cref="Write"/> wrote; other lines are left out.</summary>
    /// <param name="text">Of the file.</param>
    /// <param name="now">The present moment.</param>
    /// <param name="notesOnly">The bans themselves are in the program's tables.</param>
    public void Read(string text, DateTimeOffset now, bool notesOnly)
    {
        foreach (string line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] parts = line.Split(' ', 4);
            if (parts.Length < 3 || !IpPrefix.TryParse(parts[0], out IpPrefix source, out _))
            {
                continue;
            }

            TimeSpan? left = null;
            if (long.TryParse(parts[1], CultureInfo.InvariantCulture, out long end))
            {
                left = TimeSpan.FromSeconds(end - now.ToUnixTimeSeconds());
            }

            if (left <= TimeSpan.Zero)
            {
                continue;
            }

            if (!notesOnly)
            {
                _ = Put(source, ExpiryOf(left));
            }

            if (parts[2] != "-" && _notes.Count < NotesMax)
            {
                _notes[source] = new BanNote(parts[2], parts.Length == 4 ? parts[3] : null);
            }
        }
    }

    private ulong ExpiryOf(TimeSpan? duration)
    {
        if (duration is not { } time)
        {
            return Forever;
        }

        decimal end = NowNs + ((decimal)time.Ticks * 100);
        return end >= Forever ? Forever : (ulong)end;
    }

    private Result Put(IpPrefix source, ulong expiryNs)
    {
        if (_filter is null)
        {
            return _own.BanCount < _max
                ? _own.Ban(source, expiryNs)
                : new Fault(
                    FaultCode.NoSpace,
                    $"{_max} sources are banned, which is all there is room for",
                    "raise firewall.bansMax, or deny a prefix by a rule");
        }

        Result put = source.IsV6
            ? _filter.Bans6.Add(new Ban6(KeyOf(source)!.Value, expiryNs))
            : _filter.Bans4.Add(new Ban4(V4(source), expiryNs), NowNs);
        return put.IsOk
            ? put
            : put.Fault with { Hint = "raise firewall.bansMax, or deny a prefix by a rule" };
    }

    /// <summary>One line, and not too long.</summary>
    private static string? Cut(string? comment) => string.IsNullOrWhiteSpace(comment)
        ? null
        : new string([.. comment.Take(CommentCharsMax).Select(c => char.IsControl(c) ? ' ' : c)]);

    private static uint V4(IpPrefix source) => (uint)(source.Top >> 96);

    private static IpPrefix Net64(IpPrefix source) =>
        IpPrefix.V6(source.Top & IpPrefix.Mask(64), 64);

    private static BanKey6? KeyOf(IpPrefix source) => source.Bits switch
    {
        128 => new BanKey6 { High = (ulong)(source.Top >> 64), Low = (ulong)source.Top },
        64 => new BanKey6 { High = (ulong)(source.Top >> 64), Low = ulong.MaxValue },
        _ => null,
    };

    private static IpPrefix PrefixOf(BanKey6 key) => key.Low == ulong.MaxValue
        ? IpPrefix.V6(new UInt128(key.High, 0), 64)
        : IpPrefix.V6(new UInt128(key.High, key.Low), 128);
}
