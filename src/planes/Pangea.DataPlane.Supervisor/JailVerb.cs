using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Supervisor;

/// <summary>
/// <c>pangea jail --user U --cores LIST --node N --places P -- worker ...</c>: gives up
/// privilege, then executes this very program again with what follows the two dashes. Started by
/// the supervisor only, with P descriptors of places that the worker may use.
/// </summary>
public static class JailVerb
{
    internal const string Verb = "jail";
    internal const string UserOption = "--user";
    private const int UsageExit = 2;
    private const int FailedExit = 1;
    private const string PrivateRoot = "/tmp";
    private const string ApplicationName = "pangea";
    private const string RuntimeName = "dotnet";

    /// <summary>Returns only on failure.</summary>
    public static int Run(string[] arguments)
    {
        Result<(JailOptions Options, string[] Command)> parsed = Parse(arguments);
        if (!parsed.IsOk)
        {
            EventLog.Write("jail.refused", parsed.Fault);
            return UsageExit;
        }

        ApplicationFiles real = ApplicationFiles.Current;
        Result<IReadOnlyList<string>> entered = Jail.Enter(
            parsed.Value.Options with { PrivateRoot = PrivateRoot, Bindings = Bindings(real) });
        if (!entered.IsOk)
        {
            EventLog.Write("jail.failed", entered.Fault);
            return FailedExit;
        }

        foreach (string waived in entered.Value)
        {
            EventLog.Write("jail.waived", ("what", waived));
        }

        // Below the private root where the bindings were made, at the real place otherwise.
        ApplicationFiles inside = Below(PrivateRoot, real);
        ApplicationFiles files = Jail.CanExecute(inside.Program) ? inside : real;
        Fault fault = Jail.Execute(
            files.Program,
            [.. files.LeadingArguments, .. parsed.Value.Command],
            files.Environment());
        EventLog.Write("jail.failed", fault with
        {
            Hint =
                $"user {parsed.Value.Options.User} needs a way to {files.Program}; "
                + "install it below /usr/lib",
        });
        return FailedExit;
    }

    /// <summary>Where the bindings of these files are below a private root.</summary>
    internal static ApplicationFiles Below(string root, ApplicationFiles files) => new(
        Path.Combine(root, ApplicationName),
        files.RuntimeRoot is null ? null : Path.Combine(root, RuntimeName));

    /// <summary>What the program needs at a place that any user reaches.</summary>
    internal static Dictionary<string, string> Bindings(ApplicationFiles files)
    {
        Dictionary<string, string> bindings =
            new() { [ApplicationName] = files.ApplicationDirectory };
        if (files.RuntimeRoot is not null)
        {
            bindings[RuntimeName] = files.RuntimeRoot;
        }

        return bindings;
    }

    private static Result<(JailOptions Options, string[] Command)> Parse(string[] arguments)
    {
        int end = Array.IndexOf(arguments, "--");
        if (end < 0 || end == arguments.Length - 1)
        {
            return Fault.InvalidParameter(
                "--", "nothing to execute", "end the options with -- and a verb");
        }

        UserAccount? user = null;
        IReadOnlyList<int> cores = [];
        int? node = null;
        int places = 0;
        for (int i = 0; i + 1 < end; i += 2)
        {
            string value = arguments[i + 1];
            switch (arguments[i])
            {
                case UserOption:
                    Result<UserAccount> found = UserAccount.Find(value);
                    if (!found.IsOk)
                    {
                        return found.Fault;
                    }

                    user = found.Value;
                    break;
                case WorkerVerb.CoresOption when CoreList.Read(value) is { IsOk: true } read:
                    cores = read.Value;
                    break;
                case WorkerVerb.NodeOption when int.TryParse(value, out int number):
                    node = number;
                    break;
                case WorkerVerb.PlacesOption when int.TryParse(value, out int number):
                    places = number;
                    break;
                default:
                    return Fault.InvalidParameter(
                        arguments[i], $"unknown option {arguments[i]} {value}");
            }
        }

        if (end % 2 != 0 || cores.Count == 0)
        {
            return Fault.InvalidParameter(
                WorkerVerb.CoresOption, "--cores is needed, with a list such as 0,2-3");
        }

        var options = new JailOptions
        {
            User = user,
            Cores = cores,
            MemoryNode = node,
            Places = [.. Enumerable.Range(WorkerVerb.FirstPlaceFd, Math.Max(places, 0))],
        };
        return (options, arguments[(end + 1)..]);
    }
}
