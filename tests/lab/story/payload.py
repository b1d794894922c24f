#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The stories' guest notices a lost register: each component, and none that is not lost.

The guest runs in this machine's QEMU without KVM. Its state is saved, one field of it
is changed in the file, and it is loaded again: it must miss that component and no other.
Needs in the environment: SOURCE, the source tree.
"""

import os
import pathlib
import re
import shutil
import struct
import sys
import tempfile
import time
import unittest

SOURCE = pathlib.Path(os.environ['SOURCE'])
sys.dont_write_bytecode = True
sys.path[:0] = [str(SOURCE), str(SOURCE / 'tests' / 'qemu')]

from qmp import Qemu  # noqa: E402
from lab import payload  # noqa: E402
from lab.payload import Sight  # noqa: E402

# The cpu section and places in its payload: see docs/formats.md.
SECTION = re.compile(rb'\x04....\x03cpu....\x00\x00\x00\x0c', re.DOTALL)
HEADER = 17
XMM5, YMMH5, MXCSR = 560 + 5 * 16, 1561 + 5 * 16, 556
FPREGS = 156     # fpuc, fpstt, fptag and the format come first
ENOUGH = 5


class Guest:
    """One QEMU with the ROM."""

    def __init__(self, place, cpu, config=0, incoming=None):
        (place / 'rom').write_bytes(payload.build(config))
        self.console = place / 'console'
        self.console.write_bytes(b'')
        more = ['-incoming', f'exec:cat {incoming}'] if incoming else []
        self.qemu = Qemu(['qemu-system-x86_64'], [
            '-accel', 'tcg', '-cpu', cpu, '-m', '16', '-bios', str(place / 'rom'),
            '-serial', f'file:{self.console}', *more])

    def watch(self, since=0):
        """What it says from there on, once that is enough."""
        deadline = time.monotonic() + 30
        while len(self.console.read_bytes()) < since + ENOUGH:
            if time.monotonic() > deadline:
                raise AssertionError(f'the guest said only {self.console.read_bytes()!r}')
            time.sleep(0.02)
        return Sight(self.console.read_text(encoding='latin-1')[since:])

    def save(self, path):
        """Has its state written."""
        self.qemu.cmd('migrate', uri=f'exec:cat >{path}')
        deadline = time.monotonic() + 30
        while self.qemu.cmd('query-migrate').get('status') != 'completed':
            if time.monotonic() > deadline:
                raise AssertionError('migration does not end')
            time.sleep(0.02)


class Notices(unittest.TestCase):
    """What the guest says of states that were changed."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.place = pathlib.Path(directory.name)

    def guest(self, *args, **more):
        """A guest that ends with the test."""
        guest = Guest(self.place, *args, **more)
        self.addCleanup(guest.qemu.close)
        return guest

    def saved(self, cpu):
        """The state of a guest that is intact."""
        guest = self.guest(cpu)
        self.assertEqual(guest.watch().word, 'intact')
        guest.save(self.place / 'state')
        guest.qemu.close()
        return bytearray((self.place / 'state').read_bytes())

    def loaded(self, cpu, data):
        """What a guest sees that is given this state."""
        (self.place / 'state').write_bytes(data)
        guest = self.guest(cpu, incoming=self.place / 'state')
        sight = guest.watch()
        guest.qemu.close()
        return sight

    def changed(self, cpu, offset, size=8):
        """What it sees when bytes of its cpu section are changed."""
        data = self.saved(cpu)
        sections = [match.start() for match in SECTION.finditer(data)]
        self.assertEqual(len(sections), 1)
        at = sections[0] + HEADER + offset
        for i in range(at, at + size):
            data[i] ^= 0xff
        return self.loaded(cpu, data)

    def test_nothing_changed(self):
        for cpu in ('qemu64', 'max', 'max,-avx', 'max,-pku'):
            with self.subTest(cpu):
                sight = self.loaded(cpu, self.saved(cpu))
                self.assertEqual((sight.word, sight.lost), ('intact', []), sight.text)

    def test_without_xsave(self):
        self.assertEqual(self.changed('qemu64', XMM5).lost, ['sse'])
        self.assertEqual(self.changed('qemu64', MXCSR + 3, 1).lost, ['sse'])
        # Of YMM it knows nothing.
        self.assertEqual(self.changed('qemu64', YMMH5).word, 'intact')

    def test_with_xsave(self):
        self.assertEqual(self.changed('max', XMM5).lost, ['sse'])
        self.assertEqual(self.changed('max', YMMH5).lost, ['avx'])
        self.assertEqual(self.changed('max', FPREGS, 4).lost, ['x87'])

    def test_pkru(self):
        data = self.saved('max')
        at = data.index(b'\x08cpu/pkru') + 9 + 4
        self.assertEqual(struct.unpack_from('>I', data, at)[0], 0x5a5a5a58)
        struct.pack_into('>I', data, at, 0)
        self.assertEqual(self.loaded('max', data).lost, ['pkru'])

    def test_key(self):
        for config in (0, payload.SETS_PKE):
            guest = self.guest('max', config=config)
            guest.watch()
            guest.qemu.cmd('send-key', keys=[{'type': 'qcode', 'data': 'p'}])
            deadline = time.monotonic() + 30
            while b'k' not in guest.console.read_bytes() and time.monotonic() < deadline:
                time.sleep(0.02)
            sight = guest.watch(guest.console.read_bytes().index(b'k'))
            self.assertEqual(sight.word, 'intact')
            guest.qemu.close()

    def test_another_cpu(self):
        data = self.saved('qemu64')
        self.assertFalse(self.loaded('qemu64', data).new_cpu)
        self.assertTrue(self.loaded('qemu64,+xsave,+pku', data).new_cpu)

    def test_exception(self):
        rom = bytearray(payload.build())
        at = rom.index(b'\x0f\xae')      # the first FXSAVE, FXRSTOR, XSAVE or XRSTOR
        rom[at:at + 2] = b'\x0f\x0b'     # becomes UD2
        (self.place / 'rom').write_bytes(rom)
        console = self.place / 'console'
        with Qemu(['qemu-system-x86_64'], ['-accel', 'tcg', '-cpu', 'max', '-m', '16', '-bios',
                  str(self.place / 'rom'), '-serial', f'file:{console}']):
            deadline = time.monotonic() + 30
            while (not console.exists() or len(console.read_bytes()) < 7) and \
                    time.monotonic() < deadline:
                time.sleep(0.02)
        sight = Sight(console.read_text(encoding='latin-1'))
        self.assertTrue(sight.text.startswith('!06'), sight.text)
        self.assertEqual(sight.word, 'lost')


if __name__ == '__main__':
    if not shutil.which('qemu-system-x86_64'):
        print('skipped: no qemu-system-x86_64')
        sys.exit(77)
    unittest.main()
