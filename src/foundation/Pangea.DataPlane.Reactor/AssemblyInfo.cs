using System.Runtime.CompilerServices;

[assembly: InternalsVisibleTo("Pangea.DataPlane.Reactor.Tests")]
