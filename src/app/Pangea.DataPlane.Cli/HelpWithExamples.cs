using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace Pangea.DataPlane.Cli;

/// <summary>The usual help, followed by lines to type.</summary>
internal sealed class HelpWithExamples(HelpAction usual) : SynchronousCommandLineAction
{
    public override bool ClearsParseErrors => true;

    public override int Invoke(ParseResult parseResult)
    {
        int result = usual.Invoke(parseResult);
        TextWriter output = parseResult.InvocationConfiguration.Output;
        if (parseResult.CommandResult.Command is Verb { Examples.Length: > 0 } verb)
        {
            output.WriteLine("Examples:");
            foreach (string example in verb.Examples)
            {
                output.WriteLine("  " + example);
            }

            output.WriteLine();
        }

        return result;
    }
}
