using System.Runtime.CompilerServices;

[assembly: InternalsVisibleTo("Pangea.DataPlane.Supervisor.Tests")]
