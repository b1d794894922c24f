# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a disk may hold when the power fails, after every change that an operation makes.

The model is stricter than any file system of today. Until a file is synced, each sector of 512
bytes that was written to it may be there or not, and its new size may be there or not, all in
any combination; a write of a few bytes may be torn in two even within a sector. Until a directory
is synced, each change of its entries may be there or not, in any combination; only a rename
within one directory is one change. To sync a file does not make its name durable.
"""

import hashlib
import os
import random
from collections import Counter

import place as places
from operations import Lost
from scenarios import MODE

SECTOR = 512
SMALL = 64  # bytes; a write that is torn in two
ALL_SUBSETS = 10  # units, of which all combinations are tried
SEED = 7


def pieces_of(offset, data):
    """What of a write may be there without the rest of it."""
    if len(data) <= SMALL:
        middle = max(1, len(data) // 2)
        cuts = [0, middle, len(data)] if len(data) > 1 else [0, len(data)]
    else:
        first = SECTOR - offset % SECTOR
        cuts = [0, *range(first, len(data), SECTOR), len(data)]
    return [('data', offset + low, data[low:high]) for low, high in zip(cuts, cuts[1:])]


class File:
    """An inode: what is durable of it, and what may be."""

    def __init__(self, content=b''):
        self.durable, self.pending, self.size = content, [], len(content)

    def write(self, offset, data):
        """All of a write is pending."""
        self.pending += pieces_of(offset, data)
        if offset + len(data) > self.size:
            self.resize(offset + len(data))

    def resize(self, size):
        """The size is a unit of its own."""
        self.size = size
        self.pending.append(('size', size, b''))

    def with_pieces(self, chosen):
        """The content that these pieces make."""
        sizes = [number for what, number, _ in chosen if what == 'size']
        size = sizes[-1] if sizes else len(self.durable)
        content = bytearray(self.durable[:size].ljust(size, b'\0'))
        for what, offset, data in chosen:
            if what == 'data' and offset < size:
                data = data[:size - offset]
                content[offset:offset + len(data)] = data
        return bytes(content)

    def sync(self):
        """All that is pending is durable."""
        self.durable, self.pending = self.with_pieces(self.pending), []


class Directory:
    """Names of inodes; what is pending are changes, each of one or more names."""

    def __init__(self, entries):
        self.durable, self.pending = entries, []

    def with_changes(self, chosen):
        """The entries after these changes."""
        entries = dict(self.durable)
        for change in chosen:
            entries.update(change)
        return {name: inode for name, inode in entries.items() if inode is not None}

    def sync(self):
        """All that is pending is durable."""
        self.durable, self.pending = self.with_changes(self.pending), []


class Disk:
    """A directory tree, by inodes."""

    def __init__(self, root):
        self.root = os.path.realpath(root)
        self.files, self.directories, self.paths = {}, {}, {}
        for path, _, names in os.walk(self.root):
            entries = {}
            for name in names:
                with open(os.path.join(path, name), 'rb') as file:
                    entries[name] = os.fstat(file.fileno()).st_ino
                    self.files[entries[name]] = File(file.read())
            inode = os.stat(path).st_ino
            self.directories[inode] = Directory(entries)
            self.paths[path] = inode

    def directory_of(self, path):
        """The directory, and the name in it; None for what lies elsewhere."""
        folder, name = os.path.split(path)
        inode = self.paths.get(folder)
        return (self.directories[inode] if inode else None), name

    def file(self, inode):
        """One that was not there before begins empty: it is nameless still."""
        return self.files.setdefault(inode, File())

    # ---- Changes ----

    def change_names(self, changes):
        """Changes of paths' entries that come together."""
        by_directory = {}
        for path, inode in changes:
            directory, name = self.directory_of(path)
            if directory:
                by_directory.setdefault(id(directory), (directory, {}))[1][name] = inode
        for directory, change in by_directory.values():
            directory.pending.append(change)

    def inode_at(self, path):
        """Which file a path names for the processes that run."""
        directory, name = self.directory_of(path)
        return directory.with_changes(directory.pending).get(name)

    def apply(self, line):
        """One line of what changes.c wrote down; False if it changes nothing."""
        what, *words = line.split(' ')
        if what == 'data':
            self.file(int(words[0])).write(int(words[1]), bytes.fromhex(words[2]))
        elif what == 'size':
            self.file(int(words[0])).resize(int(words[1]))
        elif what == 'name':
            self.change_names([(words[1], int(words[0]))])
        elif what == 'rename':
            self.change_names([(words[0], None), (words[1], self.inode_at(words[0]))])
        elif what == 'unlink':
            self.change_names([(words[0], None)])
        elif what == 'sync':
            inode = int(words[0])
            (self.directories.get(inode) or self.file(inode)).sync()
        elif what == 'unknown':
            raise AssertionError(f'the model does not know this: {line}')
        else:
            return False
        return True

    # ---- What may be there ----

    def units(self):
        """All that may be there or not: changes of entries, and pieces of files with a name."""
        units, named = [], set()
        for inode, directory in self.directories.items():
            units += [(inode, i) for i in range(len(directory.pending))]
            for entries in [directory.durable, *directory.pending]:
                named.update(entries.values())
        for inode in sorted(named - {None}):
            units += [(inode, i) for i in range(len(self.file(inode).pending))]
        return units

    def entries_with(self, chosen):
        """The files there are when these units came through."""
        by_inode = {}
        for inode, i in chosen:
            by_inode.setdefault(inode, []).append(i)

        def pick(inode, pending):
            return [pending[i] for i in by_inode.get(inode, [])]

        names, contents = {}, {}
        for path, inode in self.paths.items():
            directory = self.directories[inode]
            for name, file in directory.with_changes(pick(inode, directory.pending)).items():
                names.setdefault(file, []).append(
                    os.path.relpath(os.path.join(path, name), self.root))
        for inode in names:
            file = self.file(inode)
            contents[inode] = file.with_pieces(pick(inode, file.pending))
        return {name: places.Entry(contents[inode], MODE, tuple(sorted(names[inode])))
                for inode in names for name in names[inode]}


