using Pangea.DataPlane.Benchmarks.Frame;
using Pangea.DataPlane.Benchmarks.Storage;

// One door for every benchmark: pangea-bench AREA [--quick] [--json] [--filter TEXT].
// Usually started by ./bench, which builds and installs the rivals first.
const int ExitUsage = 2;

// A storage service that the area fills and kills.
if (args is [EngineChild.Word, _, _])
{
    return EngineChild.Run(args[1], long.Parse(args[2]));
}

string? areaName = null;
bool quick = false;
bool json = false;
string? filter = null;
for (int i = 0; i < args.Length; i++)
{
    switch (args[i])
    {
        case "--quick":
            quick = true;
            break;
        case "--json":
            json = true;
            break;
        case "--filter" when i + 1 < args.Length:
            filter = args[++i];
            break;
        case "--help" or "-h":
            PrintUsage(Console.Out);
            return 0;
        case string word when areaName is null && !word.StartsWith('-'):
            areaName = word;
            break;
        default:
            Console.Error.WriteLine($"unknown or incomplete argument: {args[i]}");
            PrintUsage(Console.Error);
            return ExitUsage;
    }
}

if (areaName is null or "list")
{
    PrintUsage(areaName is null ? Console.Error : Console.Out);
    return areaName is null ? ExitUsage : 0;
}

if (BenchAreas.Find(areaName) is not IBenchArea area)
{
    Console.Error.WriteLine($"there is no area '{areaName}'");
    PrintUsage(Console.Error);
    return ExitUsage;
}

BenchOptions options = new(quick, json, filter);
BenchPrinter printer = new(Console.Out, area.Name, json);
foreach (BenchRow row in area.Run(options))
{
    printer.Write(row);
}

printer.Finish();
if (printer.Rows == 0)
{
    Console.Error.WriteLine($"no case of '{area.Name}' contains '{filter}'");
    return ExitUsage;
}

return 0;

static void PrintUsage(TextWriter output)
{
    output.WriteLine("usage: ./bench AREA [--quick] [--json] [--filter TEXT]");
    output.WriteLine();
    output.WriteLine("areas:");
    foreach (IBenchArea area in BenchAreas.All)
    {
        output.WriteLine($"  {area.Name,-12} {area.Summary}");
    }
}
