#!/usr/bin/env python3
"""Brings a database's dump, and its server's globals, back from a pgkeep repository
without pgkeep.

Needs Python 3.9 and the programs `zstd` and, where the repository is sealed, `age`.
It reads a local directory; copy a repository that lies elsewhere with any tool.

    restore-without-pgkeep.py DIRECTORY --list
    restore-without-pgkeep.py DIRECTORY --identity recovery.key \\
        --cluster main --database app --globals --output globals.sql
    restore-without-pgkeep.py DIRECTORY --identity recovery.key \\
        --cluster main --database app --output app.dump
    psql --dbname postgres --file globals.sql
    pg_restore --create --dbname postgres app.dump

What is written is the archive that pg_dump made, in its custom format, or the SQL of
pg_dumpall --globals-only: the server's roles, their settings and its tablespaces.

FORMAT.md describes every byte; comments here name its sections. The order is the
one of "Order of reads": descriptor, keys, `backup`, its run's `outcome`, tombstones, the
manifest's root, those of its leaves that hold the file, packs of this and of other backups. Nothing is taken for
what was written before it was checked, nothing is handed on before all of it was, and
what was not checked is said.
"""

import argparse
import calendar
import contextlib
import functools
import hashlib
import io
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
import time
from array import array
from collections import namedtuple
from pathlib import Path

VERSION = 1
FRAME_LIMIT = 4 << 20  # bytes of plaintext; "Frames"
STORED_LIMIT = 4_210_752  # bytes of the same in a pack
OFFSET_LIMIT = 1 << 48  # of a frame in a pack's plaintext; "The manifest"
INDEX_LIMIT = 16 << 20  # bytes of an index pack; "Packs"
DESCRIPTOR_LIMIT = 1 << 16  # bytes
KEY, BEGIN, OUTCOME, MANIFEST, BACKUP, END, RING, TOMBSTONE = 1, 2, 3, 4, 6, 7, 8, 9  # kinds of records
LIMITS = {KEY: 1 << 20, BEGIN: 1 << 23, OUTCOME: 1 << 24, MANIFEST: 1 << 30, BACKUP: 1 << 25, END: 1 << 26,
          RING: 1 << 24, TOMBSTONE: 1 << 20}  # bytes, of plaintext too; "Records"
WRAPPED_LIMIT = 1 << 20  # bytes of a key under a passphrase
WHOLE_UNASKED = 256 << 20  # bytes of a file whose own hash is computed unasked
HASHED_A_MINUTE = 512 << 20  # bytes, very roughly
SCRYPT_LIMIT = 18  # the work factor; "Keys under a passphrase"
CLOCKS_DIFFER = 600  # seconds by which two clocks may differ
BLOCK = 1 << 20


class Refused(Exception):
    """What cannot be used, and why; the message begins with the object's name."""


class Gone(Refused):
    """What is no backup any more, and why."""


class Nothing(Refused):
    """What counts as nothing, and why; "The end of a key"."""


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


def leaves(data, first, key, mode, root):
    """The chaining values of the chunks of `data`, eight arrays of words."""
    level, whole = [array("Q") for _ in range(8)], len(data) // CHUNK
    for part, lanes in ((data[:whole * CHUNK], whole), (data[whole * CHUNK:], 1)):
        if not part and (lanes == 0 or data):
            continue
        length = len(part) // lanes
        blocks = max(1, -(-length // 64))
        words = array("I", part.ljust(lanes * blocks * 64, b"\0"))
        if sys.byteorder == "big":
            words.byteswap()
        chain = [word * pack([1] * lanes) for word in key]
        counter = pack(range(first, first + lanes))
        for at in range(blocks):
            flags = mode | (CHUNK_START if at == 0 else 0)
            if at == blocks - 1:
                flags |= CHUNK_END | (root if len(data) <= CHUNK else 0)
            block = [pack(words[16 * at + word::16 * blocks]) for word in range(16)]
            chain = compress(chain, block, counter, min(64, length - 64 * at), flags, lanes)
        first += lanes
        for values, word in zip(level, chain):
            values.extend(unpack(word, lanes))
    return level


def join(level, key, mode, root):
    """Joins the nodes of a level by twos until one is left."""
    while len(level[0]) > 1:
        nodes = len(level[0])
        pairs = nodes // 2
        flags = mode | PARENT | (root if nodes == 2 else 0)
        block = [pack(words[side:2 * pairs:2]) for side in (0, 1) for words in level]
        chain = [word * pack([1] * pairs) for word in key]
        joined = compress(chain, block, 0, 64, flags, pairs)
        level = [unpack(word, pairs) + words[2 * pairs:] for word, words in zip(joined, level)]
    return level


def blake3(source, key=None, mode=KEYED):
    """The hash of bytes, or of all that an open file has; keyed with 32 bytes."""
    key, mode = (struct.unpack("<8I", key), mode) if key else (IV, 0)
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    tree, chunks, group = [array("Q") for _ in range(8)], 0, file.read(GROUP)
    while group or not chunks:
        following = file.read(GROUP)
        root = 0 if chunks or following else ROOT
        for words, word in zip(tree, join(leaves(group, chunks, key, mode, root), key, mode, root)):
            words.extend(word)
        chunks, group = chunks + GROUP // CHUNK, following
    return struct.pack("<8I", *(words[0] for words in join(tree, key, mode, ROOT)))


def blake3_derive_key(context, material):
    key = blake3(context.encode(), struct.pack("<8I", *IV), CONTEXT)
    return blake3(material, key, MATERIAL)


# Ed25519 (RFC 8032, 5.1), verification only; "Signatures". Points are (X, Y, Z, T).

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]), (p[1] + p[0]) * (q[1] + q[0])
    c, d = 2 * p[3] * q[3] * D, 2 * p[2] * q[2]
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(number, point):
    result = (0, 1, 1, 0)
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


