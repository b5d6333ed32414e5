using System.Runtime.CompilerServices;

// Structs cross to the kernel exactly as they are declared; nothing is converted on the way.
[assembly: DisableRuntimeMarshalling]
[assembly: InternalsVisibleTo("Pangea.DataPlane.Linux.Tests")]