def subsets(units, dice, samples):
    """All of them when these are few; else none, all, all but one, one alone, and by chance."""
    if len(units) <= ALL_SUBSETS:
        for bits in range(1 << len(units)):
            yield [unit for i, unit in enumerate(units) if bits >> i & 1]
        return
    yield []
    yield units
    few = dice.sample(units, min(samples, len(units)))
    for unit in [units[0], *few, units[-1]]:
        yield [unit]
        yield [other for other in units if other != unit]
    for _ in range(samples):
        share = dice.random()
        yield [unit for unit in units if dice.random() < share]


def fingerprint(entries):
    """Equal for equal directories."""
    return tuple(sorted((name, hashlib.sha256(entry.content).digest(), entry.names)
                        for name, entry in entries.items()))


def lose_power(operation, lines, disk, tell, samples, seen, why=''):
    """After each change: counts of states, of lost ones, and of distinct ones among them, which
    are those that are not in `seen` yet. `why`: what had gone wrong before."""
    counts, dice = Counter(), random.Random(SEED)
    for number, line in enumerate(['start', *lines]):
        if line != 'start' and not disk.apply(line):
            continue
        for chosen in subsets(disk.units(), dice, samples):
            entries = disk.entries_with(chosen)
            counts['states'] += 1
            key = fingerprint(entries)
            if key in seen:
                continue
            seen.add(key)
            counts['distinct'] += 1
            places.put(operation.work, entries, operation.directories)
            try:
                operation.judge(None)
            except Lost as lost:
                counts['lost'] += 1
                tell(f'{operation.name}: {why}power lost after change {number}, '
                     f'{line[:60].split(" ", 1)[0]}: {lost}')
    operation.reset()
    return counts
