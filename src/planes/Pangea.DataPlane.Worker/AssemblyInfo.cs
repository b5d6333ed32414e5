using System.Runtime.CompilerServices;

[assembly: InternalsVisibleTo("Pangea.DataPlane.Worker.Tests")]
[assembly: InternalsVisibleTo("Pangea.DataPlane.Appliance.Tests")]
