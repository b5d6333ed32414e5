using System.Net;
using System.Net.Sockets;
using Pangea.DataPlane.Control.Connection;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Xdp.Tests;

namespace Pangea.DataPlane.Appliance.Tests;

/// <summary>
/// An appliance with a firewall on a host of its own, and another host that sends to it: real
/// processes started as root, real sockets, a BPF file system that nobody else sees.
/// </summary>
internal sealed class GuardedAppliance : IDisposable
{
    public const int OpenPort = 4009;
    public const int ClosedPort = 4007;
    public const string Rules = $"""
        default deny
        allow udp port 4009 name open
        """;

    public GuardedAppliance(string section = "interfaces: { guard: auto }", string? rules = Rules)
    {
        Skip.IfNot(UserAccount.IsRoot, "needs root: namespaces and BPF");
        Hosts = new TwoHosts();
        Hosts.Guarded.Run(() =>
        {
            NamespaceThread.Command("mount", "-t", "bpf", "bpf", "/sys/fs/bpf");
        });
        Appliance = Appliance.Create(
            ["--config", "pangea.yaml", "--redundancy", "2+1"]);

        // The appliance's user reads the file of rules.
        File.SetUnixFileMode(
            Appliance.Directory,
            UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
                | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
        ConfigurationPath = Path.Combine(Appliance.Directory, "pangea.yaml");
        RulesPath = Path.Combine(Appliance.Directory, "rules");
        Appliance.Wrapper = Enter();
        Configure(section);
        if (rules is not null)
        {
            File.WriteAllText(RulesPath, rules);
        }
    }

    public Appliance Appliance { get; }

    public TwoHosts Hosts { get; }

    public string ConfigurationPath { get; }

    public string RulesPath { get; }

    /// <summary>Starts a program in the guarded host.</summary>
    public string[] Enter(params string[] more) =>
    [
        "/usr/bin/nsenter", "--target", $"{Hosts.Guarded.ThreadId}", "--net", "--mount",
        $"--wd={Appliance.Directory}", "--", .. more,
    ];

    /// <summary>Writes the section; it names the file of rules.</summary>
    public void Configure(string section) => File.WriteAllText(
        ConfigurationPath, $"firewall:\n  rules: rules\n  {section.Replace("\n", "\n  ")}\n");

    public GuardedAppliance Start()
    {
        Appliance.StartSupervisor();
        Appliance.WaitUntilReady();
        return this;
    }

    public TResult Call<TParameters, TResult>(
        RpcMethod<TParameters, TResult> method, TParameters parameters)
    {
        Result<TResult> result = TryCall(method, parameters);
        Assert.True(result.IsOk, $"{method.Name}: {result.Fault}\n{Appliance.Log}");
        return result.Value;
    }

    public Result<TResult> TryCall<TParameters, TResult>(
        RpcMethod<TParameters, TResult> method, TParameters parameters)
    {
        using RpcClient client = Appliance.Connect();
        return client.Call(method, parameters);
    }

    public FirewallStatusResult Status() => Call(FirewallMethods.Status, Nothing.Value);

    public FirewallInterface Interface(string name = "guard") =>
        Status().Interfaces.Single(each => each.Name == name);

    /// <summary>Packets that the default dropped so far.</summary>
    public long Dropped() => Call(FirewallMethods.Stats, Nothing.Value).Reasons
        .Single(each => each.Reason == "default").DroppedPackets;

    public Socket Listen(int port) => Hosts.Listen(TwoHosts.Guarded4, port);

    /// <summary>Sends to both ports without pause until it is stopped.</summary>
    public Flood StartFlood() => new(Hosts);

    /// <summary>Whether anything of the filter is left in the guarded host.</summary>
    public bool IsAttached() => Hosts.Guarded.Run(
        () => Output("ip", "-details", "link", "show", "guard").Contains("prog/xdp"));

    public bool HasPins() => Hosts.Guarded.Run(() => Directory.Exists("/sys/fs/bpf/pangea"));

    public static string Output(string program, params string[] arguments)
    {
        var start = new System.Diagnostics.ProcessStartInfo(program, arguments)
        {
            RedirectStandardOutput = true,
        };
        using System.Diagnostics.Process process = System.Diagnostics.Process.Start(start)!;
        string text = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return text;
    }

    public void Dispose()
    {
        Appliance.Dispose();
        Hosts.Guarded.Run(() => NamespaceThread.Command("umount", "/sys/fs/bpf"));
        Hosts.Dispose();
    }
}

/// <summary>Datagrams to the open and to the closed port, as fast as the sender gets.</summary>
internal sealed class Flood : IDisposable
{
    private readonly CancellationTokenSource _ending = new();
    private readonly Task _task;
    private long _sent;

    public Flood(TwoHosts hosts)
    {
        Socket sender = hosts.Other.Run(() =>
            new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp));
        _task = Task.Run(() =>
        {
            using Socket owned = sender;
            var open = new IPEndPoint(TwoHosts.Guarded4, GuardedAppliance.OpenPort);
            var closed = new IPEndPoint(TwoHosts.Guarded4, GuardedAppliance.ClosedPort);
            byte[] payload = new byte[64];
            while (!_ending.IsCancellationRequested)
            {
                Try(sender, payload, open);
                Try(sender, payload, closed);
                Interlocked.Increment(ref _sent);
                if (_sent % 64 == 0)
                {
                    Thread.Sleep(1); // The appliance starts on the same two cores.
                }
            }
        });
    }

    public long Sent => Interlocked.Read(ref _sent);

    public void Dispose()
    {
        _ending.Cancel();
        _task.Wait();
        _ending.Dispose();
    }

    private static void Try(Socket sender, byte[] payload, IPEndPoint to)
    {
        try
        {
            sender.SendTo(payload, to);
        }
        catch (SocketException)
        {
            // The other side's ICMP answer or a full queue: the next one counts.
        }
    }
}
