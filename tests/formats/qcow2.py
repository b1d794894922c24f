#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads, makes and spoils qcow2 images, without any code of xferry's or QEMU's.

    qcow2.py make IMAGE [--bits 16] [--version 3] [--extended] [--order 4] [--disk 4194304]
             [--state NAME=STREAM] [--state32 NAME=STREAM] [--bare NAME]
             [--tail NAME=STREAM] [--loaded NAME] [--backing NAME]...
        snapshots in the order given: with a machine's state, with the 40-byte entries of old
        (no extra data), without state, with a shorter state that has the last one's remnants
        behind it. --loaded: the disk has this snapshot's tables, as after `qemu-img snapshot -a`.
    qcow2.py poke IMAGE PLACE VALUE...
        writes a number. PLACE is header:FIELD, snapshot:N:FIELD, l1:N:INDEX (N: a position, or
        "disk"), l2:N:ADDRESS, bitmap:N:ADDRESS (of a snapshot's state), refcount:OFFSET,
        byte:OFFSET, word:OFFSET, zero:N (the L2 entry of a cluster of zeros). VALUE is a
        number or, with @ before it, where such a PLACE is, or the place that @*PLACE has in
        it; numbers joined by + are added up, by ^ are exclusive or.
    qcow2.py cut IMAGE VALUE         truncates
    qcow2.py state IMAGE N OUT       the machine's state of a snapshot
    qcow2.py at IMAGE VALUE          prints a VALUE
    qcow2.py unpad IMAGE N           moves the last cluster of a state to the file's end, and ends
                                     the file with the state's last byte
    qcow2.py share IMAGE N COUNT     COUNT L1 entries of a snapshot without a disk name one L2
                                     table, whose entries all name the first cluster of
                                     snapshot 0's state
    qcow2.py shift STREAM N OUT      the stream with N more bytes before its RAM

What is made passes `qemu-img check`; what is read is what QEMU reads.
"""

import argparse
import re
import struct
import sys

MASK = 0x00fffffffffffe00
COPIED, COMPRESSED = 1 << 63, 1 << 62
HEADER = {'magic': (0, 4), 'version': (4, 4), 'backing': (8, 8), 'backing_size': (16, 4),
          'bits': (20, 4), 'size': (24, 8), 'crypt': (32, 4), 'l1_size': (36, 4), 'l1': (40, 8),
          'refcounts': (48, 8), 'refcounts_clusters': (56, 4), 'snapshots': (60, 4),
          'table': (64, 8), 'incompatible': (72, 8), 'compatible': (80, 8), 'autoclear': (88, 8),
          'order': (96, 4), 'length': (100, 4)}
ENTRY = {'l1': (0, 8), 'l1_size': (8, 4), 'id_size': (12, 2), 'name_size': (14, 2),
         'state_size32': (32, 4), 'extra_size': (36, 4), 'state_size': (40, 8),
         'disk_size': (48, 8), 'icount': (56, 8)}
EXTENDED_L2 = 1 << 4
CPU_SECTION = re.compile(rb'\x04....\x03cpu....\x00\x00\x00\x0c', re.DOTALL)
XSTATE_BV = 17 + 1553
VERBS = ('make', 'poke', 'cut', 'state', 'at', 'unpad', 'share', 'shift')


def up(number, unit):
    """The next multiple of unit."""
    return -(-number // unit) * unit


def shift(path, count, out):
    """Makes the machine's name longer, so that the vCPUs lie otherwise in their clusters."""
    with open(path, 'rb') as file:
        data = file.read()
    length, = struct.unpack_from('>I', data, 9)
    name = data[13:13 + length] + b'x' * count
    with open(out, 'wb') as file:
        file.write(data[:9] + struct.pack('>I', len(name)) + name + data[13 + length:])


class Image:
    """An image in memory."""

    def __init__(self, data):
        self.data = data
        self.bits = self.header('bits')
        self.cluster = 1 << self.bits
        version3 = self.header('version') >= 3
        self.extended = bool(version3 and self.header('incompatible') & EXTENDED_L2)
        self.order = self.header('order') if version3 else 4
        self.entry = 16 if self.extended else 8
        self.covered = self.cluster * (self.cluster // self.entry)

    @classmethod
    def load(cls, path):
        with open(path, 'rb') as file:
            return cls(bytearray(file.read()))

    def save(self, path):
        """Clusters of zeros take no room on the disk."""
        with open(path, 'wb') as file:
            for at in range(0, len(self.data), self.cluster):
                piece = self.data[at:at + self.cluster]
                if piece.count(0) < len(piece):
                    file.seek(at)
                    file.write(piece)
            file.truncate(len(self.data))

    def number(self, place):
        offset, size = place
        return int.from_bytes(self.data[offset:offset + size], 'big')

    def put(self, place, value):
        offset, size = place
        self.data[offset:offset + size] = (value % (1 << 8 * size)).to_bytes(size, 'big')

    def header(self, field):
        return self.number(HEADER[field])

    def snapshots(self):
        """Each as a dictionary, with the place of its entry."""
        found, at = [], self.header('table')
        for _ in range(self.header('snapshots')):
            at = up(at, 8)
            entry = {name: self.number((at + offset, size))
                     for name, (offset, size) in ENTRY.items()}
            text = at + 40 + entry['extra_size']
            if entry['extra_size'] < 8:
                entry['state_size'] = entry['state_size32']
            if entry['extra_size'] < 16:
                entry['disk_size'] = self.header('size')
            entry['at'] = at
            entry['id'] = bytes(self.data[text:text + entry['id_size']]).decode()
            text += entry['id_size']
            entry['name'] = bytes(self.data[text:text + entry['name_size']]).decode()
            at = text + entry['name_size']
            found.append(entry)
        return found

    def l1_place(self, owner, index):
        table = self.header('l1') if owner == 'disk' else self.snapshots()[int(owner)]['l1']
        return table + 8 * index, 8

    def base(self, owner):
        """The address at which an owner's machine state begins."""
        size = (self.header('size') if owner == 'disk'
                else self.snapshots()[int(owner)]['disk_size'])
        return up(size, self.covered)

    def l2_place(self, owner, address):
        """Where the L2 entry of an address of the owner's state is; None without a table."""
        address += self.base(owner)
        table = self.number(self.l1_place(owner, address // self.covered)) & MASK
        if not table:
            return None
        return table + address % self.covered // self.cluster * self.entry, 8

    def host(self, owner, address):
        """Where a byte of the owner's state is in the file; None: nowhere."""
        place = self.l2_place(owner, address)
        entry = self.number(place) if place else 0
        if entry & COMPRESSED:
            raise ValueError(f'a compressed cluster in the state at {address}')
        if not entry & MASK or (not self.extended and entry & 1):
            return None
        if self.extended:
            part = address % self.cluster * 32 // self.cluster
            if not self.number((place[0] + 8, 8)) >> part & 1:
                return None
        return (entry & MASK) + address % self.cluster

    def state(self, owner):
        """All of a snapshot's state."""
        size, out = self.snapshots()[int(owner)]['state_size'], bytearray()
        step = self.cluster // 32 if self.extended else self.cluster
        for address in range(0, size, step):
            host = self.host(owner, address)
            piece = self.data[host:host + step] if host is not None else b''
            out += piece + bytes(step - len(piece))
        return bytes(out[:size])

    def vcpus(self, owner):
        """Of each vCPU in a state: where the bytes of its XSTATE_BV are, and its value."""
        state, found = self.state(owner), []
        for match in CPU_SECTION.finditer(state):
            at = match.start() + XSTATE_BV
            if at + 8 <= len(state):
                found.append(([self.host(owner, at + i) for i in range(8)],
                              int.from_bytes(state[at:at + 8], 'big')))
        return found

    def leak(self, owner, mask):
        """Sets bits in the XSTATE_BV of every vCPU."""
        for places, value in self.vcpus(owner):
            for place, byte in zip(places, (value | mask).to_bytes(8, 'big')):
                self.data[place] = byte

    def refcount_place(self, offset):
        """Where the count of references to a cluster is; orders from 3 on."""
        per_block = self.cluster * 8 >> self.order
        number = offset // self.cluster
        block = self.number((self.header('refcounts') + number // per_block * 8, 8))
        return block + (number % per_block << self.order) // 8, max(1, (1 << self.order) // 8)

    def unpad(self, owner):
        """Ends the file with the last byte of a state."""
        state = self.state(owner)
        at = len(state) - len(state) % self.cluster
        self.data += bytes(-len(self.data) % self.cluster)
        self.put(self.l2_place(owner, at), len(self.data) | COPIED)
        self.data += state[at:]

    def append(self, content):
        """Where in the file it begins: with a cluster."""
        self.data += bytes(-len(self.data) % self.cluster)
        at = len(self.data)
        self.data += content + bytes(-len(content) % self.cluster)
        return at

    def share(self, owner, count):
        """Very many references to one cluster, in little room."""
        target = struct.pack('>Q', self.number(self.l2_place('0', 0)) & MASK)
        table = self.append(target.ljust(self.entry, b'\0') * (self.cluster // self.entry))
        l1 = self.append(struct.pack('>Q', table) * count)
        for field, value in (('l1', l1), ('l1_size', count), ('disk_size', 0)):
            self.put(self.place(f'snapshot:{owner}:{field}'), value)

    def zero_cluster(self, owner):
        """The address of a cluster of a state that has nothing but zeros."""
        state = self.state(owner)
        for address in range(0, len(state), self.cluster):
            if not any(state[address:address + self.cluster]):
                return address
        raise SystemExit('qcow2.py: no cluster of zeros')

    # -- what the command line names -------------------------------------

    def place(self, text):
        """(offset, size) of what is named as in the help."""
        kind, *rest = text.split(':')
        if kind == 'header':
            return HEADER[rest[0]]
        if kind == 'snapshot':
            offset, size = ENTRY[rest[1]]
            return self.snapshots()[int(rest[0])]['at'] + offset, size
        if kind == 'l1':
            return self.l1_place(rest[0], int(rest[1], 0))
        if kind in ('l2', 'bitmap'):
            offset, size = self.l2_place(rest[0], int(rest[1], 0))
            return offset + (8 if kind == 'bitmap' else 0), size
        if kind == 'refcount':
            return self.refcount_place(self.value(':'.join(rest)))
        if kind in ('byte', 'word'):
            return self.value(':'.join(rest)), 8 if kind == 'word' else 1
        if kind == 'zero':
            return self.l2_place(rest[0], self.zero_cluster(rest[0]))
        raise SystemExit(f'qcow2.py: no place {text}')

    def term(self, text):
        if text.startswith('@*'):
            return self.number(self.place(text[2:])) & MASK
        if text.startswith('@'):
            return self.place(text[1:])[0]
        return int(text, 0)

    def value(self, text):
        total = 0
        for part in text.split('+'):
            first, *others = [self.term(term) for term in part.split('^')]
            for other in others:
                first ^= other
            total += first
        return total


class Maker:
    """Builds an image cluster by cluster, and counts references as it goes."""

    def __init__(self, bits, version, extended, order, disk):
        self.bits, self.version, self.extended, self.order = bits, version, extended, order
        self.cluster, self.entry, self.disk = 1 << bits, 16 if extended else 8, disk
        self.per_l2 = self.cluster // self.entry
        self.covered = self.cluster * self.per_l2
        self.data = bytearray(self.cluster)
        self.base = up(disk, self.covered) // self.covered
        self.l1_size = self.base
        self.tables = []    # (name, L1 as a list of L2 places, size of state, old entry)
        self.counts = {0: 1}

    def allocate(self, content):
        """A new place for some bytes; every cluster of it counted once."""
        at = len(self.data)
        self.data += content + bytes(-len(content) % self.cluster)
        for offset in range(at, len(self.data), self.cluster):
            self.counts[offset] = 1
        return at

    def l2_of(self, pieces):
        """An L2 table of clusters, each in the file or None."""
        table = bytearray(self.cluster)
        for i, place in enumerate(pieces):
            if place is not None:
                struct.pack_into('>Q', table, i * self.entry, place | COPIED)
                if self.extended:
                    struct.pack_into('>Q', table, i * self.entry + 8, 0xffffffff)
        return self.allocate(bytes(table))

    def clusters_of(self, state):
        return [self.allocate(state[at:at + self.cluster])
                for at in range(0, len(state), self.cluster)]

    def snapshot(self, name, state, old=False, remnants=None):
        """A state; behind a shorter one, the clusters that an earlier one had there."""
        clusters = self.clusters_of(state)
        if remnants is not None:
            earlier = [place for table in self.tables[remnants][1]
                       for place in self.read_l2(table)]
            clusters += earlier[len(clusters):]
        pieces = [clusters[i:i + self.per_l2] for i in range(0, len(clusters), self.per_l2)]
        self.tables.append((name, [self.l2_of(piece) for piece in pieces], len(state), old))

    def read_l2(self, table):
        for i in range(self.per_l2):
            place = struct.unpack_from('>Q', self.data, table + i * self.entry)[0] & MASK
            if place:
                yield place

    def table_of(self, l2_tables):
        entries = [0] * self.base + [table | COPIED for table in l2_tables]
        self.l1_size = max(self.l1_size, len(entries))
        return struct.pack(f'>{len(entries)}Q', *entries)

    def count(self, l1_tables):
        """Reference counts of L2 tables and clusters: one for each L1 that leads there."""
        for table in {table for l1 in l1_tables for table in l1}:
            self.counts[table] = 0
            for place in self.read_l2(table):
                self.counts[place] = 0
        for l1 in l1_tables:
            for table in l1:
                self.counts[table] += 1
                for place in self.read_l2(table):
                    self.counts[place] += 1

    def clear_copied(self, l1_place, l1_bytes):
        """COPIED is only for what is referred to once."""
        for i in range(0, l1_bytes, 8):
            table = struct.unpack_from('>Q', self.data, l1_place + i)[0]
            if not table & MASK:
                continue
            if self.counts[table & MASK] != 1:
                struct.pack_into('>Q', self.data, l1_place + i, table & MASK)
            for j in range(0, self.cluster, self.entry):
                at = (table & MASK) + j
                place = struct.unpack_from('>Q', self.data, at)[0]
                if place & MASK and self.counts[place & MASK] != 1:
                    struct.pack_into('>Q', self.data, at, place & MASK)

    def snapshot_table(self, l1_places):
        out = bytearray()
        for i, ((name, _, size, old), (place, length)) in enumerate(zip(self.tables, l1_places)):
            out += bytes(-len(out) % 8)
            id_ = str(i + 1).encode()
            extra = b'' if old else struct.pack('>QQQ', size, self.disk, (1 << 64) - 1)
            out += struct.pack('>QIHHIIQII', place, length // 8, len(id_), len(name.encode()),
                               1700000000, 0, 0, size if size < 1 << 32 else 0, len(extra))
            out += extra + id_ + name.encode()
        return bytes(out)

    def write_refcounts(self):
        """The table and blocks of reference counts, which count themselves."""
        per_block = self.cluster * 8 >> self.order
        blocks = 1
        while True:
            table = up(8 * blocks, self.cluster) // self.cluster
            clusters = len(self.data) // self.cluster + blocks + table
            if blocks * per_block >= clusters:
                break
            blocks += 1
        first = self.allocate(bytes(blocks * self.cluster))
        at = self.allocate(b''.join(struct.pack('>Q', first + i * self.cluster)
                                    for i in range(blocks)))
        for offset, count in self.counts.items():
            bit = offset // self.cluster << self.order
            where = first + bit // 8
            if self.order < 3:
                self.data[where] |= count << bit % 8
            else:
                size = (1 << self.order) // 8
                self.data[where:where + size] = count.to_bytes(size, 'big')
        return at, table

    def finish(self, loaded=None, backing=None):
        """The image's bytes; `loaded`: the disk has this snapshot's tables."""
        active = self.tables[loaded][1] if loaded is not None else []
        self.count([tables for _, tables, _, _ in self.tables] + [active])
        l1s = []
        for tables in [active] + [tables for _, tables, _, _ in self.tables]:
            content = self.table_of(tables)
            l1s.append((self.allocate(content), len(content)))
        for place, length in l1s:
            self.clear_copied(place, length)
        table = self.allocate(self.snapshot_table(l1s[1:])) if self.tables else 0
        refcounts, clusters = self.write_refcounts()
        name = (backing or '').encode()
        incompatible = EXTENDED_L2 if self.extended else 0
        head = struct.pack('>4sIQIIQIIQQIIQ', b'QFI\xfb', self.version, 0, len(name), self.bits,
                           self.disk, 0, l1s[0][1] // 8, l1s[0][0], refcounts, clusters,
                           len(self.tables), table)
        if self.version >= 3:
            head += struct.pack('>QQQIIB7x', incompatible, 0, 0, self.order, 112, 0)
        head += bytes(8)    # no more extensions
        self.data[:len(head)] = head
        if name:
            struct.pack_into('>Q', self.data, 8, len(head))
            self.data[len(head):len(head) + len(name)] = name
        return self.data


class Given(argparse.Action):
    """Keeps the snapshots in the order in which they are given."""

    def __call__(self, parser, namespace, values, option_string=None):
        namespace.given = (namespace.given or []) + [(self.dest, values)]


def make(words):
    parser = argparse.ArgumentParser(prog='qcow2.py make')
    parser.add_argument('image')
    parser.add_argument('--bits', type=int, default=16)
    parser.add_argument('--version', type=int, default=3)
    parser.add_argument('--extended', action='store_true')
    parser.add_argument('--order', type=int, default=4)
    parser.add_argument('--disk', type=lambda text: int(text, 0), default=4 << 20)
    for kind in ('state', 'state32', 'bare', 'tail'):
        parser.add_argument('--' + kind, action=Given)
    parser.add_argument('--loaded')
    parser.add_argument('--backing')
    parser.set_defaults(given=None)
    options = parser.parse_args(words)
    maker = Maker(options.bits, options.version, options.extended, options.order, options.disk)
    for kind, text in options.given or []:
        name, _, path = text.partition('=')
        state = b''
        if path:
            with open(path, 'rb') as file:
                state = file.read()
        maker.snapshot(name, state, kind == 'state32',
                       len(maker.tables) - 1 if kind == 'tail' else None)
    names = [table[0] for table in maker.tables]
    loaded = names.index(options.loaded) if options.loaded else None
    with open(options.image, 'wb') as file:
        file.write(maker.finish(loaded, options.backing))


def main():
    if len(sys.argv) < 3 or sys.argv[1] not in VERBS:
        sys.exit(__doc__)
    verb, path, *words = sys.argv[1:]
    if verb == 'shift':
        return shift(path, int(words[0]), words[1])
    if verb == 'make':
        return make([path, *words])
    image = Image.load(path)
    if verb == 'state':
        with open(words[1], 'wb') as file:
            file.write(image.state(int(words[0])))
        return None
    if verb == 'at':
        print(image.value(words[0]))
        return None
    if verb == 'unpad':
        image.unpad(int(words[0]))
    elif verb == 'share':
        image.share(int(words[0]), int(words[1], 0))
    elif verb == 'cut':
        del image.data[image.value(words[0]):]
    else:
        # All are found before the first one is spoilt.
        pairs = list(zip(words[::2], words[1::2]))
        for place, value in [(image.place(p), image.value(v)) for p, v in pairs]:
            image.put(place, value)
    return image.save(path)


if __name__ == '__main__':
    main()
