#!/usr/bin/env python3
"""Uses libpangea_ces through ctypes, from several threads. Usage: check.py LIBRARY [OUTPUT_FOLDER]

With OUTPUT_FOLDER it leaves shards, key file and content there for outsider/restore.py.
"""
import ctypes
import os
import random
import sys
import threading


class Shard(ctypes.Structure):
    _fields_ = [("data", ctypes.POINTER(ctypes.c_ubyte)), ("bytes", ctypes.c_size_t)]


class Options(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint32) for name in ("data", "parity", "stripe_bytes", "compression")]


ces = ctypes.CDLL(sys.argv[1])
ces.ces_last_error.restype = ctypes.c_char_p
ces.ces_process.argtypes = [
    ctypes.c_uint64, ctypes.c_char_p, ctypes.c_size_t,
    ctypes.POINTER(ctypes.POINTER(Shard)), ctypes.POINTER(ctypes.c_size_t)]
ces.ces_reconstruct.argtypes = [
    ctypes.c_uint64, ctypes.POINTER(Shard), ctypes.c_size_t,
    ctypes.POINTER(ctypes.POINTER(ctypes.c_ubyte)), ctypes.POINTER(ctypes.c_size_t)]
ces.ces_free_shards.argtypes = [ctypes.POINTER(Shard)]
ces.ces_free_data.argtypes = [ctypes.POINTER(ctypes.c_ubyte)]
ces.ces_free.argtypes = [ctypes.c_uint64]


def check(status):
    if status:
        raise SystemExit("error %d: %s" % (status, ces.ces_last_error().decode()))


def process(handle, content):
    shards, count = ctypes.POINTER(Shard)(), ctypes.c_size_t()
    check(ces.ces_process(handle, content, len(content), shards, count))
    copies = [ctypes.string_at(shards[i].data, shards[i].bytes) for i in range(count.value)]
    ces.ces_free_shards(shards)
    return copies


def reconstruct(handle, copies):
    array = (Shard * len(copies))()
    for i, copy in enumerate(copies):
        if copy is not None:
            array[i].data = (ctypes.c_ubyte * len(copy)).from_buffer_copy(copy)
            array[i].bytes = len(copy)
    data, size = ctypes.POINTER(ctypes.c_ubyte)(), ctypes.c_size_t()
    check(ces.ces_reconstruct(handle, array, len(copies), data, size))
    content = ctypes.string_at(data, size.value)
    ces.ces_free_data(data)
    return content


handle = ctypes.c_uint64()
key = bytes(range(32))
options = Options(3, 2, 4096, 0)
check(ces.ces_new_with_key(ctypes.byref(options), key, ctypes.byref(handle)))
failures = []


def work(seed):
    source = random.Random(seed)
    for _ in range(20):
        content = source.randbytes(source.randrange(20000)) + b"pangea " * source.randrange(2000)
        copies = process(handle, content)
        for lost in source.sample(range(5), 2):
            copies[lost] = None
        source.shuffle(copies)
        if reconstruct(handle, copies) != content:
            failures.append(seed)


threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
if failures:
    raise SystemExit("wrong bytes with seeds %s" % failures)
if len(sys.argv) > 2:
    content = b"from C to anyone\n" * 700
    for i, copy in enumerate(process(handle, content)):
        with open(os.path.join(sys.argv[2], "%d.shard" % i), "wb") as file:
            file.write(copy)
    with open(os.path.join(sys.argv[2], "content"), "wb") as file:
        file.write(content)
ces.ces_free(handle)
print("ok")
