using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Supervisor.Configuration;

/// <summary>Which cores somebody wants for a role.</summary>
/// <param name="Cores">Ascending; null leaves the choice to the topology.</param>
/// <param name="Place">Where that was said: "FILE:LINE:COLUMN" or a flag.</param>
public sealed record CoreRequest(IReadOnlyList<int>? Cores, string Place)
{
    private const string Auto = "auto";

    /// <summary>Reads "auto", "3" or "2-3,6".</summary>
    public static Result<CoreRequest> Parse(string text, string place)
    {
        if (text == Auto)
        {
            return new CoreRequest(null, place);
        }

        Result<IReadOnlyList<int>> cores = CoreList.Read(text);
        return cores.IsOk ? new CoreRequest(cores.Value, place) : cores.Fault;
    }
}
