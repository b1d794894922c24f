#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The stories when something is wrong: a prediction, a host's kernel, a program on a host.

Needs in the environment: SOURCE, the source tree; XFERRY, the command.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

from unittest import mock

SOURCE = pathlib.Path(os.environ['SOURCE'])
XFERRY = pathlib.Path(os.environ['XFERRY'])
sys.dont_write_bytecode = True
sys.path.insert(0, str(SOURCE))

from lab import guest, kernels, matrix, payload, story_guest, story_host  # noqa: E402
from lab.errors import LabError  # noqa: E402
from lab.story_host import Host  # noqa: E402

# An xferry that takes every host for one that accepts what it can hold.
LIAR = '''#!/usr/bin/env python3
import os, sys
args = sys.argv[1:]
if args[0] == 'check' and '--to' in args:
    args[args.index('--to') + 1] = 'preset:linux-6.6'
os.execv({real!r}, [{real!r}, *args])
'''


class Place(unittest.TestCase):
    """A test with a directory of its own."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.place = pathlib.Path(directory.name)


class Predictions(Place):
    """A story in which xferry, or its guard, is wrong."""

    def test_guard_does_nothing(self):
        (self.place / 'none.c').write_text('', encoding='ascii')
        subprocess.run(['gcc', '-shared', '-o', str(self.place / 'none.so'),
                        str(self.place / 'none.c')], check=True)
        done = subprocess.run(
            [sys.executable, str(SOURCE / 'lab/story.py'), 'g', '--journey', 'guard at the target',
             '--qemu', '7.2', '--xferry', str(XFERRY), '--guard', str(self.place / 'none.so')],
            capture_output=True, text=True, check=False,
            env={**os.environ, 'TMPDIR': str(self.place)})
        self.assertEqual(done.returncode, 4, done.stdout + done.stderr)
        where = 'FAILED g: guard at the target: QEMU 7.2, hop 1: '
        self.assertIn(where + 'predicted intact, seen lost\n', done.stdout)
        self.assertIn(where + 'the guard at the target was to say of set: vcpu=0', done.stdout)

    def test_wrong_prediction(self):
        liar = self.place / 'xferry'
        liar.write_text(LIAR.format(real=str(XFERRY)), encoding='utf-8')
        liar.chmod(0o755)
        (self.place / 'xferry-static').symlink_to(f'{XFERRY}-static')
        done = subprocess.run(
            [sys.executable, str(SOURCE / 'lab/story.py'), 'a', '--journey', 'as saved', '--qemu',
             '7.2', '--xferry', str(liar)], capture_output=True, text=True, check=False,
            env={**os.environ, 'TMPDIR': str(self.place)})
        self.assertEqual(done.returncode, 4, done.stdout + done.stderr)
        self.assertIn('FAILED a: as saved: QEMU 7.2, hop 1: predicted intact, seen lost\n',
                      done.stdout)
        self.assertIn('xferry says accepted, KVM refused KVM_SET_XSAVE: EINVAL', done.stdout)
        self.assertIn('states and consoles are left in', done.stderr)


class Hosts(Place):
    """Hosts and programs that do not do what they should."""

    def setUp(self):
        super().setUp()
        self.table = matrix.load()
        (self.place / 'share').mkdir()

    def host(self, agent=None, hook=None):
        """A host that is started and ends with the test."""
        agent = agent or story_host.compile_static(story_host.AGENT, self.place)
        host = Host('fixed/pku', kernels.get(self.table, 'fixed'), self.table.cpu('pku'), agent,
                    self.place, self.place / 'share', hook)
        self.addCleanup(host.close)
        return host

    def said(self, action):
        """What an error says; it must be one line and name the console."""
        with self.assertRaises(LabError) as caught:
            action()
        text = str(caught.exception)
        self.assertNotIn('\n', text)
        self.assertIn(str(self.place / 'fixed-pku.console'), text)
        return text

    def test_no_first_program(self):
        (self.place / 'empty').write_bytes(b'')
        text = self.said(self.host(self.place / 'empty').wait_ready)
        self.assertIn('it went down', text)
        self.assertIn('the kernel panicked: ', text)

    def test_module_does_not_load(self):
        (self.place / 'xferry.ko').write_bytes(b'no module')
        hook = guest.Hook(self.place / 'xferry.ko', 'mode=trim')
        text = self.said(self.host(hook=hook).wait_ready)
        self.assertIn('it went down', text)
        self.assertIn('story-agent: /lab/xferry.ko: Exec format error', text)

    def test_first_program_hangs(self):
        source = self.place / 'hang.c'
        source.write_text('int main(void) { for (;;) ; }\n', encoding='ascii')
        subprocess.run(['gcc', '-static', '-o', str(self.place / 'hang'), str(source)], check=True)
        host = self.host(self.place / 'hang')
        with mock.patch.object(story_host, 'BOOT_SECONDS', 4):
            self.assertIn('not up after 4 s', self.said(host.wait_ready))

    def test_programs(self):
        host = self.host()
        host.wait_ready()
        self.assertEqual(host.output(['echo', 'a b']).strip(), 'a b')
        self.assertIn('sleep did not end within 1 s',
                      self.said(lambda: host.output(['sleep', '100'], timeout=1)))
        self.assertIn('status 127', self.said(lambda: host.output(['no-such-program'])))
        self.assertIn('status 139: no', self.said(
            lambda: host.output(['sh', '-c', 'echo no >&2; kill -SEGV $$'])))
        # After all that it still does what it is told.
        self.assertEqual(host.output(['echo', 'still here']).strip(), 'still here')
        self.assertIn('Read-only file system', self.said(lambda: host.output(['touch', '/x'])))

    def test_qemu_hangs(self):
        host = self.host()
        host.wait_ready()
        since = time.monotonic()
        with mock.patch.object(story_guest, 'PROGRAM', 'cat'), \
                mock.patch.object(story_guest, 'LOAD_SECONDS', 3):
            self.said(lambda: story_guest.load_stream(host, story_guest.Build('7.2', None),
                                                      'qemu64', payload.build(), 'none'))
        self.assertLess(time.monotonic() - since, 30)
        self.assertEqual(host.output(['echo', 'still here']).strip(), 'still here')


if __name__ == '__main__':
    unittest.main()