BASE = decode_point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def verifies(key, message, signature):
    """Whether `signature` is the key's; weak keys and odd encodings never are."""
    a, r = decode_point(key), decode_point(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= ORDER or any(times(8, point)[0] == 0 for point in (a, r)):
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % ORDER
    x, y, z, _ = add(times(s, BASE), times(k, (P - a[0], a[1], 1, P - a[3])))
    return (x - r[0] * z) % P == 0 and (y - r[1] * z) % P == 0


# Programs. What they have to say they say to stderr themselves.
ZSTD = ["zstd", "--decompress", "--stdout", "--quiet"]


@contextlib.contextmanager
def started(command, source, name, stderr=None):
    """A program that reads `source`; refuses the object `name` where it fails. Its
    output has to be read to the end."""
    process = subprocess.Popen(command, stdin=source, stdout=subprocess.PIPE, stderr=stderr)
    try:
        yield process
        if process.wait() != 0:
            raise Refused(f"{name}: {command[0]} refuses it")
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def through(command, data, limit, name, stderr=None):
    """What a program makes of `data`: at most `limit` bytes."""
    def feed():
        with contextlib.suppress(OSError), process.stdin:
            process.stdin.write(data)

    with started(command, subprocess.PIPE, name, stderr) as process:
        threading.Thread(target=feed, daemon=True).start()
        made = process.stdout.read(limit + 1)
        if len(made) > limit:
            raise Refused(f"{name}: {command[0]} makes more than {limit} bytes of it")
    return made


def decompressed(data, limit, name):
    """The content of one zstd frame (RFC 8878, 3.1.1) with a checksum. The program would
    take several, one after the other, so their ends are found here."""
    magic, descriptor = struct.unpack_from("<IB", data.ljust(5, b"\0"))
    single, checksum, dictionary = descriptor >> 5 & 1, descriptor >> 2 & 1, descriptor & 3
    at, last = 5 + (1 - single) + (single, 2, 4, 8)[descriptor >> 6], False
    while not last and at < len(data):
        block = int.from_bytes(data[at:at + 3], "little")
        last, is_repeated, length = block & 1, block >> 1 & 3 == 1, block >> 3
        at += 3 + (1 if is_repeated else length)
    if magic != 0xFD2FB528 or dictionary or not checksum or not last or at + 4 != len(data):
        raise Refused(f"{name}: is not one zstd frame with a checksum and nothing after it")
    return through(ZSTD, data, limit, name)


# Objects.
def is_id(text):  # "Object names"; whatever becomes part of a path has passed this
    return re.fullmatch("[0-9]{8}T[0-9]{6}Z-[0-9a-hjkmnp-tv-z]{8}", text) is not None


def is_cluster(text):
    return re.fullmatch("[a-z0-9][a-z0-9_-]{0,62}", text) is not None and text != "keys"


def is_time(text):  # "Notation"
    return re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,9})?Z", text) is not None


