using System.Runtime.CompilerServices;

[assembly: InternalsVisibleTo("Pangea.DataPlane.Control.Tests")]
