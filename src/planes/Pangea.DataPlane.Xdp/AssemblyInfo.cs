using System.Runtime.CompilerServices;

[assembly: InternalsVisibleTo("Pangea.DataPlane.Xdp.Tests")]
[assembly: InternalsVisibleTo("pangea-bench")]