def seconds(text):
    """A time, since 1970."""
    return calendar.timegm(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")) + float(f"0{text[19:-1]}")


def from_hex(text, size):
    if not re.fullmatch(f"[0-9a-f]{{{2 * size}}}", text):
        raise ValueError(f"{text!r} is not {size} bytes in hex")
    return bytes.fromhex(text)


@contextlib.contextmanager
def understood(name):
    """Turns what is missing or malformed in an object into words."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, struct.error) as error:
        raise Refused(f"{name}: malformed, or of a newer pgkeep: {error!r}") from None


Record = namedtuple("Record", "name clear sealed object_hash limit")


class Repository:
    def __init__(self, directory, identity):
        self.directory, self.identity = Path(directory), identity
        self.age = ["age", "--decrypt", "--identity", os.path.abspath(identity or "")]
        self.read_descriptor()
        self.check_pins()
        self.read_keys()

    def read(self, name, limit):
        """A whole object of at most `limit` bytes."""
        with open(self.directory / name, "rb") as file:
            data = file.read(limit + 1)
        if len(data) > limit:
            raise Refused(f"{name}: more than {limit} bytes")
        return data

    def opened(self, data, limit, name, stderr=None):
        return through(self.age, data, limit, name, stderr) if self.sealed else data

    # "pgkeep.json"
    def read_descriptor(self):
        name = "pgkeep.json"
        data = self.read(name, DESCRIPTOR_LIMIT)
        with understood(name):
            digest, signature = blake3(data[:-228]), from_hex(data[-132:-4].decode(), 64)
            tail = f'  "blake3": "{digest.hex()}",\n  "signature": "{signature.hex()}"\n}}\n'
            if data[-228:] != tail.encode():
                raise Refused(f"{name}: its BLAKE3 hash or its last lines are not as they were written")
            told = json.loads(data)
            if told["format"] != "pgkeep" or told["version"] != VERSION:
                raise Refused(f"{name}: format version {told['version']}; this program reads {VERSION}")
            self.id, self.root = from_hex(told["id"], 16), from_hex(told["root"], 32)
            self.sealed = {"age": True, "none": False}[told["encryption"]]
        if not verifies(self.root, b"pgkeep descriptor v1\0" + digest, signature):
            raise Refused(f"{name}: the signature is not the root key's")

    # "Key files": a pinned root key is the only proof that this is our repository.
    def check_pins(self):
        pins = []
        if self.identity:
            lines = Path(self.identity).read_text(encoding="utf-8", errors="replace")
            pins = re.findall(r"^# pgkeep repository: (\S*) (\S*)\s*$", lines, re.MULTILINE)
        self.pinned = {root for repository, root in pins if repository == self.id.hex()}
        if pins and self.pinned != {self.root.hex()}:
            raise Refused(f"pgkeep.json: this is not the repository that the key's file belongs to")

    # "Keys": who may write is in `hosts`, by verifier; the ends of keys, and what of
    # theirs is still believed, are in `ended`, by fingerprint; those that the newest ring
    # lists are in `certain`.
    def read_keys(self):
        self.keys, self.hosts, self.ended, self.certain = [], {}, {}, set()
        rings, found = {}, {}
        kinds = {"": (KEY, self.read_key), ".retired": (END, self.read_end)}
        entries = sorted(os.listdir(self.directory / "keys"))
        for name in (f"keys/{entry}" for entry in entries if entry[0] != "."):
            try:
                of_key = re.fullmatch("keys/[0-9a-f]{32}(|[.]retired|[.]ending|[.][1-9][0-9]*[.]age)", name)
                if of_key and of_key[1] in kinds:
                    kind, read = kinds[of_key[1]]
                    found[name] = blake3(self.read(name, LIMITS[kind])).hex()
                    read(name)
                elif re.fullmatch("keys/ring-[1-9][0-9]*", name):
                    self.read_ring(name, rings)
                elif not of_key:
                    raise Refused(f"{name}: is nothing that this program knows")
                elif of_key[1] != ".ending":
                    found[name] = blake3(self.read(name, WRAPPED_LIMIT)).hex()
            except (Refused, OSError) as error:
                say(f"warning: counts as nothing: {error}")
        self.listed = rings[max(rings)] if rings else {}
        if not rings:
            say("warning: keys/: there is no ring, so what was taken away from there is not noticed")
        for name, digest in self.listed.items():
            key, is_end = name[5:37], name.endswith(".retired")
            if found.get(name) == digest:
                self.certain.update({key} & set(self.ended) if is_end else ())
                continue
            say(f"warning: {name}: counts as nothing: is not there, or is not what the newest ring lists")
            if is_end:
                self.ended[key] = {}
            self.keys = [record for record in self.keys if record.name != name]
            if name == f"keys/{key}":
                hosts = ((verifier, keys - {key}) for verifier, keys in self.hosts.items())
                self.hosts = {verifier: keys for verifier, keys in hosts if keys}

    def read_key(self, name):
        record = self.record(name, KEY, {self.root})
        with understood(name):
            role, recipient = record.clear["role"], record.clear.get("recipient", "")
            verifier = from_hex(record.clear["verifier"], 32) if "verifier" in record.clear else b""
            fingerprint = blake3(recipient.encode() + verifier)[:16].hex()
            if f"keys/{fingerprint}" != name or role not in ("recovery", "prover", "host", "owner", "open"):
                raise ValueError("it is another key's than its name says, or of no known role")
        if role != "owner":  # that one's secret is an age file also where nothing else is
            self.keys.append(record)
        if role == "host":
            self.hosts.setdefault(verifier, set()).add(fingerprint)

    def read_end(self, name):
        end = self.record(name, END, {self.root}).clear
        with understood(name):
            if f"keys/{end['key']}.retired" != name:
                raise ValueError("it is the end of another key")
            self.ended[end["key"]] = dict(end["records"])

    def read_ring(self, name, rings):
        ring = self.record(name, RING, {self.root}).clear
        with understood(name):
            if f"keys/ring-{ring['number']}" != name:
                raise ValueError("its number is not that of its name")
            rings[ring["number"]] = dict(ring["objects"])

    def check_wrapped(self, path):
        """Refuses a key under a passphrase that counts as nothing; "Keys under a passphrase"."""
        path, name = Path(path), f"keys/{Path(path).name}"
        if path.suffix != ".age" or path.resolve().parent != (self.directory / "keys").resolve():
            return
        if self.listed.get(name) != blake3(self.read(name, WRAPPED_LIMIT)).hex():
            raise Refused(f"{name}: the newest ring does not list it, so it may be under an older passphrase; "
                          "where it is all that there is, copy it to another place and give that")

    def refuse_unbelieved(self, name, writer, digest):
        """Refuses a record of a writer all of whose keys were retired, unless an end lists it."""
        keys = self.hosts.get(writer, set())
        if not keys or any(key not in self.ended or self.ended[key].get(name) == digest.hex() for key in keys):
            return
        known = all(key in self.certain and name not in self.ended[key] for key in keys)
        raise (Nothing if known else Refused)(
            f"{name}: its writer's key was retired, and this is not among what is still believed")

    # "Records"
    def record(self, name, kind, writers):
        data = self.read(name, LIMITS[kind])
        if len(data) < 24 + 128:
            raise Refused(f"{name}: {len(data)} bytes are too few for a record")
        body, trailer = data[:-128], data[-128:]
        magic, version, number, clear, sealed = struct.unpack_from("<8sHHIQ", body)
        digest = blake3(body)
        if magic != b"pgkeeprc" or digest != trailer[:32]:
            raise Refused(f"{name}: is no record, or its BLAKE3 hash is not the one written with it")
        if version != VERSION:
            raise Refused(f"{name}: format version {version}; this program reads {VERSION}")
        writer = trailer[32:64]
        if writer not in writers:
            raise Refused(f"{name}: it names {writer.hex()} as its writer, whom nobody here vouches for")
        place = name.encode()
        message = b"pgkeep record v1\0" + self.id + struct.pack("<Q", len(place)) + place + digest
        if not verifies(writer, message, trailer[64:]):
            raise Refused(f"{name}: its signature does not hold for this name and repository")
        if number != kind or 24 + clear + sealed != len(body):
            raise Refused(f"{name}: is no record of kind {kind}, or its lengths are wrong")
        with understood(name):
            record = Record(name, json.loads(body[24:24 + clear]), body[24 + clear:], blake3(data), LIMITS[kind])
        try:
            self.refuse_unbelieved(name, writer, record.object_hash)
        except Nothing as error:
            error.record = record
            raise
        return record

    def hidden(self, record, stderr=None):
        """The sealed part of a record, opened and decompressed; "Records"."""
        opened = self.opened(record.sealed, record.limit, record.name, stderr)
        return decompressed(opened, record.limit, record.name)

    # "The repository secret": in the key's own record, and in all that were written later.
    def content_key(self):
        for record in self.keys:
            with contextlib.suppress(Refused), understood(record.name):
                secret = from_hex(json.loads(self.hidden(record, subprocess.DEVNULL))["secret"], 32)
                return blake3_derive_key("pgkeep v1 content hash", secret)
        raise Refused("keys/: no record opens, so no hash of content can be verified")

    def backups(self, cluster):
        """The ids of the cluster's backups, oldest first: of those too that have a tombstone, and
        of those that were or may have been good ones and have lost their record; "To list"."""
        found, begun = set(), set()
        for folder, part in (("backups", "backup"), ("tombstones", "")):
            place = self.directory / cluster / folder
            if place.is_dir():  # an empty folder need not be there
                ids = {name for name in os.listdir(place) if is_id(name)}
                found.update(name for name in ids if os.path.lexists(place / name / part))
                begun.update(name for name in ids if any(
                    not file.startswith(".") for _, _, files in os.walk(place / name) for file in files))
        told = self.told(cluster, [(OUTCOME, "outcome")])
        found.update(name for name, end in told.items() if end == "complete" and is_id(str(name)))
        if begun - found - set(told):
            told = self.told(cluster, [(BEGIN, "begin"), (OUTCOME, "outcome")])
            found.update(name for name in begun if told.get(name, "complete") == "complete")
        return sorted(found)

    def told(self, cluster, parts):
        """How backups ended, by their runs' outcomes; None of those that a begin alone names, which
        counts for that where its writer's key was retired, too."""
        told, place = {}, self.directory / cluster / "runs"
        for run in filter(is_id, os.listdir(place) if place.is_dir() else ()):
            for kind, part in parts:
                name = f"{cluster}/runs/{run}/{part}"
                with contextlib.suppress(Refused, OSError), understood(name):
                    try:
                        record = self.record(name, kind, self.hosts)
                    except Nothing as error:
                        if kind != BEGIN:
                            raise
                        record = error.record
                    if record.clear["run"] == run:
                        told.update((backup["id"], backup.get("outcome")) for backup in record.clear["backups"])
        return told

    # "Order of reads", 4
    def backup(self, cluster, identifier):
        """The record of a backup; `Gone` is what is none any more, `Nothing` what never was one."""
        name, is_there = f"{cluster}/backups/{identifier}/backup", True
        try:
            backup = self.record(name, BACKUP, self.hosts).clear
            with understood(name):
                if (backup["id"], backup["cluster"]) != (identifier, cluster):
                    raise ValueError("it tells of another backup")
                types = {"kind": str, "database": str, "started": str, "finished": str, "raw_bytes": int,
                         "globals": bool, "needs": list}
                if not all(isinstance(backup[member], type) for member, type in types.items()):
                    raise ValueError("a member is of another type")
                if not is_id(backup["run"]) or not is_time(backup["started"]) or not is_time(backup["finished"]):
                    raise ValueError("its run is no id, or its start or end no time")
            self.refuse_failed(backup)
            return backup
        except (Nothing, FileNotFoundError):
            is_there = False
            raise
        finally:  # whatever came of it: parts of what is deleted may be gone
            self.refuse_deleted(cluster, identifier, is_there)

    def refuse_failed(self, backup):
        """Refuses a backup that its own run calls failed; "outcome"."""
        name = f"{backup['cluster']}/runs/{backup['run']}/outcome"
        if not os.path.lexists(self.directory / name):  # it goes on, or was cut off
            return
        try:
            outcome = self.record(name, OUTCOME, self.hosts).clear
            with understood(name):
                if outcome["run"] != backup["run"]:
                    raise ValueError("it tells of another run")
                ends = {told["outcome"] for told in outcome["backups"] if told["id"] == backup["id"]}
                if not ends <= {"complete", "failed"}:
                    raise ValueError("a backup ended in a way that is not known")
        except (Refused, OSError) as error:
            say(f"warning: whether its run calls {backup['id']} failed is not known: {error}")
            return
        if "failed" in ends:
            raise Gone(f"{backup['id']}: is no backup: its run says that it failed")

    def refuse_deleted(self, cluster, identifier, is_there=True):
        """Refuses a backup that is there and has a tombstone, whatever that says; "Deletion"."""
        refused = None
        for name in (f"{cluster}/tombstones/{identifier}", f"{cluster}/tombstones/{identifier}.again"):
            if not os.path.lexists(self.directory / name):
                continue
            try:
                told = self.record(name, TOMBSTONE, self.hosts).clear
                with understood(name):
                    if (told["backup"], told["cluster"]) != (identifier, cluster):
                        raise ValueError("it tells of another backup")
            except (Refused, OSError) as error:
                refused = refused or error
                continue
            raise Gone(f"{identifier}: was deleted")
        if isinstance(refused, Nothing) and not is_there:
            raise refused
        if refused:
            raise Refused(f"{refused}; it hides its backup all the same")

    def manifest(self, backup):
        """The manifest's root."""
        name = f"{backup['cluster']}/backups/{backup['id']}/manifest"
        record = self.record(name, MANIFEST, self.hosts)
        with understood(name):
            if record.clear is not None:
                raise ValueError("its clear part is not null")
            if record.object_hash.hex() != backup["records"]["manifest"]:
                raise ValueError("it is not the object that the backup cites")
            root = read_root(self.hidden(record))
            if sum(leaf.raw_bytes for leaf in root.leaves) != backup["raw_bytes"]:
                raise ValueError(f"its files do not come to {backup['raw_bytes']} bytes")
            return root

    def index_pack(self, name, length, digest):
        """The plaintext of an index pack, verified whole; "Packs"."""
        if length > INDEX_LIMIT:
            raise Refused(f"{name}: {length} bytes are too many for an index pack")
        data = self.read(name, length)
        if len(data) != length or blake3(data) != digest:
            raise Refused(f"{name}: it is not the object that the backup cites, by length or BLAKE3 hash")
        return self.opened(data, INDEX_LIMIT, name)


# "The manifest": a root, which names leaves; a leaf, which says what files are made of.
Frame = namedtuple("Frame", "pack offset stored plain hash")
LeafReference = namedtuple("LeafReference", "path start raw_bytes frame")
Root = namedtuple("Root", "index leaves")
Part = namedtuple("Part", "path extents end")  # of a file; its end is its size and hash, or None
Leaf = namedtuple("Leaf", "packs frames parts")


class Numbers:
    """Reads the numbers and texts of a root or leaf, one after the other."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, layout):
        values = struct.unpack_from("<" + layout, self.data, self.at)
        self.at += struct.calcsize("<" + layout)
        return values

    def number(self, layout="I"):
        return self.take(layout)[0]

    def text(self, layout):
        return self.take(f"{self.number(layout)}s")[0].decode()

    def many(self, item):
        return [item() for _ in range(self.number())]

    def pack(self):
        identifier = self.text("B")
        if not is_id(identifier):
            raise ValueError(f"{identifier!r} is no id")
        return identifier, self.number()

    def frame(self, packs):
        frame = Frame(*self.take("IQII32s"))
        if (frame.pack >= len(packs) or frame.offset > OFFSET_LIMIT
                or frame.plain > FRAME_LIMIT or frame.stored > STORED_LIMIT):
            raise ValueError("a frame is out of range")
        return frame._replace(pack=packs[frame.pack])

    def end(self):
        if self.at != len(self.data):
            raise ValueError("bytes are left over")


def ascend(keys):
    return all(one < other for one, other in zip(keys, keys[1:]))


def read_root(data):
    numbers = Numbers(data)
    index = numbers.many(numbers.pack)
    for _ in range(numbers.number()):
        numbers.pack()  # of data: the leaves name it again
        blocks = numbers.many(lambda: (numbers.number("Q"), numbers.frame(index)))
        if not ascend([first for first, _ in blocks]):
            raise ValueError("blocks of fingerprints do not ascend")
    leaves = numbers.many(lambda: LeafReference(numbers.text("H"), *numbers.take("QQ"), numbers.frame(index)))
    numbers.end()
    if not ascend([(leaf.path.encode(), leaf.start) for leaf in leaves]):
        raise ValueError("leaves do not ascend")
    return Root(index, leaves)


def read_leaf(data, reference):
    numbers = Numbers(data)
    packs = numbers.many(numbers.pack)
    frames = numbers.many(lambda: numbers.frame(packs))

    def part():
        path = numbers.text("H")
        extents = numbers.many(lambda: numbers.take("III"))
        goes_on = {0: True, 1: False}[numbers.number("B")]
        return Part(path, extents, None if goes_on else numbers.take("Q32s"))

    parts = numbers.many(part)
    numbers.end()
    if not parts or parts[0].path != reference.path or not ascend([part.path.encode() for part in parts]):
        raise ValueError("its files are not those that the root says, or do not ascend")
    total = 0
    for part in parts:
        if any(frame >= len(frames) or offset + length > frames[frame].plain
               for frame, offset, length in part.extents):
            raise ValueError("an extent is out of range")
        length = sum(length for _, _, length in part.extents)
        start = reference.start if part is parts[0] else 0
        total += length
        if part.end is None and part is not parts[-1]:
            raise ValueError("a file goes on that is not the last one")
        if part.end and start + length != part.end[0]:
            raise ValueError("a file's extents do not come to its size")
    if total != reference.raw_bytes:
        raise ValueError("its extents do not come to what the root says")
    return Leaf(packs, frames, parts)


def leaves_with(root, path):
    """The leaves that can hold a file: those that begin with it, and the last one that
    begins before it."""
    path, before = path.encode(), []
    for leaf in root.leaves:
        begins = leaf.path.encode()
        if begins < path:
            before = [leaf]
        elif begins == path:
            yield from before + [leaf]
            before = []
    yield from before


# "Packs" and "Frames"
def frame_plaintext(frame, stored, key, name):
    """What a frame's stored bytes are, verified and decompressed."""
    at = f"{name}: at offset {frame.offset}"
    if len(stored) != frame.stored:
        raise Refused(f"{at}: it ends too early")
    if key and blake3(stored, key) != frame.hash:
        raise Refused(f"{at}: the frame has another BLAKE3 hash")
    plain = decompressed(stored, frame.plain, at)
    if len(plain) != frame.plain:
        raise Refused(f"{at}: the frame has {len(plain)} bytes where {frame.plain} should be")
    return plain


def read_pack(repository, name, length, frames, key):
    """Those `frames` of one pack with their plaintexts, in the order of their offsets.
    Whoever reads has to read to the end."""
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(open(repository.directory / name, "rb"))
        found = os.fstat(source.fileno()).st_size
        if found != length:
            raise Refused(f"{name}: {found} bytes where {length} should be")
        if repository.sealed:
            source = stack.enter_context(started(repository.age, source, name)).stdout
        position = 0
        for frame in sorted(frames, key=lambda frame: frame.offset):
            if frame.offset < position:
                raise Refused(f"{name}: at offset {frame.offset}: two frames overlap")
            while position < frame.offset and (passed := source.read(min(BLOCK, frame.offset - position))):
                position += len(passed)
            stored, position = source.read(frame.stored), frame.offset + frame.stored
            yield frame, frame_plaintext(frame, stored, key, name)
        while source.read(BLOCK):  # age says only at the end that it was all
            pass


def cited(backup, own):
    """The packs and index packs that the `backup` record cites, by the names of their objects."""
    found = {}
    with understood(f"{own}/backup"):
        for need in backup["needs"]:
            if not is_id(need["backup"]):
                raise ValueError(f"{need['backup']!r} is no id")
            for folder in ("packs", "index"):
                for pack in need.get(folder, []):
                    name = f"{backup['cluster']}/backups/{need['backup']}/{folder}/{pack['number']}"
                    found[name] = int(pack["length"]), from_hex(pack["blake3"], 32)
    return found


def plan(repository, backup, own, path, cites, key):
    """What the file `path` is made of: for each pack's object its frames, and for each
    frame where its bytes go: position in the file, offset in the frame, length, in one
    array for all. Then the file's size and hash."""
    root = repository.manifest(backup)
    index_pack = functools.lru_cache(maxsize=4)(repository.index_pack)

    def object_of(pack, folder):
        name = f"{backup['cluster']}/backups/{pack[0]}/{folder}/{pack[1]}"
        if name not in cites:
            raise Refused(f"{own}/backup: does not cite {name}")
        return name

    frames_of, position, end = {}, 0, None
    for reference in leaves_with(root, path):
        frame = reference.frame
        name = object_of(frame.pack, "index")
        stored = index_pack(name, *cites[name])[frame.offset:frame.offset + frame.stored]
        plain = frame_plaintext(frame, stored, key, name)
        with understood(f"{name}: leaf at offset {frame.offset}"):
            leaf = read_leaf(plain, reference)
            begins = reference.start if reference.path == path else 0
            for part in (part for part in leaf.parts if part.path == path):
                if end or begins != position:
                    raise ValueError("it is not where the leaf before it ends")
                for at, offset, length in part.extents:
                    frame = leaf.frames[at]
                    places = frames_of.setdefault(object_of(frame.pack, "packs"), {}).setdefault(frame, array("Q"))
                    if places and places[-3] + places[-1] == position and places[-2] + places[-1] == offset:
                        places[-1] += length
                    else:
                        places.extend((position, offset, length))
                    position += length
                end = part.end
    if end is None:
        raise Refused(f"{own}/manifest: there is no whole file {path!r} in it")
    return frames_of, end


def restore(repository, backup, path, hashes, output):
    """Writes the backup's file `path`, `dump` or `globals`, into the open file `output`, and
    tells which hashes were verified."""
    own = f"{backup['cluster']}/backups/{backup['id']}"
    if backup["kind"] != "dump":
        raise Refused(f"{own}: a backup of kind {backup['kind']!r}; this restores dumps")
    if path == "globals" and not backup["globals"]:
        raise Refused(f"{own}: has no globals: they could not be read when it was made, or were not asked for")
    cites, key = cited(backup, own), repository.content_key()
    frames_of, (size, digest) = plan(repository, backup, own, path, cites, key)

    hashes = hashes or ("all" if size <= WHOLE_UNASKED else "frames")
    work = {"none": 0, "frames": 0, "all": size}[hashes]
    if hashes != "none":
        work += sum(frame.stored for frames in frames_of.values() for frame in frames)
    if work >= HASHED_A_MINUTE:
        say(f"verifying hashes takes some {work // HASHED_A_MINUTE} minutes")
    for name, frames in frames_of.items():
        for frame, plain in read_pack(repository, name, cites[name][0], frames, key if hashes != "none" else None):
            places = frames[frame]
            for position, offset, length in zip(places[::3], places[1::3], places[2::3]):
                output.seek(position)
                output.write(plain[offset:offset + length])
    output.seek(0)
    if hashes == "all" and blake3(output, key) != digest:
        raise Refused(f"{own}/manifest: the hash of {path!r} is not the one in the manifest")
    return hashes


def report(repository, hashes):
    """Says what was checked and what was not."""
    say("verified: hash and signature of every record that was read, the hashes of the manifest and of its\n"
        "  leaves, lengths of packs, frames and file, what age and zstd check themselves")
    say({"none": "NOT verified: hashes of data: whoever can write to the storage could have put other data there",
         "frames": "verified: the hash of every frame; NOT verified: that of the whole file; --hashes all does",
         "all": "verified: the hashes of every frame and of the whole file"}[hashes])
    if not repository.pinned:
        say("NOT verified: whose repository it is: no key file was given that names its root key,\n"
            f"  {repository.root.hex()}; compare it with the one that you know")


# The command line.
@contextlib.contextmanager
def new_file(path):
    """A file that gets its name once it is whole and durable, and never another's."""
    directory = os.path.dirname(os.path.abspath(path))
    if os.path.lexists(path):
        raise Refused(f"{path}: exists already")
    with tempfile.TemporaryDirectory(prefix=".restore-", dir=directory) as hidden:
        with open(os.path.join(hidden, "file"), "x+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if os.path.lexists(path):
            raise Refused(f"{path}: exists meanwhile")
        os.rename(file.name, path)


def warn_of_nothing(error):
    if isinstance(error, Nothing):
        say(f"warning: counts as nothing: {error}")


def choose(repository, cluster, wanted, database):
    """The one backup that is named, or the newest one of a database."""
    found, gone, unreadable = [], [], []
    for identifier in repository.backups(cluster):
        if wanted is None or identifier.startswith(wanted) or identifier[17:].startswith(wanted):
            try:
                found.append(repository.backup(cluster, identifier))
            except (Gone, Nothing) as error:
                gone.append(error)
                warn_of_nothing(error)
            except (Refused, OSError) as error:
                unreadable.append((identifier, error))
    if wanted is None:
        found.sort(key=lambda backup: backup["started"].rstrip("Z"))
        of_database = [backup for backup in found if backup["database"] == database]
        found = of_database[-1:]
        soon = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + CLOCKS_DIFFER))
        if found and found[0]["started"] > soon:
            raise Refused(f"{found[0]['id']}: is dated {found[0]['started']}, which has not come, so the newest "
                          "cannot be told: choose with --backup ID")
    for identifier, error in unreadable:
        # An older backup is never taken unasked in the place of a damaged one.
        if wanted is not None or not found or identifier[:16] >= found[0]["id"][:16]:
            raise Refused(f"{error}; it may be the one that is wanted: choose another with --backup ID")
    if wanted and gone and not found:
        raise gone[0]
    if len(found) != 1:
        raise Refused(f"{cluster}: {len(found) or 'no'} backups of {wanted or database!r}; --list shows all")
    if wanted is None:
        refuse_misdated(repository, found[0], of_database)
    return found[0]


