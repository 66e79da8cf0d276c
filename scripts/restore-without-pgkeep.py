#!/usr/bin/env python3
"""Brings a database's dump back from a pgkeep repository without pgkeep.

Needs Python 3.9, nothing but its standard library, and two programs: `zstd`, and
`age` where the repository is sealed. It reads a repository in a local directory;
copy one that lies elsewhere with whatever tool its storage has.

    restore-without-pgkeep.py DIRECTORY --list
    restore-without-pgkeep.py DIRECTORY --identity recovery.key \\
        --cluster main --database app --output app.dump
    pg_restore --create --dbname postgres app.dump

What is written is the archive that pg_dump made, in its custom format.

FORMAT.md describes every byte; comments here name its sections. The order is the
one of "Order of reads": descriptor, keys, `backup`, manifest, packs. Nothing is
taken for what was written before it was checked, nothing is handed on before all
of it was, and what was not checked is said.
"""

import argparse
import contextlib
import datetime
import hashlib
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
from array import array
from collections import namedtuple

VERSION = 1
FRAME_LIMIT = 4 << 20  # bytes of plaintext; "Frames"
STORED_LIMIT = 4_210_752  # bytes of the same in a pack
SEALED_LIMIT = 1 << 30  # bytes of plaintext; "Records"
HASH_BY_DEFAULT = 256 << 20  # bytes of a dump whose hashes are computed unasked
HASHED_A_MINUTE = 256 << 20  # bytes of a dump, very roughly
BLOCK = 1 << 20


class Refused(Exception):
    """What cannot be used, and why; the message begins with the object's name."""


def say(text):
    print(text, file=sys.stderr)


# BLAKE3 ("Notation"; github.com/BLAKE3-team/BLAKE3-specs). Plain Python is slow by
# the operation, not by the byte: each number here holds one 32-bit word of up to
# 1,024 chunks, one chunk in each 64 bits, so that one operation works on them all.

IV = (0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19)
PERMUTATION = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
MIXES = ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
         (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14))
CHUNK_START, CHUNK_END, PARENT, ROOT, KEYED, CONTEXT, MATERIAL = 1, 2, 4, 8, 16, 32, 64
CHUNK, GROUP = 1024, 1 << 20


def pack(words):
    return int.from_bytes(array("Q", words).tobytes(), sys.byteorder)


def unpack(number, lanes):
    return array("Q", number.to_bytes(8 * lanes, sys.byteorder))


def compress(chain, block, counter, length, flags, lanes):
    """BLAKE3's compression function, on `lanes` blocks at once."""
    ones = ((1 << 64 * lanes) - 1) // ((1 << 64) - 1)
    mask = ones * 0xFFFFFFFF

    def rotate(word, by):
        return (word >> by | word << 32 - by) & mask

    v = chain + [word * ones for word in IV[:4]]
    v += [counter & mask, counter >> 32 & mask, length * ones, flags * ones]
    for _ in range(7):
        for step, (a, b, c, d) in enumerate(MIXES):
            for word, first, second in ((block[2 * step], 16, 12), (block[2 * step + 1], 8, 7)):
                v[a] = v[a] + v[b] + word & mask
                v[d] = rotate(v[d] ^ v[a], first)
                v[c] = v[c] + v[d] & mask
                v[b] = rotate(v[b] ^ v[c], second)
        block = [block[at] for at in PERMUTATION]
    return [v[at] ^ v[at + 8] for at in range(8)]


