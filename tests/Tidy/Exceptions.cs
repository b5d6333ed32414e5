namespace Pangea.DataPlane.Tidy;

/// <summary>
/// Where a rule may be broken, and why. An entry that nothing needs any more fails its rule, so the
/// list can only describe what is there.
/// </summary>
public static class Exceptions
{
    private static readonly (string Rule, string Subject, string Reason)[] s_all =
    [
        (
            "unsafe projects",
            "src/engines/Pangea.DataPlane.Ces/Abi/CesExports.cs",
            "the C interface is made of pointers"),
        (
            "unsafe projects",
            "src/engines/Pangea.DataPlane.Ces/Abi/CesNative.cs",
            "a struct of the C interface"),
    ];

    public static IReadOnlyDictionary<string, string> For(string rule) => s_all
        .Where(entry => entry.Rule == rule)
        .ToDictionary(entry => entry.Subject, entry => entry.Reason);
}