def refuse_misdated(repository, newest, backups):
    """Refuses what is the newest by its date, where another one of the `backups` of its
    database was made after it: by what refers to what, else by the storage's clock."""
    by_id = {backup["id"]: backup for backup in backups}

    def cites(backup, other):
        """Whether it has the other one as its parent or in `needs`, or its parent does."""
        met = set()
        while backup and backup["id"] not in met:
            met.add(backup["id"])
            if other["id"] in {backup.get("parent"), *(need["backup"] for need in backup["needs"])} - {backup["id"]}:
                return True
            backup = by_id.get(backup.get("parent"))
        return False

    def stored(backup):
        return os.stat(repository.directory / f"{backup['cluster']}/backups/{backup['id']}/backup").st_mtime

    with understood(f"{newest['cluster']}/backups: what was made after {newest['id']}"):
        for backup in reversed(backups):
            if seconds(backup["started"]) < seconds(newest["started"]) and (cites(backup, newest) or (
                    stored(backup) - stored(newest) > CLOCKS_DIFFER
                    and seconds(newest["finished"]) - seconds(backup["finished"]) > CLOCKS_DIFFER
                    and not cites(newest, backup))):
                raise Refused(f"{backup['id']}: was made after {newest['id']}, and says that it is older (of "
                              f"{backup['started']}, and of {newest['started']}): a clock was wrong, so the newest "
                              "cannot be told: choose one of them with --backup ID")