class Blake3:
    """The hash of bytes that come in pieces: `Blake3()`, or keyed with 32 bytes."""

    def __init__(self, key=None, mode=KEYED):
        self.key, self.mode = (IV, 0) if key is None else (struct.unpack("<8I", key), mode)
        self.groups = [array("Q") for _ in range(8)]  # the tree's nodes of 1 MiB each
        self.pending, self.chunks = bytearray(), 0

    def update(self, data):
        self.pending += data
        while len(self.pending) > GROUP:
            self._add(self._subtree(bytes(self.pending[:GROUP]), 0))
            del self.pending[:GROUP]
        return self

    def digest(self):
        self._add(self._subtree(bytes(self.pending), 0 if self.groups[0] else ROOT))
        return struct.pack("<8I", *(words[0] for words in self._join(self.groups, ROOT)))

    def _add(self, node):
        for words, word in zip(self.groups, node):
            words.extend(word)

    def _subtree(self, data, root):
        whole = len(data) // CHUNK
        level = self._chain(data[:whole * CHUNK], whole, root if len(data) == CHUNK else 0)
        rest = data[whole * CHUNK:]
        if rest or not data:
            for words, word in zip(level, self._chain(rest, 1, 0 if whole else root)):
                words.extend(word)
        return self._join(level, root)

    def _chain(self, data, lanes, root):
        """The chaining values of `lanes` chunks of equal length."""
        if not lanes:
            return [array("Q") for _ in range(8)]
        length = len(data) // lanes
        blocks = max(1, -(-length // 64))
        words = array("I", data.ljust(lanes * blocks * 64, b"\0"))
        if sys.byteorder == "big":
            words.byteswap()
        chain = [word * pack([1] * lanes) for word in self.key]
        counter = pack(range(self.chunks, self.chunks + lanes))
        for at in range(blocks):
            flags = self.mode | (CHUNK_START if at == 0 else 0)
            flags |= CHUNK_END | root if at == blocks - 1 else 0
            block = [pack(words[16 * at + word::16 * blocks]) for word in range(16)]
            chain = compress(chain, block, counter, min(64, length - 64 * at), flags, lanes)
        self.chunks += lanes
        return [unpack(word, lanes) for word in chain]

    def _join(self, level, root):
        """Joins the nodes of a level by twos until one is left."""
        while len(level[0]) > 1:
            nodes = len(level[0])
            pairs = nodes // 2
            flags = self.mode | PARENT | (root if nodes == 2 else 0)
            block = [pack(words[side:2 * pairs:2]) for side in (0, 1) for words in level]
            chain = [word * pack([1] * pairs) for word in self.key]
            joined = compress(chain, block, 0, 64, flags, pairs)
            level = [unpack(word, pairs) + words[2 * pairs:] for word, words in zip(joined, level)]
        return level


def blake3(data):
    return Blake3().update(data).digest()


def blake3_derive_key(context, material):
    key = Blake3(struct.pack("<8I", *IV), CONTEXT).update(context.encode()).digest()
    return Blake3(key, MATERIAL).update(material).digest()


# Ed25519 (RFC 8032, 5.1), verification only; "Signatures". Points are (X, Y, Z, T).

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
NEUTRAL = (0, 1, 1, 0)


def add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]), (p[1] + p[0]) * (q[1] + q[0])
    c, d = 2 * p[3] * q[3] * D, 2 * p[2] * q[2]
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(number, point):
    result = NEUTRAL
    while number:
        if number & 1:
            result = add(result, point)
        point, number = add(point, point), number >> 1
    return result


def decode_point(encoded):
    number = int.from_bytes(encoded, "little")
    sign, y = number >> 255, number & (1 << 255) - 1
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    if y >= P or x * x % P != square or (x == 0 and sign):
        return None
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


def encode_point(point):
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


