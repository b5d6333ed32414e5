using System.Runtime.CompilerServices;

// The libzstd signatures are blittable; without this every call would go through a marshalling
// stub.
[assembly: DisableRuntimeMarshalling]
