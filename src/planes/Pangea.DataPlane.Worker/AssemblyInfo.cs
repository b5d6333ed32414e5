using System.Runtime.CompilerServices;

[assembly: InternalsVisibleTo("Pangea.DataPlane.Worker.Tests")]
