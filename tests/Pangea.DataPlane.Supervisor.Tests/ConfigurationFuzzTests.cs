using Pangea.DataPlane.Core;
using Pangea.DataPlane.Supervisor.Configuration;

namespace Pangea.DataPlane.Supervisor.Tests;

/// <summary>
/// Goal: whatever the file holds, reading it ends with values or with a fault, never with an
/// exception. Method: fragments of YAML and of our own keys, put together by a seeded random
/// source.
/// </summary>
public sealed class ConfigurationFuzzTests
{
    private static readonly string[] s_fragments =
    [
        "state", "storage", "devices", "workers", "core", "scrub", "heal", "compaction",
        "bytesPerSecond", "targetShards", "criticalShards", "64MiB", " TiB", "durability",
        "redundancy", "8+4", "stripeBytes",
        ":", ": ", "\n", "\n  ", "\n    ", "- ", "[", "]", "{", "}", ",", "\"", "'",
        "&a ", "*a", "*b", "!!int ", "!tag ", "|", ">", "|2\n", "%YAML 1.1\n", "---\n",
        "...\n", "? ", "# ", "\t", "\u0000", "\u0085", "\ud800", "~", "null", "1", "-1",
        "99999999999999999999", "<<: ", "\\x", "@", "`",
    ];

    [Fact]
    public void No_text_makes_the_reader_throw()
    {
        int seed = Environment.TickCount;
        var random = new Random(seed);
        for (int i = 0; i < 50_000; i++)
        {
            string text = string.Concat(
                Enumerable.Range(0, random.Next(1, 24))
                    .Select(_ => s_fragments[random.Next(s_fragments.Length)]));
            Exception? thrown = Record.Exception(() => Read(text));
            Assert.True(thrown is null, $"seed {seed}, round {i}: {text}\n{thrown}");
        }
    }

    [Theory]
    [InlineData("[")]
    [InlineData("{a: ")]
    [InlineData("- ")]
    public void Nesting_without_end_is_refused(string opening)
    {
        Result<ConfigurationValues> read = Read(string.Concat(Enumerable.Repeat(opening, 100_000)));
        Assert.Equal(FaultCode.InvalidParameters, read.Fault?.Code);
    }

    private static Result<ConfigurationValues> Read(string text)
    {
        Result<ConfigurationValues> read = ConfigurationFile.Parse("fuzz.yaml", text);
        Assert.True(read.IsOk || read.Fault.Message.Length > 0);
        return read;
    }
}
