#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The line between two hosts: all of a stream passes, or both ends know that it did not.

The program at its ends runs here on pseudo-terminals, which are what serial ports are to it.
Needs in the environment: SOURCE, the source tree.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import tty
import unittest

SOURCE = pathlib.Path(os.environ['SOURCE'])
sys.dont_write_bytecode = True
sys.path.insert(0, str(SOURCE))

from lab import story_link  # noqa: E402
from lab.errors import LabError  # noqa: E402
from lab.story_host import WIRE, compile_static  # noqa: E402
from lab.story_link import Link, unblocked  # noqa: E402

PATIENCE_MS = 1500


class Port:
    """A pseudo-terminal: its name for a program, and the other end as Link wants a socket."""

    def __init__(self):
        self._ours, self._theirs = os.openpty()
        tty.setraw(self._theirs)    # stays raw: it is held open, as by a host's first program
        self.name = os.ttyname(self._theirs)
        self.link = self            # of a host

    def fileno(self):
        """For select."""
        return self._ours

    def recv(self, size):
        """What the program has sent."""
        return os.read(self._ours, size)

    def send(self, data):
        """To the program; how much of it went."""
        return os.write(self._ours, data)

    def setblocking(self, blocking):
        """As a socket has it."""
        os.set_blocking(self._ours, blocking)

    def close(self):
        """Both ends."""
        os.close(self._ours)
        os.close(self._theirs)


class Line(unittest.TestCase):
    """Two programs and what is between them."""

    @classmethod
    def setUpClass(cls):
        directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(directory.cleanup)
        cls.wire = compile_static(WIRE, directory.name, f'-DPATIENCE_MS={PATIENCE_MS}')

    def setUp(self):
        self.ports = [Port(), Port()]
        for port in self.ports:
            self.addCleanup(port.close)

    def start(self, verb, port, **more):
        """The program at one end."""
        program = subprocess.Popen([self.wire, verb, port.name], stderr=subprocess.PIPE, **more)
        self.addCleanup(program.communicate)
        self.addCleanup(program.kill)
        return program

    def ends(self, program, status, said=b''):
        """That it ends so."""
        self.assertIn(said, program.communicate(timeout=20)[1])
        self.assertEqual(program.returncode, status)

    def passes(self, data):
        """That this passes, as it is."""
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as got:
            given.write(data)
            given.seek(0)
            with Link(*self.ports) as link:
                receiver = self.start('receive', self.ports[1], stdout=got)
                sender = self.start('send', self.ports[0], stdin=given)
                self.ends(sender, 0)
                self.ends(receiver, 0)
            got.seek(0)
            self.assertEqual(got.read(), data)
            self.assertEqual(link.stream(), data)

    def test_passes(self):
        for size in (0, 1, 1023, 1024, 1025, 300000):
            with self.subTest(size):
                self.passes(os.urandom(size))
        # Bytes that a terminal might take for its own.
        self.passes(bytes(range(256)) * 17)

    def test_reader_leaves(self):
        with Link(*self.ports):
            receiver = self.start('receive', self.ports[1], stdout=subprocess.PIPE)
            receiver.stdout.close()
            receiver.stdout = None
            sender = self.start('send', self.ports[0], stdin=subprocess.PIPE)
            sender.stdin.write(bytes(50000))
            sender.stdin.flush()
            self.ends(receiver, 1, b'standard output: Broken pipe')
            self.assertEqual(sender.wait(20), 1)
            self.assertIn(b'the other end: Broken pipe', sender.stderr.read())

    def test_nobody_there(self):
        with Link(*self.ports):
            sender = self.start('send', self.ports[0], stdin=subprocess.DEVNULL)
            self.ends(sender, 1, b'nobody at the other end')

    def test_sender_dies(self):
        with Link(*self.ports):
            receiver = self.start('receive', self.ports[1], stdout=subprocess.DEVNULL)
            sender = self.start('send', self.ports[0], stdin=subprocess.PIPE)
            sender.stdin.write(bytes(2000))
            sender.stdin.flush()
            sender.kill()
            self.ends(receiver, 1, b'timed out')

    def test_noise(self):
        receiver = self.start('receive', self.ports[1], stdout=subprocess.DEVNULL)
        self.ports[1].send(b'no block')
        self.ends(receiver, 1, b'Protocol error')

    def test_left_over(self):
        """What an earlier user left on the way reaches nobody."""
        os.write(os.open(self.ports[0].name, os.O_RDWR | os.O_NOCTTY), b'left over')
        self.passes(b'new')

    def test_usage(self):
        for words in ((), ('send',), ('fetch', self.ports[0].name)):
            done = subprocess.run([self.wire, *words], capture_output=True, check=False)
            self.assertEqual((done.returncode, done.stderr.count(b'\n')), (16, 1))
        done = subprocess.run([self.wire, 'send', '/nonexistent'], stderr=subprocess.DEVNULL,
                              check=False)
        self.assertEqual(done.returncode, 1)


class Blocks(unittest.TestCase):
    """What is read out of what has passed."""

    def test_unblocked(self):
        for sent, data in ((b'', b''), (b'b\0\0', b''), (b'b\2\0xyb\1\0zb\0\0', b'xyz'),
                           (b'b\2\0xyb\1', b'xy'), (b'b\4\0xy', b'xy')):
            self.assertEqual(unblocked(sent), data)
        with self.assertRaisesRegex(LabError, 'no block at byte 5'):
            unblocked(b'b\2\0xyh\0\0')

    def test_commands(self):
        """Both ends use the port that the host's first program holds open."""
        agent = (SOURCE / 'lab/story-agent.c').read_text(encoding='utf-8')
        for command in (story_link.SEND, story_link.RECEIVE):
            self.assertIn(f'"{command.split()[-1]}"', agent)


if __name__ == '__main__':
    unittest.main()
