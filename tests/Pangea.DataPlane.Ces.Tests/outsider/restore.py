#!/usr/bin/env python3
"""Restores an object from its shards, written from docs/shard-format.md alone.

Usage: restore.py KEYFILE OUTPUT SHARDFILE...
       restore.py KEYFILE OUTPUT --name NAME DEVICE...

Only the standard library; for zstd stripes libzstd.so.1 (ctypes) or the zstd program. The shard files come from
the library, the devices (directories or block devices) from an appliance, in any order; k of k + m suffice. It is
slow (pure Python ciphers, about 1 MB/s) and meant to be read.
"""
import ctypes
import hashlib
import hmac
import json
import os
import struct
import subprocess
import sys


class Broken(Exception):
    """The bytes are not what the specification says."""


# --- CRC32C (section 2) ---------------------------------------------------------------------------------

CRC_TABLE = []
for n in range(256):
    for _ in range(8):
        n = (n >> 1) ^ (0x82F63B78 if n & 1 else 0)
    CRC_TABLE.append(n)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = CRC_TABLE[(crc ^ byte) & 255] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


# --- Keys (section 3) -----------------------------------------------------------------------------------

def hkdf(ikm, salt, info, length=32):
    prk = hmac.new(salt or bytes(32), ikm, hashlib.sha256).digest()
    return hmac.new(prk, info + b"\x01", hashlib.sha256).digest()[:length]


def read_keys(path):
    keys = {}
    for line in open(path, encoding="ascii"):
        line = line.strip()
        if line and not line.startswith("#"):
            prefix, key_id, secret = line.split()
            secret = bytes.fromhex(secret)
            if prefix != "pangea-key-v1" or hkdf(secret, b"", b"pangea key id v1", 8).hex() != key_id:
                raise Broken("bad line in the key file")
            keys[bytes.fromhex(key_id)] = secret
    return keys


# --- XChaCha20-Poly1305 (section 5) -----------------------------------------------------------------------

def rotate(value, bits):
    return ((value << bits) & 0xFFFFFFFF) | (value >> (32 - bits))


def chacha_rounds(state):
    x = list(state)
    for _ in range(10):
        for a, b, c, d in ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
                           (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)):
            x[a] = (x[a] + x[b]) & 0xFFFFFFFF
            x[d] = rotate(x[d] ^ x[a], 16)
            x[c] = (x[c] + x[d]) & 0xFFFFFFFF
            x[b] = rotate(x[b] ^ x[c], 12)
            x[a] = (x[a] + x[b]) & 0xFFFFFFFF
            x[d] = rotate(x[d] ^ x[a], 8)
            x[c] = (x[c] + x[d]) & 0xFFFFFFFF
            x[b] = rotate(x[b] ^ x[c], 7)
    return x


SIGMA = struct.unpack("<4I", b"expand 32-byte k")


def hchacha20(key, nonce16):
    x = chacha_rounds(SIGMA + struct.unpack("<8I", key) + struct.unpack("<4I", nonce16))
    return struct.pack("<8I", *(x[0:4] + x[12:16]))


def chacha20_block(key_words, counter, nonce_words):
    state = SIGMA + key_words + (counter,) + nonce_words
    mixed = chacha_rounds(state)
    return struct.pack("<16I", *((a + b) & 0xFFFFFFFF for a, b in zip(mixed, state)))


def poly1305(key, message):
    r = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    s = int.from_bytes(key[16:], "little")
    p = (1 << 130) - 5
    total = 0
    for at in range(0, len(message), 16):
        total = (total + int.from_bytes(message[at:at + 16] + b"\x01", "little")) * r % p
    return ((total + s) & ((1 << 128) - 1)).to_bytes(16, "little")


