using Pangea.DataPlane.Control.Connection;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Control.Wire;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Supervisor.Firewall;

/// <summary>The methods <c>firewall.*</c>: which call goes where.</summary>
/// <param name="service">Null where the configuration has no section <c>firewall</c>.</param>
internal sealed class FirewallCalls(FirewallService? service)
{
    private static readonly Fault s_off = new(
        FaultCode.BadState,
        "the firewall is off: the configuration has no section \"firewall\"",
        "write \"firewall:\" with \"interfaces:\" into it and start the appliance anew");

    /// <summary>Answers a call; false where the method is not about the firewall.</summary>
    public bool TryAnswer(
        RpcConnection connection, RpcMessage message, RpcMethod method, DescriptorSet descriptors)
    {
        if (!method.Name.StartsWith("firewall.", StringComparison.Ordinal))
        {
            return false;
        }

        if (method == FirewallMethods.Status)
        {
            Answer(connection, message, FirewallMethods.Status, service?.Status() ?? Off());
        }
        else if (service is null)
        {
            connection.Answer(message, s_off);
        }
        else if (!TryAnswerRead(connection, message, method, service)
            && !TryAnswerRules(connection, message, method, service, descriptors))
        {
            TryAnswerOthers(connection, message, method, service);
        }

        return true;
    }

    private static bool TryAnswerRead(
        RpcConnection connection, RpcMessage message, RpcMethod method, FirewallService service)
    {
        if (method == FirewallMethods.Stats)
        {
            Answer(connection, message, FirewallMethods.Stats, service.Stats());
        }
        else if (method == FirewallRuleMethods.List)
        {
            Now(connection, message, FirewallRuleMethods.List, service.List);
        }
        else if (method == FirewallMethods.Bans)
        {
            Now(connection, message, FirewallMethods.Bans, service.Bans);
        }
        else if (method == FirewallMethods.Events)
        {
            Now(connection, message, FirewallMethods.Events, asked => service.Events(asked));
        }
        else if (method == FirewallMethods.Test)
        {
            Now(connection, message, FirewallMethods.Test, service.Test);
        }
        else if (method == FirewallMethods.Ban)
        {
            Now(connection, message, FirewallMethods.Ban, service.Ban);
        }
        else if (method == FirewallMethods.Unban)
        {
            Now(connection, message, FirewallMethods.Unban, service.Unban);
        }
        else
        {
            return false;
        }

        return true;
    }

    private static bool TryAnswerRules(
        RpcConnection connection,
        RpcMessage message,
        RpcMethod method,
        FirewallService service,
        DescriptorSet descriptors)
    {
        if (method == FirewallRuleMethods.Add)
        {
            Later(connection, message, FirewallRuleMethods.Add, service.AddAsync);
        }
        else if (method == FirewallRuleMethods.Remove)
        {
            Later(connection, message, FirewallRuleMethods.Remove, service.RemoveAsync);
        }
        else if (method == FirewallRuleMethods.Replace
            && Passed(connection, message, descriptors, out OwnedFd? source))
        {
            Later(connection, message, FirewallRuleMethods.Replace,
                asked => service.ReplaceAsync(asked, source));
        }
        else if (method == FirewallRuleMethods.Export
            && Passed(connection, message, descriptors, out OwnedFd? target))
        {
            Later(connection, message, FirewallRuleMethods.Export,
                _ => service.ExportAsync(target));
        }
        else if (method == FirewallRuleMethods.Confirm)
        {
            Later(connection, message, FirewallRuleMethods.Confirm, _ => service.ConfirmAsync());
        }
        else if (method == FirewallRuleMethods.Rollback)
        {
            Later(connection, message, FirewallRuleMethods.Rollback, _ => service.RollbackAsync());
        }
        else
        {
            return method == FirewallRuleMethods.Replace || method == FirewallRuleMethods.Export;
        }

        return true;
    }

    private static void TryAnswerOthers(
        RpcConnection connection, RpcMessage message, RpcMethod method, FirewallService service)
    {
        if (method == FirewallMethods.Attach)
        {
            Later(connection, message, FirewallMethods.Attach, service.AttachAsync);
        }
        else if (method == FirewallMethods.Detach)
        {
            Later(connection, message, FirewallMethods.Detach, service.DetachAsync);
        }
        else
        {
            connection.Answer(
                message, new Fault(FaultCode.Internal, $"{method.Name} has no handler"));
        }
    }

    /// <summary>The one descriptor that may come along; answers where there are more.</summary>
    private static bool Passed(
        RpcConnection connection,
        RpcMessage message,
        DescriptorSet descriptors,
        out OwnedFd? passed)
    {
        OwnedFd[] all = descriptors.TakeAll();
        passed = all is [{ } one] ? one : null;
        if (all.Length <= 1)
        {
            return true;
        }

        Array.ForEach(all, each => each.Dispose());
        connection.Answer(message, new Fault(
            FaultCode.BadDescriptor, $"{all.Length} descriptors came, at most one is taken"));
        return false;
    }

    private static void Now<TParameters, TResult>(
        RpcConnection connection,
        RpcMessage message,
        RpcMethod<TParameters, TResult> method,
        Func<TParameters, Result<TResult>> handle)
    {
        Result<TParameters> asked = RpcParameters.Read(method, message);
        Answer(connection, message, method, asked.IsOk ? handle(asked.Value) : asked.Fault);
    }

    private static async void Later<TParameters, TResult>(
        RpcConnection connection,
        RpcMessage message,
        RpcMethod<TParameters, TResult> method,
        Func<TParameters, ValueTask<Result<TResult>>> handle)
    {
        Result<TParameters> asked = RpcParameters.Read(method, message);
        Answer(
            connection, message, method, asked.IsOk ? await handle(asked.Value) : asked.Fault);
    }

    private static void Answer<TParameters, TResult>(
        RpcConnection connection,
        RpcMessage message,
        RpcMethod<TParameters, TResult> method,
        Result<TResult> result)
    {
        if (result.IsOk)
        {
            connection.Answer(RpcWriter.Result(message.Id.Span, method, result.Value));
        }
        else
        {
            connection.Answer(message, result.Fault);
        }
    }

    private static FirewallStatusResult Off() => new()
    {
        Enabled = false,
        Reason = $"{s_off.Message}; {s_off.Hint}",
        Interfaces = [],
        Generation = 0,
        Rules = 0,
        Prefixes = 0,
        RulesFrom = "none",
        Default = "allow",
        Monitor = false,
        Bans = 0,
        BansMax = 0,
        ImageBytes = 0,
        Warnings = [],
    };
}
