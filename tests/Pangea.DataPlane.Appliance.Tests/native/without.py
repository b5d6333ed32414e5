#!/usr/bin/python3
"""Runs a program as on a kernel without some system calls: without.py FEATURE[,FEATURE] PROGRAM...

A filter that stays over every exec answers the calls of io_uring, landlock or seccomp with ENOSYS, and
prctl(PR_SET_SECCOMP) with EINVAL, as kernels do that were built without them. Needs no library.
"""
import ctypes
import os
import platform
import struct
import sys

LOAD, JUMP_IF, GIVE = 0x20, 0x15, 0x06
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
EINVAL, ENOSYS = 22, 38
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, MODE_FILTER = 22, 38, 2
OFFSET_NUMBER, OFFSET_FIRST = 0, 16

SECCOMP, PRCTL = {"x86_64": (317, 157), "aarch64": (277, 167)}[platform.machine()]
CALLS = {"io_uring": [425, 426, 427], "landlock": [444, 445, 446], "seccomp": [SECCOMP]}

features = sys.argv[1].split(",")
code = []
for feature in features:
    for number in CALLS[feature]:
        code += [(LOAD, 0, 0, OFFSET_NUMBER), (JUMP_IF, 0, 1, number), (GIVE, 0, 0, ERRNO | ENOSYS)]
if "seccomp" in features:
    code += [
        (LOAD, 0, 0, OFFSET_NUMBER), (JUMP_IF, 0, 3, PRCTL),
        (LOAD, 0, 0, OFFSET_FIRST), (JUMP_IF, 0, 1, PR_SET_SECCOMP),
        (GIVE, 0, 0, ERRNO | EINVAL),
    ]
code.append((GIVE, 0, 0, ALLOW))

libc = ctypes.CDLL(None, use_errno=True)
instructions = b"".join(struct.pack("<HBBI", *each) for each in code)
buffer = ctypes.create_string_buffer(instructions)
program = ctypes.create_string_buffer(
    struct.pack("<HxxxxxxQ", len(code), ctypes.addressof(buffer)))
if os.geteuid() != 0:
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
if libc.prctl(PR_SET_SECCOMP, MODE_FILTER, program, 0, 0) != 0:
    sys.exit(f"no filter: {os.strerror(ctypes.get_errno())}")
os.execv(sys.argv[2], sys.argv[2:])