@contextlib.contextmanager
def key_file(path):
    """The key's file; where it lies under a passphrase, age asks for that, once, and what
    it opens to is there for as long as this runs; "Keys under a passphrase"."""
    data = Path(path).read_bytes() if path else b""
    if not data.startswith(b"age-encryption.org/"):
        yield path
        return
    cost = re.match(rb"age-encryption[.]org/v1\n-> scrypt \S+ ([0-9]{1,2})\n", data)
    if not cost or int(cost[1]) > SCRYPT_LIMIT:
        raise Refused(f"{path}: is not under a passphrase, or under one that costs too much to try")
    with tempfile.NamedTemporaryFile(prefix="restore-") as opened:
        opened.write(through(["age", "--decrypt"], data, BLOCK, path))
        opened.flush()
        yield opened.name


def print_list(repository, cluster):
    failed = 0
    clusters = [cluster] if cluster else filter(is_cluster, sorted(os.listdir(repository.directory)))
    for cluster in clusters:
        for identifier in repository.backups(cluster):
            try:
                backup = repository.backup(cluster, identifier)
                database = json.dumps(backup["database"], ensure_ascii=False)
                print(identifier, cluster, backup["kind"], database, backup["started"], backup["raw_bytes"], sep="  ")
            except (Gone, Nothing) as error:
                warn_of_nothing(error)
            except (Refused, OSError) as error:
                say(f"error: {error}")
                failed = 1
    return failed


