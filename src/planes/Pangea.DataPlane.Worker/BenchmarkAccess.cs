using System.Runtime.CompilerServices;

// The area storage of ./bench runs the service without process and socket, as the tests do.
[assembly: InternalsVisibleTo("pangea-bench")]