def open_sealed(key, nonce24, aad, sealed, tag):
    key_words = struct.unpack("<8I", hchacha20(key, nonce24[:16]))
    nonce_words = struct.unpack("<3I", bytes(4) + nonce24[16:])
    padded = aad + bytes(-len(aad) % 16) + sealed + bytes(-len(sealed) % 16)
    lengths = struct.pack("<QQ", len(aad), len(sealed))
    one_time = chacha20_block(key_words, 0, nonce_words)[:32]
    if not hmac.compare_digest(poly1305(one_time, padded + lengths), tag):
        raise Broken("a stripe fails its authentication")
    stream = b"".join(
        chacha20_block(key_words, 1 + i, nonce_words) for i in range((len(sealed) + 63) // 64))
    mixed = int.from_bytes(sealed, "little") ^ int.from_bytes(stream[:len(sealed)], "little")
    return mixed.to_bytes(len(sealed), "little")


# --- Reed-Solomon (docs/erasure-matrix.md) ----------------------------------------------------------------

EXP, LOG = [0] * 510, [0] * 256
value = 1
for n in range(255):
    EXP[n] = EXP[n + 255] = value
    LOG[value] = n
    value = (value << 1) ^ (0x11D if value & 0x80 else 0)


def mul(a, b):
    return EXP[LOG[a] + LOG[b]] if a and b else 0


def inverse(a):
    return EXP[255 - LOG[a]]


def coefficient(i, j):
    return mul(mul(i ^ 255, j ^ 255), inverse(mul(i ^ j ^ 255, 255)))


def restore_data(k, shards):
    """The k data shards from any k entries of {shard index: bytes}."""
    chosen = sorted(shards)[:k]
    rows = []
    for position, index in enumerate(chosen):
        left = [int(index == j) if index < k else coefficient(index - k, j) for j in range(k)]
        rows.append(left + [int(position == j) for j in range(k)])
    for pivot in range(k):
        swap = next(r for r in range(pivot, k) if rows[r][pivot])
        rows[pivot], rows[swap] = rows[swap], rows[pivot]
        scale = inverse(rows[pivot][pivot])
        rows[pivot] = [mul(scale, v) for v in rows[pivot]]
        for r in range(k):
            if r != pivot and rows[r][pivot]:
                factor = rows[r][pivot]
                rows[r] = [v ^ mul(factor, w) for v, w in zip(rows[r], rows[pivot])]
    data = []
    for row in rows:
        total = 0
        for factor, index in zip(row[k:], chosen):
            table = bytes(mul(factor, v) for v in range(256))
            total ^= int.from_bytes(shards[index].translate(table), "little")
        data.append(total.to_bytes(len(shards[chosen[0]]), "little"))
    return data


# --- zstd ---------------------------------------------------------------------------------------------------

def expand(frame, length):
    try:
        library = ctypes.CDLL("libzstd.so.1")
    except OSError:
        plain = subprocess.run(
            ["zstd", "-dc"], input=frame, stdout=subprocess.PIPE, check=True).stdout
    else:
        library.ZSTD_decompress.restype = ctypes.c_size_t
        library.ZSTD_decompress.argtypes = (
            ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t)
        buffer = ctypes.create_string_buffer(length)
        written = library.ZSTD_decompress(buffer, length, frame, len(frame))
        plain = buffer.raw if written == length else b""
    if len(plain) != length:
        raise Broken("a stripe does not expand to its length")
    return plain


# --- Manifest (section 6) and shard files (section 7) -------------------------------------------------------

class Manifest:
    def __init__(self, raw, keys):
        if len(raw) < 152 or raw[:8] != b"PGMANIF1":
            raise Broken("no manifest")
        length, crc = struct.unpack("<II", raw[-8:])
        if length != len(raw) or crc != crc32c(raw[:-4]):
            raise Broken("manifest damaged")
        (version, self.k, self.m, _, _, name_bytes, self.object_id, self.key_id, _, self.bytes,
         self.stripe_bytes, self.alignment, self.stride, stripes, self.sha256) = struct.unpack(
            "<HBBBBH16s8sqqIIII32s", raw[8:104])
        if version != 1 or any(raw[104:112]):
            raise Broken("another version of the format")
        self.key = keys.get(self.key_id)
        if self.key is None:
            raise Broken("key %s is not in the key file" % self.key_id.hex())
        mac_key = hkdf(self.key, self.object_id, b"pangea manifest key v1")
        mac = hmac.new(mac_key, raw[:-40], hashlib.sha256).digest()
        if not hmac.compare_digest(mac, raw[-40:-8]):
            raise Broken("manifest forged")
        table = 112 + name_bytes + 16 * (self.k + self.m)
        self.table = struct.unpack("<%dI" % stripes, raw[table:table + 4 * stripes])
        self.name = raw[112:112 + name_bytes]
        self.raw = raw

    def shard_bytes(self, stripe):
        stored = self.table[stripe] & 0x7FFFFFFF
        return -(-(-(-stored // self.k)) // self.alignment) * self.alignment


class ShardFile:
    """A file made by the library: records one after another, then the manifest."""

    def __init__(self, data):
        self.data = data
        length = struct.unpack("<I", data[-8:-4])[0] if len(data) >= 8 else 0
        self.manifest = data[len(data) - length:] if 0 < length <= len(data) else b""
        self.offsets = [0]

    def record(self, manifest, stripe):
        while len(self.offsets) <= stripe:
            size = manifest.shard_bytes(len(self.offsets) - 1)
            self.offsets.append(self.offsets[-1] + manifest.stride + size)
        at = self.offsets[stripe]
        payload = at + manifest.stride
        return self.data[at:at + 128], self.data[payload:payload + manifest.shard_bytes(stripe)]


# --- Devices (section 7) --------------------------------------------------------------------------------------

BLOCK = 4096


class Device:
    """A directory or a block device of an appliance: its segments by sequence number."""

    def __init__(self, path):
        self.segments = {}  # sequence: (kind, file, offset of the segment, bytes)
        if os.path.isdir(path):
            self.read_superblock(open(os.path.join(path, "pangea-device.json"), "rb").read())
            for name in os.listdir(os.path.join(path, "segments")):
                segment = open(os.path.join(path, "segments", name), "rb")
                self.add(segment, 0, os.fstat(segment.fileno()).st_size)
        else:
            whole = open(path, "rb")
            size = whole.seek(0, os.SEEK_END)
            whole.seek(0)
            slot = self.read_superblock(whole.read(BLOCK).rstrip(b"\0"))["segmentBytes"]
            for start in range(65536, size - slot + 1, slot):
                self.add(whole, start, slot)

    def read_superblock(self, text):
        superblock = json.loads(text)
        if superblock["format"] != 2:
            raise Broken("a device of another format")
        self.id = bytes.fromhex(superblock["device"])
        return superblock

    def add(self, file, start, size):
        file.seek(start)
        block = file.read(BLOCK)
        if (block[:10] == b"PGSEGM01\1\0" and block[16:32] == self.id
                and struct.unpack("<I", block[124:128])[0] == crc32c(block[:124])):
            self.segments[struct.unpack("<I", block[12:16])[0]] = (block[10], file, start, size)

    def read(self, sequence, offset, length):
        _, file, start, size = self.segments[sequence]
        file.seek(start + offset)
        return file.read(min(length, size - offset))

    def frame(self, sequence, offset):
        """The frame header at a place, or None where no frame begins."""
        head = self.read(sequence, offset, 128)
        if (head[:10] != b"PGFRAME1\1\0" or head[48:64] != self.id
                or struct.unpack("<II", head[12:20]) != (sequence, offset)
                or struct.unpack("<I", head[124:128])[0] != crc32c(head[:124])):
            return None
        return head

    def entries(self):
        """All entries of all journals, oldest first."""
        for sequence in sorted(self.segments):
            kind, _, _, size = self.segments[sequence]
            offset = BLOCK
            while kind == 1 and offset + BLOCK <= size:
                head = self.frame(sequence, offset)
                length, count, crc = struct.unpack("<III", head[20:32]) if head else (BLOCK, 0, 0)
                body = b""
                if head and head[10] == 2:
                    body = self.read(sequence, offset + 128, struct.unpack("<I", head[64:68])[0])
                    if crc32c(body) != crc:
                        body, length, count = b"", BLOCK, 0
                for _ in range(count):
                    size_of_entry = struct.unpack("<I", body[8:12])[0]
                    yield body[:size_of_entry]
                    body = body[size_of_entry:]
                offset += length


class Position:
    """One position of an object as a commit entry of a device describes it."""

    def __init__(self, device, entry):
        self.device = device
        self.created = struct.unpack("<q", entry[32:40])[0]
        extents, length = struct.unpack("<II", entry[88:96])
        self.extents = [
            struct.unpack("<IIII", entry[96 + 16 * i:112 + 16 * i]) for i in range(extents)]
        self.manifest = entry[96 + 16 * extents:96 + 16 * extents + length]
        inline_bytes, inline = struct.unpack("<II", entry[40:48])
        self.inline = entry[inline:inline + inline_bytes]

    def record(self, manifest, stripe):
        if self.inline:
            return self.inline[:128], self.inline[128:128 + manifest.shard_bytes(stripe)]
        for first, stripes, segment, offset in self.extents:
            if first <= stripe < first + stripes and segment in self.device.segments:
                for before in range(first, stripe):
                    offset += BLOCK + manifest.shard_bytes(before)
                if self.device.frame(segment, offset) is None:
                    break
                frame = self.device.read(segment, offset, BLOCK + manifest.shard_bytes(stripe))
                return frame[128:256], frame[128 + manifest.stride:]
        return b"", b""


def find_object(devices, name, keys):
    """The positions of the newest version of a name that is neither removed nor void."""
    versions, removed, void = {}, 0, set()
    for device in devices:
        for entry in device.entries():
            kind, object_id = entry[4], entry[16:32]
            time = struct.unpack("<q", entry[32:40])[0]
            if kind == 1:
                versions.setdefault(object_id, []).append(Position(device, entry))
            elif kind == 2 and entry[64:64 + struct.unpack("<I", entry[48:52])[0]] == name:
                removed = max(removed, time)
            elif kind == 3:
                void.add(object_id)
    best = []
    for object_id, positions in versions.items():
        try:
            manifest = Manifest(positions[0].manifest, keys)
        except Broken:
            continue
        newest = not best or positions[0].created > best[0].created
        if (manifest.name == name and object_id not in void and newest
                and positions[0].created > removed):
            best = positions
    return best


def identity(manifest, stripe):
    """The first 64 bytes of a header with shard index 0: also the additional authenticated data."""
    entry = manifest.table[stripe]
    last = stripe == len(manifest.table) - 1
    plain = manifest.bytes - stripe * manifest.stripe_bytes if last else manifest.stripe_bytes
    return struct.pack(
        "<8sHBBBBBB16s8sQIIII", b"PGSHARD1", 1, manifest.k, manifest.m, 0, entry >> 31, int(last), 0,
        manifest.object_id, manifest.key_id, stripe, manifest.stripe_bytes, plain,
        entry & 0x7FFFFFFF, manifest.shard_bytes(stripe))


def read_stripe(manifest, sources, stripe):
    expected = identity(manifest, stripe)
    size = manifest.shard_bytes(stripe)
    shards, tags = {}, {}
    for source in sources:
        header, payload = source.record(manifest, stripe)
        if len(header) < 128 or len(payload) < size:
            continue
        payload_crc, header_crc = struct.unpack("<II", header[120:128])
        if (header_crc == crc32c(header[:124]) and header[:12] + b"\0" + header[13:64] == expected
                and payload_crc == crc32c(payload)):
            shards[header[12]] = payload
            tags[header[12]] = header[64:80]
    votes = list(tags.values())
    tag = max(set(votes), key=votes.count) if votes else b""
    shards = {index: shard for index, shard in shards.items() if tags[index] == tag}
    if len(shards) < manifest.k:
        raise Broken("stripe %d needs %d of %d shards, has %d"
                     % (stripe, manifest.k, manifest.k + manifest.m, len(shards)))
    stored, compressed = manifest.table[stripe] & 0x7FFFFFFF, manifest.table[stripe] >> 31
    object_key = hkdf(manifest.key, manifest.object_id, b"pangea object key v1")
    nonce = manifest.object_id + struct.pack("<Q", stripe)
    opened = None
    for left_out in [None] + (sorted(shards) if len(shards) > manifest.k else []):
        trusted = {index: shard for index, shard in shards.items() if index != left_out}
        sealed = b"".join(restore_data(manifest.k, trusted))[:stored]
        try:
            opened = open_sealed(object_key, nonce, expected, sealed, tag)
            break
        except Broken as broken:
            forged = broken
    if opened is None:
        raise forged
    return expand(opened, struct.unpack("<I", expected[52:56])[0]) if compressed else opened


def main(key_path, output_path, paths):
    keys = read_keys(key_path)
    if paths[0] == "--name":
        sources = find_object([Device(path) for path in paths[2:]], paths[1].encode(), keys)
    else:
        sources = [ShardFile(open(path, "rb").read()) for path in paths]
    manifest, reason = None, Broken("no shards")
    for source in sources:
        try:
            manifest = Manifest(source.manifest, keys)
            break
        except Broken as broken:
            reason = broken
    if manifest is None:
        raise reason
    sources = [source for source in sources if source.manifest == manifest.raw]
    digest = hashlib.sha256()
    with open(output_path, "wb") as output:
        for stripe in range(len(manifest.table)):
            plain = read_stripe(manifest, sources, stripe)
            digest.update(plain)
            output.write(plain)
    if digest.digest() != manifest.sha256:
        raise Broken("the SHA-256 of the content is wrong")


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    try:
        main(sys.argv[1], sys.argv[2], sys.argv[3:])
    except Broken as broken:
        sys.exit("restore.py: %s" % broken)
