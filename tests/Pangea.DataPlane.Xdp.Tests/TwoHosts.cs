using System.Net;
using System.Net.Sockets;
using System.Text.Json;

namespace Pangea.DataPlane.Xdp.Tests;

/// <summary>
/// A guarded host and another one, each in namespaces of its own, joined by a veth with IPv4 and
/// IPv6 addresses.
/// </summary>
internal sealed class TwoHosts : IDisposable
{
    internal static readonly IPAddress Guarded4 = IPAddress.Parse("192.0.2.1");
    internal static readonly IPAddress Guarded6 = IPAddress.Parse("2001:db8::1");
    internal static readonly IPAddress Other4 = IPAddress.Parse("192.0.2.2");

    private const int ReceiveMilliseconds = 2000;
    private const int SilenceMilliseconds = 150;

    /// <param name="isSilent">No addresses, and nothing but what a test sends.</param>
    internal TwoHosts(bool isSilent = false)
    {
        Guarded = new NamespaceThread();
        Other = new NamespaceThread();
        Skip.If(Guarded.Refusal is not null, Guarded.Refusal);
        Pins = Directory.CreateTempSubdirectory("pangea-pins-").FullName;
        Guarded.Run(() =>
        {
            NamespaceThread.Command("mount", "-t", "bpf", "bpf", Pins);
            NamespaceThread.Command(
                "ip", "link", "add", "guard", "type", "veth", "peer", "name", "other",
                "netns", $"{Other.ThreadId}");
            Begin("guard", isSilent ? [] : ["192.0.2.1/24", "2001:db8::1/64"]);
        });
        Other.Run(() => Begin("other", isSilent ? [] : ["192.0.2.2/24", "2001:db8::2/64"]));
        Ifindex = Guarded.Run(() => IndexOf("guard"));
    }

    internal NamespaceThread Guarded { get; }

    internal NamespaceThread Other { get; }

    internal int Ifindex { get; }

    /// <summary>A BPF file system that only the guarded thread sees.</summary>
    internal string Pins { get; }

    /// <summary>A UDP socket of the guarded host.</summary>
    internal Socket Listen(IPAddress address, int port) => Guarded.Run(() =>
    {
        Socket socket = new(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(new IPEndPoint(address, port));
        return socket;
    });

    /// <summary>Whether a datagram from the other host arrives at the socket.</summary>
    internal bool Arrives(Socket listener)
    {
        IPEndPoint to = (IPEndPoint)listener.LocalEndPoint!;
        using Socket sender = Other.Run(() =>
            new Socket(to.AddressFamily, SocketType.Dgram, ProtocolType.Udp));

        // Earlier ones may have waited for the address to be resolved and come only now.
        while (listener.Poll(TimeSpan.Zero, SelectMode.SelectRead))
        {
            listener.Receive(new byte[16]);
        }

        sender.SendTo([1, 2, 3], to);

        // A datagram that does not come is only known by waiting; the first one of a test waits for
        // the address to be resolved.
        bool arrived = listener.Poll(
            TimeSpan.FromMilliseconds(SilenceMilliseconds), SelectMode.SelectRead);
        if (arrived)
        {
            Assert.Equal(3, listener.Receive(new byte[16]));
        }

        return arrived;
    }

    /// <summary>Sends until one arrives; for the beginning, while the link comes up.</summary>
    internal void Await(Socket listener)
    {
        for (int i = 0; i < ReceiveMilliseconds / SilenceMilliseconds; i++)
        {
            if (Arrives(listener) && Arrives(listener))
            {
                return;
            }
        }

        Assert.Fail($"nothing arrives at {listener.LocalEndPoint}");
    }

    /// <summary>Sends datagrams to a port of the guarded host; returns how many.</summary>
    internal long Flood(int port, CancellationToken end)
    {
        using Socket sender = Other.Run(
            () => new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp));
        IPEndPoint to = new(Guarded4, port);
        long sent = 0;
        while (!end.IsCancellationRequested)
        {
            sender.SendTo([1], to);
            sent++;
        }

        return sent;
    }

    /// <summary>Datagrams that the link had no room for.</summary>
    internal long Lost() => Other.Run(() =>
    {
        using JsonDocument document = JsonDocument.Parse(
            NamespaceThread.Command("ip", "-j", "-s", "link", "show", "other"));
        return document.RootElement[0].GetProperty("stats64").GetProperty("tx")
            .GetProperty("dropped").GetInt64();
    });

    public void Dispose()
    {
        Guarded.Dispose();
        Other.Dispose();
        Directory.Delete(Pins);
    }

    /// <summary>The number of an interface of the calling thread's network.</summary>
    internal static int IndexOf(string link) => (int)if_nametoindex(link);

    private static void Begin(string link, string[] addresses)
    {
        if (addresses.Length == 0)
        {
            // Else the kernel looks for routers and tells which groups it listens to.
            File.WriteAllText($"/proc/sys/net/ipv6/conf/{link}/disable_ipv6", "1");
        }

        foreach (string address in addresses)
        {
            string[] last = address.Contains(':', StringComparison.Ordinal) ? ["nodad"] : [];
            NamespaceThread.Command(
                "ip", ["address", "add", address, "dev", link, .. last]);
        }

        NamespaceThread.Command("ip", "link", "set", link, "up");
    }

    [System.Runtime.InteropServices.DllImport("libc")]
    private static extern uint if_nametoindex(
        [System.Runtime.InteropServices.MarshalAs(
            System.Runtime.InteropServices.UnmanagedType.LPUTF8Str)]
        string name);
}
