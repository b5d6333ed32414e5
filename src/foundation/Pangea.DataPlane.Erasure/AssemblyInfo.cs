using System.Runtime.CompilerServices;

// Scratch buffers and pointer lists live on the stack and are written before they are read;
// clearing them first would cost more than coding a small shard does.
[module: SkipLocalsInit]

[assembly: InternalsVisibleTo("Pangea.DataPlane.Erasure.Tests")]
[assembly: InternalsVisibleTo("pangea-bench")]