def main():
    parser = argparse.ArgumentParser(description="Brings a dump, or the globals, back from a pgkeep "
                                     "repository without pgkeep.")
    parser.add_argument("repository", metavar="DIRECTORY", help="where the repository is")
    parser.add_argument("--identity", metavar="FILE", help="the recovery or a prover's key, or "
                        "DIRECTORY/keys/….age, which is under a passphrase; not needed to list, or unencrypted")
    parser.add_argument("--cluster", metavar="NAME", help="whose backup")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--list", action="store_true", help="id, cluster, kind, database, start, bytes of each backup")
    which.add_argument("--backup", metavar="ID", help="the backup whose id, or its end after the hyphen, begins so")
    which.add_argument("--database", metavar="NAME", help="the newest backup of this database")
    parser.add_argument("--globals", action="store_true", help="the server's globals that are with the backup "
                        "(roles, their settings, tablespaces), as SQL for psql, instead of its dump")
    parser.add_argument("--output", metavar="FILE", help="a new file for the archive or SQL; - is stdout")
    parser.add_argument("--hashes", choices=["none", "frames", "all"], help="those to verify, at some "
                        f"{HASHED_A_MINUTE >> 20} MiB a minute: of frames as they are stored, and of the whole "
                        f"file; unasked: all of a file up to {WHOLE_UNASKED >> 20} MiB, frames of a larger one")
    given = parser.parse_args()
    if not given.list and not (given.cluster and given.output):
        parser.error("--cluster and --output are needed too")
    if given.cluster and not is_cluster(given.cluster):
        parser.error(f"--cluster: {given.cluster!r} is no cluster's name")
    sys.stdout.reconfigure(errors="backslashreplace")
    os.umask(0o077)
    with key_file(given.identity) as identity:
        repository = Repository(given.repository, identity)
        if given.identity:
            repository.check_wrapped(given.identity)
        return run(repository, given)


def run(repository, given):
    if given.list:
        return print_list(repository, given.cluster)
    if repository.sealed and not given.identity:
        raise Refused("the repository is sealed: give the recovery key with --identity FILE")
    for program in ["zstd", "age"] if repository.sealed else ["zstd"]:
        if not shutil.which(program):
            raise Refused(f"{program}: there is no such program here; install it")
    backup = choose(repository, given.cluster, given.backup, given.database)
    to_stdout = given.output == "-"
    with tempfile.TemporaryFile() if to_stdout else new_file(given.output) as output:
        try:
            hashes = restore(repository, backup, "globals" if given.globals else "dump", given.hashes, output)
        except (Refused, OSError):  # what is missing may have been deleted since
            repository.refuse_deleted(backup["cluster"], backup["id"])
            raise
        if to_stdout:  # only now that all of it was checked
            output.seek(0)
            shutil.copyfileobj(output, sys.stdout.buffer, BLOCK)
            sys.stdout.buffer.flush()
    report(repository, hashes)
    what = "the globals that are with" if given.globals else "the dump of"
    say(f"restored: {what} backup {backup['id']} of database {backup['database']!r} into {given.output}")
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main())
    except (Refused, OSError) as error:
        say(f"error: {error}")
        sys.exit(1)
