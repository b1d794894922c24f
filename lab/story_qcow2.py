# SPDX-License-Identifier: LGPL-2.1-or-later
"""Images with internal snapshots: where each byte of a snapshot's VM state is.

Just what the stories need of images that a QEMU has just written: no compression,
no encryption, no extended L2 entries, no backing file. Anything else is refused.
"""

import dataclasses
import pathlib
import struct

from lab import process
from lab.errors import LabError

MAGIC, OFFSET_MASK, COMPRESSED = 0x514649fb, (1 << 56) - 512, 1 << 62
INCOMPATIBLE_KNOWN = 0x3    # dirty, corrupt: of no matter here


@dataclasses.dataclass
class Snapshot:
    """A snapshot's VM state: its size and the image's clusters that it lies in, None for zeros."""
    path: pathlib.Path
    size: int
    cluster: int
    places: list

    def read(self):
        """The VM state."""
        out = bytearray()
        with open(self.path, 'rb') as image:
            for place in self.places:
                if place is None:
                    out += bytes(self.cluster)
                    continue
                image.seek(place)
                out += image.read(self.cluster).ljust(self.cluster, b'\0')
        return bytes(out[:self.size])

    def in_image(self, offset, length):
        """[(offset in the image, first byte, end) of the bytes of the VM state at `offset`]."""
        found, done = [], 0
        while done < length:
            at = offset + done
            place = self.places[at // self.cluster]
            if place is None:
                raise LabError(f'{self.path}: byte {at} of the VM state has no place')
            take = min(length - done, self.cluster - at % self.cluster)
            found.append((place + at % self.cluster, done, done + take))
            done += take
        return found

    def apply(self, edits):
        """Writes the edits of `xferry check --json` into the image, if the old bytes are there."""
        with open(self.path, 'r+b') as image:
            for edit in edits:
                old, new = bytes.fromhex(edit['old']), bytes.fromhex(edit['new'])
                for place, first, end in self.in_image(edit['offset'], edit['length']):
                    image.seek(place)
                    if image.read(end - first) != old[first:end]:
                        raise LabError(f'{self.path}: byte {place} is not as it was judged')
                    image.seek(place)
                    image.write(new[first:end])


def _unpack(image, form, offset):
    return struct.unpack_from('>' + form, image, offset)


def _snapshot_entry(path, image, name):
    """(offset and length of the L1 table, size of the VM state) of the snapshot so named."""
    count, at = _unpack(image, 'IQ', 60)
    for _ in range(count):
        l1_offset, l1_size, id_len, name_len = _unpack(image, 'QIHH', at)
        old_size, extra = _unpack(image, 'II', at + 32)
        size = _unpack(image, 'Q', at + 40)[0] if extra >= 8 else old_size
        start = at + 40 + extra + id_len
        if image[start:start + name_len].decode(errors='replace') == name:
            return l1_offset, l1_size, size
        at = (start + name_len + 7) & ~7
    raise LabError(f'{path}: no snapshot named {name}')


def _place(path, image, l1, per_l2, cluster, number):
    """Where one cluster of the guest's address space is; None if nowhere."""
    l1_offset, l1_size = l1
    if number // per_l2 >= l1_size:
        return None
    l2 = _unpack(image, 'Q', l1_offset + number // per_l2 * 8)[0] & OFFSET_MASK
    if not l2:
        return None
    entry, = _unpack(image, 'Q', l2 + number % per_l2 * 8)
    if entry & COMPRESSED:
        raise LabError(f'{path}: a compressed cluster in the VM state')
    # Bit 0: the cluster reads as zeros, even where it has a place.
    return None if entry & 1 or not entry & OFFSET_MASK else entry & OFFSET_MASK


def find(path, name):
    """The snapshot so named."""
    image = pathlib.Path(path).read_bytes()
    if len(image) < 104 or _unpack(image, 'I', 0)[0] != MAGIC:
        raise LabError(f'{path}: not a qcow2 image')
    version, = _unpack(image, 'I', 4)
    if version >= 3 and _unpack(image, 'Q', 72)[0] & ~INCOMPATIBLE_KNOWN or \
            _unpack(image, 'I', 32)[0]:
        raise LabError(f'{path}: has a feature that this reader does not know')
    bits, disk = _unpack(image, 'IQ', 20)
    cluster, per_l2 = 1 << bits, 1 << bits - 3
    l1_offset, l1_size, size = _snapshot_entry(path, image, name)
    # The VM state begins behind the disk, where the next L1 entry does.
    first = -(-disk // (cluster * per_l2)) * per_l2
    places = [_place(path, image, (l1_offset, l1_size), per_l2, cluster, first + i)
              for i in range(-(-size // cluster))]
    return Snapshot(pathlib.Path(path), size, cluster, places)


def drive(image):
    """QEMU's arguments for an image of the share. 9p knows no locks worth having."""
    return ['-drive', f'if=none,id=disk,format=qcow2,file.filename=/mnt/{image},file.locking=off']


def new_image(path):
    """An empty image; its name."""
    _qemu_img('create', '-q', '-f', 'qcow2', str(path), '4M')
    return path.name


def check_image(path):
    """No error, no leaked cluster."""
    _qemu_img('check', '-q', '-f', 'qcow2', str(path))


def _qemu_img(*args):
    done = process.ask(['qemu-img', *args])
    if done.returncode:
        raise LabError(f'qemu-img {args[0]}: {(done.stderr or done.stdout).strip()}')
