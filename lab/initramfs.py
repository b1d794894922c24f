# SPDX-License-Identifier: LGPL-2.1-or-later
"""An initramfs, written without being root: the "newc" cpio archive that kernels unpack.

Device nodes, owners and modes are only numbers in it.
"""

import stat

from pathlib import Path

# Path: (mode, major, minor). The console must be there before devtmpfs can be.
DEVICES = {
    'dev/console': (0o600, 5, 1),
    'dev/null': (0o666, 1, 3),
    'dev/kmsg': (0o600, 1, 11),
    'dev/kvm': (0o600, 10, 232),
    'dev/ttyS0': (0o600, 4, 64),
    'dev/ttyS1': (0o600, 4, 65),
    'dev/ttyS2': (0o600, 4, 66),
    'dev/ttyS3': (0o600, 4, 67),
}


class Archive:
    """Files for an initramfs; directories above them are made."""

    def __init__(self, devices=True):
        self._entries = {}
        if devices:
            for path, (mode, major, minor) in DEVICES.items():
                self._add(path, stat.S_IFCHR | mode, b'', (major, minor))

    def _add(self, path, mode, data, device=(0, 0)):
        path = path.strip('/')
        parent = str(Path(path).parent)
        if parent != '.' and parent not in self._entries:
            self.directory(parent)
        self._entries[path] = (mode, data, device)

    def directory(self, path):
        """An empty directory."""
        self._add(path, stat.S_IFDIR | 0o755, b'')

    def file(self, path, data, mode=0o644):
        """A file with these bytes."""
        self._add(path, stat.S_IFREG | mode, data)

    def program(self, path, source):
        """A program of this machine; it must be static, as no library comes with it."""
        self._add(path, stat.S_IFREG | 0o755, Path(source).read_bytes())

    def link(self, path, target):
        """A symbolic link."""
        self._add(path, stat.S_IFLNK | 0o777, target.encode())

    def bytes(self):
        """The archive. Parents come before what is in them: they were added first."""
        parts = [_entry(i + 1, path, *entry) for i, (path, entry) in
                 enumerate(self._entries.items())]
        parts.append(_entry(0, 'TRAILER!!!', 0, b'', (0, 0)))
        return b''.join(parts)

    def write(self, path):
        """The archive as a file."""
        Path(path).write_bytes(self.bytes())


def _entry(inode, path, mode, data, device):
    name = path.encode() + b'\0'
    fields = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name), 0)
    head = b'070701' + ''.join(f'{field:08X}' for field in fields).encode() + name
    return _padded(head) + _padded(data)


def _padded(data):
    return data + bytes(-len(data) % 4)
