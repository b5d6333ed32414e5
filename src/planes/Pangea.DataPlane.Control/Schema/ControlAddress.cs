namespace Pangea.DataPlane.Control.Schema;

/// <summary>Where the control socket is, for whoever listens and for whoever calls.</summary>
public static class ControlAddress
{
    public const string Default = "/run/pangea/control.sock";

    /// <summary>The environment variable that names another one.</summary>
    public const string Variable = "PANGEA_SOCKET";

    /// <summary>The option's value, or the environment's, or the default.</summary>
    public static string Resolve(string? option) =>
        NotEmpty(option) ?? NotEmpty(Environment.GetEnvironmentVariable(Variable)) ?? Default;

    private static string? NotEmpty(string? text) => string.IsNullOrEmpty(text) ? null : text;
}