BASE = decode_point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def verifies(key, message, signature):
    """Whether `signature` is the key's; weak keys and odd encodings never are."""
    a, r = decode_point(key), decode_point(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= ORDER:
        return False
    if any(times(8, point)[0] == 0 for point in (a, r)):  # of small order
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % ORDER
    minus_a = (P - a[0], a[1], a[2], P - a[3])
    return encode_point(add(times(s, BASE), times(k, minus_a))) == signature[:32]


# Programs.

@contextlib.contextmanager
def started(command, source):
    """A program that reads the file or pipe `source`; stopped when left early."""
    with tempfile.TemporaryFile() as errors:
        try:
            process = subprocess.Popen(command, stdin=source, stdout=subprocess.PIPE, stderr=errors)
        except FileNotFoundError:
            raise Refused(f"{command[0]}: there is no such program here; install it") from None
        process.errors = errors
        try:
            yield process
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


def check_exit(process, name):
    """Refuses the object `name` where the program that read it has failed."""
    code = process.wait()
    if code in (0, -signal.SIGPIPE):  # nobody wanted more of it: whoever stopped says why
        return
    process.errors.seek(0)
    lines = process.errors.read().decode(errors="replace").strip().splitlines() or [f"exit code {code}"]
    told = next((line for line in lines if "error" in line.lower()), lines[0])
    raise Refused(f"{name}: {process.args[0]} refuses it: {told}")


def exactly(source, length, name):
    data = source.read(length)
    if len(data) != length:
        raise Refused(f"{name}: ends too early: {len(data)} bytes where {length} should be")
    return data


# Names ("Object names"). Whatever becomes part of a path has passed these.

def is_cluster(text):
    return re.fullmatch("[a-z0-9][a-z0-9_-]{0,62}", text) is not None and text != "keys"


def is_id(text):
    if not re.fullmatch("[0-9]{8}T[0-9]{6}Z-[0-9a-hjkmnp-tv-z]{8}", text):
        return False
    with contextlib.suppress(ValueError):
        return bool(datetime.datetime.strptime(text[:16], "%Y%m%dT%H%M%SZ"))
    return False


def parse_json(data, name):
    def members(pairs):
        if len(dict(pairs)) != len(pairs):
            raise ValueError("a member is there twice")
        return dict(pairs)

    try:
        return json.loads(data.decode(), object_pairs_hook=members)
    except ValueError as error:
        raise Refused(f"{name}: its JSON is malformed: {error}") from None


@contextlib.contextmanager
def fields_of(name):
    """Turns a field that is missing or malformed into words."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Refused(f"{name}: a field is missing or malformed: {error!r}") from None


def from_hex(text, length):
    if not re.fullmatch("[0-9a-f]*", text) or len(text) != 2 * length:
        raise ValueError(f"not {length} bytes in hex")
    return bytes.fromhex(text)


Record = namedtuple("Record", "name clear sealed object_hash")
KINDS = {"key": 1, "begin": 2, "outcome": 3, "manifest": 4, "facts": 5, "backup": 6}


class Repository:
    def __init__(self, directory, identity):
        self.directory, self.identity = directory, identity and os.path.abspath(identity)
        self._read_descriptor()
        self._check_pins()
        self._read_keys()

    def path(self, name):
        return os.path.join(self.directory, *name.split("/"))

    def object(self, name):
        try:
            with open(self.path(name), "rb") as file:
                return file.read()
        except OSError as error:
            raise Refused(f"{self.path(name)}: cannot be read: {error.strerror}") from None

    # "pgkeep.json"
    def _read_descriptor(self):
        name = "pgkeep.json"
        data = self.object(name)
        tail = re.compile(rb'  "blake3": "([0-9a-f]{64})",\n  "signature": "([0-9a-f]{128})"\n}\n')
        found = tail.fullmatch(data, max(0, len(data) - 228))
        if not found:
            raise Refused(f"{name}: does not end as a descriptor does")
        digest = blake3(data[:found.start()])
        if digest.hex().encode() != found[1]:
            raise Refused(f"{name}: its BLAKE3 hash differs from the one written with it")
        told = parse_json(data, name)
        with fields_of(name):
            if told["format"] != "pgkeep" or told["version"] != VERSION:
                raise Refused(f"{name}: format version {told['version']}; this program reads {VERSION}")
            self.id, self.root = from_hex(told["id"], 16), from_hex(told["root"], 32)
            self.sealed = {"age": True, "none": False}[told["encryption"]]
        message = b"pgkeep descriptor v1\0" + digest
        if not verifies(self.root, message, bytes.fromhex(found[2].decode())):
            raise Refused(f"{name}: the signature is not the root key's")

    # "Key files": a pinned root key is the only proof that this is our repository.
    def _check_pins(self):
        pins = []
        if self.identity:
            try:
                with open(self.identity, encoding="utf-8", errors="replace") as file:
                    pins = re.findall("^# pgkeep repository: (.*?)\\s*$", file.read(), re.MULTILINE)
            except OSError as error:
                raise Refused(f"{self.identity}: cannot be read: {error.strerror}") from None
        self.pinned = f"{self.id.hex()} {self.root.hex()}" in pins
        if pins and not self.pinned:
            raise Refused(f"pgkeep.json: this is not the repository that {self.identity} belongs to")

    # "Keys"
    def _read_keys(self):
        self.hosts, self.opening = set(), []
        try:
            names = sorted(name for name in os.listdir(self.path("keys")) if not name.startswith("."))
        except OSError as error:
            raise Refused(f"{self.path('keys')}: cannot be read: {error.strerror}") from None
        for name in (f"keys/{name}" for name in names):
            try:
                record = self.record(name, "key", {self.root})
                with fields_of(name):
                    role, recipient = record.clear["role"], record.clear.get("recipient", "")
                    verifier = bytes.fromhex(record.clear.get("verifier", ""))
                    if f"keys/{blake3(recipient.encode() + verifier)[:16].hex()}" != name:
                        raise ValueError("the fingerprint differs from the name")
                if role == "host":
                    self.hosts.add(verifier)
                elif role == ("recovery" if self.sealed else "open"):
                    self.opening.append(record)
            except Refused as error:
                # It can only take trust away; whatever needs it says so.
                say(f"warning: passed over: {error}")

    # "Records"
    def record(self, name, kind, writers):
        data = self.object(name)
        if len(data) < 24 + 128:
            raise Refused(f"{name}: {len(data)} bytes are too few for a record")
        body, trailer = data[:-128], data[-128:]
        magic, version, number, clear, sealed = struct.unpack_from("<8sHHIQ", body)
        digest = blake3(body)
        if magic != b"pgkeeprc":
            raise Refused(f"{name}: does not begin as a record does")
        if digest != trailer[:32]:
            raise Refused(f"{name}: its BLAKE3 hash differs from the one written with it")
        if version != VERSION:
            raise Refused(f"{name}: format version {version}; this program reads {VERSION}")
        writer = trailer[32:64]
        if writer not in writers:
            raise Refused(f"{name}: its writer {writer.hex()} is none whom this repository vouches for")
        place = name.encode()
        message = b"pgkeep record v1\0" + self.id + struct.pack("<Q", len(place)) + place + digest
        if not verifies(writer, message, trailer[64:]):
            raise Refused(f"{name}: its signature does not hold for this name and repository")
        if number != KINDS[kind]:
            raise Refused(f"{name}: holds a record of kind {number}, not {KINDS[kind]}")
        if 24 + clear + sealed != len(body):
            raise Refused(f"{name}: its parts' lengths do not come to its own")
        told = parse_json(body[24:24 + clear], name)
        return Record(name, told, body[24 + clear:], blake3(data))

    def unsealed(self, source, stack):
        """What age makes of the file `source`; the file itself where nothing is sealed."""
        if not self.sealed:
            return None, source
        if not self.identity:
            raise Refused("the repository is sealed: give the recovery key with --identity FILE")
        age = stack.enter_context(started(["age", "--decrypt", "--identity", self.identity], source))
        return age, age.stdout

    def hidden(self, record):
        """The sealed part of a record, opened and decompressed; "Records"."""
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(tempfile.TemporaryFile())
            file.write(record.sealed)
            file.seek(0)
            age, opened = self.unsealed(file, stack)
            zstd = stack.enter_context(started(["zstd", "--decompress", "--stdout"], opened))
            opened.close()  # zstd has it; where that ends, age has to notice
            plain = zstd.stdout.read(SEALED_LIMIT + 1)
            if len(plain) > SEALED_LIMIT:
                raise Refused(f"{record.name}: its sealed part is too long")
            if age:
                check_exit(age, record.name)
            check_exit(zstd, record.name)
            return plain

    # "The repository secret"
    def content_key(self):
        failed = "there is none"
        for record in self.opening:
            try:
                secrets = parse_json(self.hidden(record), record.name)
            except Refused as error:  # sealed to another recovery key
                failed = error
                continue
            with fields_of(record.name):
                return blake3_derive_key("pgkeep v1 content hash", from_hex(secrets["secret"], 32))
        raise Refused(f"keys/: no record opens, so no hash of content can be verified: {failed}")

    def clusters(self):
        names = filter(is_cluster, os.listdir(self.directory))
        return sorted(name for name in names if os.path.isdir(self.path(f"{name}/backups")))

    def backups(self, cluster):
        """The ids of the cluster's committed backups, oldest first; "Order of writes"."""
        with contextlib.suppress(FileNotFoundError):
            names = filter(is_id, os.listdir(self.path(f"{cluster}/backups")))
            return sorted(n for n in names if os.path.lexists(self.path(f"{cluster}/backups/{n}/backup")))
        return []

    # "backup"
    def backup(self, cluster, identifier):
        name = f"{cluster}/backups/{identifier}/backup"
        record = self.record(name, "backup", self.hosts)
        with fields_of(name):
            if (record.clear["id"], record.clear["cluster"]) != (identifier, cluster):
                raise Refused(f"{name}: tells of another backup")
            for field in ("kind", "database", "started"):
                record.clear[field].encode()
            if not isinstance(record.clear["raw_bytes"], int):
                raise ValueError("raw_bytes is no number")
        return record.clear

    def manifest(self, backup):
        name = f"{backup['cluster']}/backups/{backup['id']}/manifest"
        record = self.record(name, "manifest", self.hosts)
        with fields_of(name):
            if record.object_hash != from_hex(backup["records"]["manifest"], 32):
                raise Refused(f"{name}: is not the object that the backup cites")
        return read_manifest(self.hidden(record), name)


# "The manifest"

Frame = namedtuple("Frame", "pack offset stored plain hash")
File = namedtuple("File", "size hash extents")
Manifest = namedtuple("Manifest", "packs frames files")


def read_manifest(data, name):
    at = 0

    def take(layout):
        nonlocal at
        values = struct.unpack_from("<" + layout, data, at)
        at += struct.calcsize("<" + layout)
        return values

    def many(item):
        return [item() for _ in range(take("I")[0])]

    def pack_reference():
        identifier = take(f"{take('B')[0]}s")[0].decode()
        if not is_id(identifier):
            raise ValueError(f"{identifier!r} is no id")
        return identifier, take("I")[0]

    def file():
        path = take(f"{take('H')[0]}s")[0].decode()
        return path, File(*take("Q32s"), many(lambda: take("III")))

    try:
        packs, frames, files = many(pack_reference), many(lambda: Frame(*take("IQII32s"))), many(file)
        manifest = Manifest(packs, frames, dict(files))
        if at != len(data) or len(manifest.files) != len(files):
            raise ValueError("bytes are left over, or a file is there twice")
        for frame in frames:
            if frame.pack >= len(packs) or frame.plain > FRAME_LIMIT or frame.stored > STORED_LIMIT:
                raise ValueError("a frame is out of range")
        for entry in manifest.files.values():
            for frame, offset, length in entry.extents:
                if frame >= len(frames) or offset + length > frames[frame].plain:
                    raise ValueError("an extent is out of range")
            if sum(length for _, _, length in entry.extents) != entry.size:
                raise ValueError("a file's extents do not come to its size")
    except (struct.error, ValueError) as error:
        raise Refused(f"{name}: its content is malformed: {error}") from None
    return manifest


# "Packs" and "Frames"

def check_frame(stored, frame, name):
    """A stored frame is one zstd frame (RFC 8878, 3.1.1) with size and checksum."""
    head = stored[:14].ljust(14, b"\0")
    flags = head[4]
    single, width = flags >> 5 & 1, (1, 2, 4, 8)[flags >> 6]
    size = int.from_bytes(head[6 - single:][:width], "little") + (256 if width == 2 else 0)
    sized = flags >> 6 or single
    plain_head = head[:4] == b"\x28\xb5\x2f\xfd" and flags & 0b1111 == 0b0100
    if not plain_head or not sized or size != frame.plain:
        raise Refused(f"{name}: at offset {frame.offset} is no frame of {frame.plain} bytes with a checksum")


def feed(source, frames, sink, name, failures):
    """Hands the stored frames of one pack to zstd, which takes them as one stream."""
    position = 0
    try:
        for frame in frames:
            while position < frame.offset:
                position += len(exactly(source, min(BLOCK, frame.offset - position), name))
            stored = exactly(source, frame.stored, name)
            check_frame(stored, frame, name)
            sink.write(stored)
            position += frame.stored
        while source.read(BLOCK):  # age says only at the end that it was all
            pass
    except BrokenPipeError:  # zstd has ended, and its exit code says why
        pass
    except Refused as error:
        failures.append(error)
    except (OSError, ValueError) as error:  # the latter: closed under us, given up already
        failures.append(Refused(f"{name}: cannot be read: {error}"))
    finally:
        with contextlib.suppress(OSError):
            sink.close()


def read_frames(repository, name, frames):
    """The plaintexts of the frames of one pack, in the order of their offsets. The
    last checks come after the last frame: whoever reads has to read to the end."""
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(open(repository.path(name), "rb"))
        age, source = repository.unsealed(file, stack)
        zstd = stack.enter_context(started(["zstd", "--decompress", "--stdout"], subprocess.PIPE))
        failures = []
        feeder = threading.Thread(target=feed, args=(source, frames, zstd.stdin, name, failures), daemon=True)
        feeder.start()
        for frame in frames:
            plain = zstd.stdout.read(frame.plain)
            if len(plain) != frame.plain:
                break
            yield frame, plain
        too_short, too_long = len(plain) != frame.plain, zstd.stdout.read(1) != b""
        zstd.stdout.close()
        feeder.join()
        source.close()
        if age:
            check_exit(age, name)
        for failure in failures:
            raise failure
        if not too_long:
            check_exit(zstd, name)
        if too_short or too_long:
            raise Refused(f"{name}: its frames expand to other lengths than the manifest says")


def packs_of(repository, backup, manifest, wanted):
    """The packs that hold the frames `wanted`: name, cited length and hash, frames."""
    own = f"{backup['cluster']}/backups/{backup['id']}"
    with fields_of(f"{own}/backup"):
        cited = {(need["backup"], pack["number"]): (pack["length"], from_hex(pack["blake3"], 32))
                 for need in backup["needs"] for pack in need["packs"]}
    by_pack = {}
    for frame in sorted(wanted, key=lambda at: manifest.frames[at].offset):
        by_pack.setdefault(manifest.packs[manifest.frames[frame].pack], []).append(frame)
    for reference, frames in by_pack.items():
        if reference not in cited:
            raise Refused(f"{own}/backup: does not cite pack {reference[1]} of {reference[0]}")
        end = 0
        for frame in (manifest.frames[at] for at in frames):
            if frame.offset < end:
                raise Refused(f"{own}/manifest: two frames of a pack overlap")
            end = frame.offset + frame.stored
        identifier, number = reference
        yield f"{backup['cluster']}/backups/{identifier}/packs/{number}", *cited[reference], frames


def hash_file(file, hasher):
    file.seek(0)
    for data in iter(lambda: file.read(BLOCK), b""):
        hasher.update(data)
    return hasher.digest()


def restore(repository, backup, verify_hashes, output):
    """Writes the dump into the open file `output`; "Order of reads"."""
    identifier = f"{backup['cluster']}/backups/{backup['id']}"
    if backup["kind"] != "dump":
        raise Refused(f"{identifier}/backup: a backup of kind {backup['kind']!r}; this restores dumps")
    manifest = repository.manifest(backup)
    dump = manifest.files.get("dump")
    if dump is None or dump.size != backup["raw_bytes"]:
        raise Refused(f"{identifier}/manifest: has no file 'dump' of {backup['raw_bytes']} bytes")
    hashed = dump.size <= HASH_BY_DEFAULT if verify_hashes is None else verify_hashes
    key = repository.content_key() if hashed else None

    places, position = {}, 0  # of each frame: where in the file its extents go
    for frame, offset, length in dump.extents:
        places.setdefault(frame, []).append((position, offset, length))
        position += length
    for name, length, digest, wanted in packs_of(repository, backup, manifest, places):
        try:
            with open(repository.path(name), "rb") as pack_file:
                found = os.fstat(pack_file.fileno()).st_size
                if found != length:
                    raise Refused(f"{name}: {found} bytes where {length} should be")
                if hashed and hash_file(pack_file, Blake3()) != digest:
                    raise Refused(f"{name}: its BLAKE3 hash is not the one that the backup cites")
        except OSError as error:
            raise Refused(f"{name}: cannot be read: {error.strerror}") from None
        expected = iter(wanted)
        for frame, plain in read_frames(repository, name, [manifest.frames[at] for at in wanted]):
            if hashed and Blake3(key).update(plain).digest() != frame.hash:
                raise Refused(f"{name}: the frame at offset {frame.offset} has another hash")
            for position, offset, length in places[next(expected)]:
                output.seek(position)
                output.write(plain[offset:offset + length])
    if output.seek(0, os.SEEK_END) != dump.size:
        raise Refused(f"{identifier}/manifest: its frames do not come to {dump.size} bytes")
    if hashed and hash_file(output, Blake3(key)) != dump.hash:
        raise Refused(f"{identifier}/manifest: the dump's hash is not the one in the manifest")
    return dump.size, hashed


def report(repository, size, hashed):
    """Says what was checked and what was not."""
    seal = "age's authentication of every pack, " if repository.sealed else ""
    say("verified: hash and signature of every record that was read, the manifest's hash in the backup,\n"
        f"  lengths of packs, frames and dump, {seal}zstd's checksum of every frame")
    if hashed:
        say("verified: BLAKE3 hashes of the packs, of every frame and of the whole dump")
    else:
        say("NOT verified: BLAKE3 hashes of the packs, of the frames and of the dump; --verify-hashes does,\n"
            f"  and takes some {max(1, size // HASHED_A_MINUTE)} minutes here")
    if not repository.sealed:
        say("NOT verified: who wrote it: whoever reads an unencrypted repository can sign for it")
    elif not repository.pinned:
        say("NOT verified: whose repository it is: the key file does not name its root key")


# The command line.

@contextlib.contextmanager
def new_file(path):
    """A file that gets its name once it is whole and durable, and never another's."""
    if os.path.lexists(path):
        raise Refused(f"{path}: exists already")
    directory = os.path.dirname(os.path.abspath(path))
    descriptor, temporary = tempfile.mkstemp(prefix=".restore-", dir=directory)  # mode 0600
    try:
        with open(descriptor, "w+b") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
        try:
            os.link(temporary, path)  # unlike a rename, it replaces nothing
        except FileExistsError:
            raise Refused(f"{path}: exists already") from None
        except OSError:  # no hard links here
            os.rename(temporary, path)
        parent = os.open(directory, os.O_RDONLY)
        os.fsync(parent)
        os.close(parent)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


def choose(repository, cluster, wanted, database):
    """The one backup whose id begins so, or the newest one of a database."""
    if not is_cluster(cluster):
        raise Refused(f"{cluster!r} is no cluster's name")
    found, unreadable = [], []
    for identifier in repository.backups(cluster):
        if wanted is None or identifier.startswith(wanted):
            try:
                found.append(repository.backup(cluster, identifier))
            except Refused as error:
                unreadable.append((identifier, error))
    if wanted is None:
        found = [backup for backup in found if backup["database"] == database]
        found.sort(key=lambda backup: (backup["started"].rstrip("Z"), backup["id"]))
        del found[:-1]
    for identifier, error in unreadable:
        # An older backup is never taken unasked in the place of a damaged one.
        if wanted is not None or not found or identifier[:16] >= found[0]["id"][:16]:
            raise Refused(f"{error}; it may be the one that is wanted: choose another with --backup ID")
    if len(found) != 1:
        told = f"whose id begins with {wanted!r}" if wanted is not None else f"of database {database!r}"
        raise Refused(f"{cluster}: {len(found) or 'no'} backups {told}; --list shows all")
    return found[0]


def print_list(repository, clusters):
    failed = False
    for cluster in clusters:
        for identifier in repository.backups(cluster):
            try:
                backup = repository.backup(cluster, identifier)
            except Refused as error:
                say(f"error: {error}")
                failed = True
                continue
            database = backup["database"]
            shown = database if database.isprintable() and " " not in database else json.dumps(database)
            print(identifier, cluster, backup["kind"], shown, backup["started"], backup["raw_bytes"], sep="  ")
    return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser(description="Brings a dump back from a pgkeep repository without pgkeep.")
    parser.add_argument("repository", metavar="DIRECTORY", help="where the repository is")
    parser.add_argument("--identity", metavar="FILE", help="the recovery key; not needed to list, or unencrypted")
    parser.add_argument("--cluster", metavar="NAME", help="whose backup")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--list", action="store_true", help="id, cluster, kind, database, start, bytes of each backup")
    which.add_argument("--backup", metavar="ID", help="the backup whose id is this or begins so")
    which.add_argument("--database", metavar="NAME", help="the newest backup of this database")
    parser.add_argument("--output", metavar="FILE", help="a new file for the archive; - is stdout, once all of it was checked")
    parser.add_argument("--verify-hashes", action=argparse.BooleanOptionalAction,
                        help=f"compute BLAKE3 hashes; unasked up to {HASH_BY_DEFAULT >> 20} MiB")
    given = parser.parse_args()
    sys.stdout.reconfigure(errors="backslashreplace")
    if not given.list and not (given.cluster and given.output):
        parser.error("--cluster and --output are needed too")
    repository = Repository(given.repository, given.identity)
    if given.list:
        return print_list(repository, [given.cluster] if given.cluster else repository.clusters())
    backup = choose(repository, given.cluster, given.backup, given.database)
    to_stdout = given.output == "-"
    try:
        with tempfile.TemporaryFile() if to_stdout else new_file(given.output) as output:
            size, hashed = restore(repository, backup, given.verify_hashes, output)
            if to_stdout:  # only now that all of it was checked
                output.seek(0)
                shutil.copyfileobj(output, sys.stdout.buffer, BLOCK)
                sys.stdout.buffer.flush()
    except OSError as error:
        raise Refused(f"{given.output}: cannot be written: {error.strerror}") from None
    report(repository, size, hashed)
    say(f"restored: {backup['id']} of database {backup['database']!r}, {size} bytes, into {given.output}")
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main())
    except (Refused, OSError) as error:
        say(f"error: {error}")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
