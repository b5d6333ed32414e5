using System.Runtime.CompilerServices;

// The liblmdb signatures are blittable; without this every call would go through a marshalling
// stub.
[assembly: DisableRuntimeMarshalling]
