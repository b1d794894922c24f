# SPDX-License-Identifier: LGPL-2.1-or-later
"""A directory whose whole content can be remembered, compared and put back."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Entry:
    """A file: what it holds, its mode, and which names are those of the same file."""
    content: bytes
    mode: int
    names: tuple


def look(place):
    """All files below a directory, by their paths in it."""
    found, inodes = {}, {}
    for directory, _, names in os.walk(place):
        for name in names:
            path = os.path.join(directory, name)
            stat = os.stat(path)
            found[os.path.relpath(path, place)] = stat
            inodes.setdefault(stat.st_ino, []).append(os.path.relpath(path, place))
    return {name: Entry(Path(place, name).read_bytes(), stat.st_mode & 0o7777,
                        tuple(sorted(inodes[stat.st_ino]))) for name, stat in found.items()}


def without(entries, is_litter):
    """The same without the names that do not count."""
    return {name: Entry(entry.content, entry.mode,
                        tuple(other for other in entry.names if not is_litter(other)))
            for name, entry in entries.items() if not is_litter(name)}


def clear(place):
    """Empties it; the directory itself stays."""
    for entry in os.scandir(place):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            os.unlink(entry.path)


def put(place, entries, directories=()):
    """Makes a directory hold just these files."""
    clear(place)
    for directory in directories:
        Path(place, directory).mkdir(parents=True)
    for name, entry in entries.items():
        path, first = Path(place, name), entry.names[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            continue
        path.write_bytes(entry.content)
        path.chmod(entry.mode)
        for other in entry.names:
            Path(place, other).parent.mkdir(parents=True, exist_ok=True)
            if other != name:
                os.link(path, Path(place, other))
        assert name == first or first in entries


def describe(entries):
    """For a person."""
    return ', '.join(f'{name} ({len(entry.content)} bytes)'
                     for name, entry in sorted(entries.items())) or 'nothing'
