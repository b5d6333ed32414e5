using System.Text;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Control.Schema;

/// <summary>
/// Writes docs/RPC.md from the method table. A test compares the file with what this writes, so the
/// document cannot fall behind.
/// </summary>
public static class RpcReference
{
    private const string Introduction =
        """
        # The control protocol

        <!-- Written from the method table by RpcReference.cs. To change it, change the table,
             then run the tests of Control with PANGEA_GOLDEN=write. -->

        JSON-RPC 2.0 over a Unix stream socket, by default `{address}` (see [cli.md](cli.md) for
        the tool that speaks it). One JSON text per line, UTF-8, ended by a line feed, at most
        {line} bytes with it. Protocol version {protocol}.

        - **Parameters are named** (`"params":{...}`); positional ones, unknown ones and members
          named twice are refused with `invalidParameters` or `parseError`, and `data.field` says
          which.
        - **Batches are refused**: send one call per line. Calls of one connection run side by
          side, at most {calls} of them; replies come in the order in which they are ready, so
          look at the `id`.
        - **An `id`** is a string, a number or null of at most {id} bytes as written and comes
          back as it was written. Without an `id` there is no reply.
        - **A line over the limit** is answered with `invalidRequest` and a null `id`; the
          connection is closed.
        - **A client that does not read** its replies is closed once {queue} MiB wait for it.
        - **Leaving withdraws**: when a client closes its connection, its calls are ended; an
          unfinished `object.put` leaves nothing behind. Ending only the sending side
          (`shutdown(2)`) does not withdraw.

        ## Descriptors

        Bulk bytes never travel inside JSON. A call that says so takes an open descriptor, passed
        with `SCM_RIGHTS` in **the `sendmsg` that begins the line**. Send such a line with one
        `sendmsg`; if the kernel takes only a part of it, send the rest without the descriptor. A
        descriptor nobody asked for is closed. In Python:

        ```python
        import json, socket
        s = socket.socket(socket.AF_UNIX); s.connect("{address}")
        call = {"jsonrpc": "2.0", "id": 1, "method": "object.put", "params": {"name": "x"}}
        with open("file", "rb") as f:
            socket.send_fds(s, [json.dumps(call).encode() + b"\n"], [f.fileno()])
        print(s.makefile().readline())
        ```

        ## Errors

        ```json
        {"code":-32001,"message":"no object 'x'",
         "data":{"name":"notFound","hint":"pangea ls lists the names","retryable":false}}
        ```

        `code` and `data.name` are stable and say the same. `message` is one sentence for people.
        `data.hint` is the next step, `data.field` the parameter at fault, `data.errno` the
        kernel's number; each is there where it applies. `data.retryable` says that the very same
        call may succeed later.

        | code | name | retryable |
        |---|---|---|

        """;

    /// <summary>The whole document.</summary>
    public static string Write()
    {
        var text = new StringBuilder(Introduction.ReplaceLineEndings("\n"));
        text.Replace("{address}", ControlAddress.Default)
            .Replace("{line}", Number(Limits.RpcLineBytesMax))
            .Replace("{protocol}", Number(RpcMethods.Protocol))
            .Replace("{calls}", Number(Limits.CallsPerConnectionMax))
            .Replace("{id}", Number(Wire.RpcIds.BytesMax))
            .Replace("{queue}", Number(Connection.RpcConnection.QueueBytesMax / 1024 / 1024));
        foreach (FaultCode code in Enum.GetValues<FaultCode>().OrderDescending())
        {
            bool retryable = new Fault(code, "").IsRetryable;
            text.Append(
                $"| {(int)code} | `{Wire.RpcErrors.Name(code)}` | {(retryable ? "yes" : "")} |\n");
        }

        text.Append("\n## Methods\n\n");
        foreach (RpcMethod method in RpcMethods.All)
        {
            text.Append(
                $"- [`{method.Name}`](#{method.Name.Replace(".", "")}): {method.Summary}\n");
        }

        foreach (RpcMethod method in RpcMethods.All)
        {
            WriteMethod(text, method);
        }

        WriteProgress(text);
        text.Append(
            """

            ## A worker's channel

            The supervisor speaks the same protocol with each worker over a socket pair. It
            forwards the `object.*`, `scrub.*`, `heal.*` and `catalog.*` calls unchanged but for
            their `id`, and calls these methods, which the public socket does not have.

            """.ReplaceLineEndings("\n"));
        foreach (RpcMethod method in WorkerMethods.Private)
        {
            WriteMethod(text, method);
        }

        return text.ToString();
    }

    private static void WriteMethod(StringBuilder text, RpcMethod method)
    {
        text.Append($"\n### {method.Name}\n\n{method.Summary}");
        text.Append(method.IsNotification ? " A notification: no reply.\n" : "\n");
        if (method.DescriptorDoc is not null)
        {
            string count = method.Descriptors == 1
                ? "Takes one descriptor"
                : method.IsPublic ? "May take a descriptor" : "Takes descriptors";
            text.Append($"\n{count}: {method.DescriptorDoc}.\n");
        }

        if (method.Parameters.Count > 0)
        {
            text.Append("\n| parameter | type | required | |\n|---|---|---|---|\n");
            WriteRows(text, method.Parameters, "");
        }

        if (method.Result.Count > 0)
        {
            text.Append("\n| result | type | always | |\n|---|---|---|---|\n");
            WriteRows(text, method.Result, "");
        }

        if (method.Errors.Count > 0)
        {
            string errors = string.Join(
                ", ", method.Errors.Select(e => $"`{Wire.RpcErrors.Name(e)}`"));
            text.Append($"\nErrors: {errors}.\n");
        }

        if (method.Parameters.Count > 0 && method.IsPublic)
        {
            text.Append($"\nExample: `{method.Example}`\n");
        }
    }

    private static void WriteRows(StringBuilder text, IReadOnlyList<RpcField> fields, string path)
    {
        foreach (RpcField field in fields)
        {
            string mark = field.Type == RpcType.RecordList ? "[]" : "";
            text.Append(
                $"| `{path}{field.Name}{mark}` | {TypeOf(field)} | " +
                $"{(field.Required ? "yes" : "no")} | {field.Doc} |\n");
            WriteRows(text, field.Fields, $"{path}{field.Name}{mark}.");
        }
    }

    private static void WriteProgress(StringBuilder text) => text.Append(
        $$"""

        ### {{WorkerMethods.Progress}}

        A notification to the caller of a transfer that asked for it with `progress`, at most 10 a
        second.

        | parameter | type | required | |
        |---|---|---|---|
        | `id` | as the call's | yes | `id` of the call |
        | `bytes` | integer | yes | bytes moved so far |
        | `bytesTotal` | integer or null | yes | bytes in all, null where that is not known |

        """.ReplaceLineEndings("\n"));

    private static string TypeOf(RpcField field)
    {
        string type = field.Type switch
        {
            RpcType.Text when field.Values.Count > 0 =>
                string.Join(", ", field.Values.Select(v => $"`{v}`")),
            RpcType.Text => "string",
            RpcType.NameText => "object name",
            RpcType.Time => "time, RFC 3339",
            RpcType.Integer when field.Max != long.MaxValue =>
                $"integer, {field.Min} to {field.Max}",
            RpcType.Integer => "integer",
            RpcType.Flag => "boolean",
            RpcType.Record => "object",
            RpcType.RecordList => "array of objects",
            RpcType.TextList => "array of strings",
            _ => "any",
        };
        return field.Nullable ? type + " or null" : type;
    }

    private static string Number(int value) =>
        value.ToString("#,0", System.Globalization.CultureInfo.InvariantCulture);
}
