#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Machines that hang, panic or lack what KVM needs; cells that must fail; xferry all alone.

usage: machines.py SOURCE BUILD

Runs the kernels "fixed" and "leaky" in QEMU.
"""

import contextlib
import dataclasses
import json
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from pathlib import Path

SOURCE, BUILD = (Path(sys.argv.pop(1)).resolve() for _ in range(2))
sys.dont_write_bytecode = True
sys.path.insert(0, str(SOURCE))

from lab import guest, initramfs, kernels, matrix, module, programs  # noqa: E402
from lab.errors import LabError  # noqa: E402
from lab.machine import Machine  # noqa: E402

DATA = matrix.load()
PKU = DATA.cpu('pku')


class Place(unittest.TestCase):
    """A test with a directory of its own."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.place = Path(directory.name)
        self.kernel = kernels.get(DATA, 'fixed')

    def machine(self, archive, cpu=PKU, **more):
        """A machine with that initramfs."""
        archive.write(self.place / 'initramfs')
        return Machine(self.kernel, cpu, self.place / 'initramfs', self.place / 'console', **more)


class Machines(Place):
    """What is said of a machine that does not do what it should."""

    def error(self, archive, limit=30, **more):
        """How it fails; the console is named and is kept."""
        with self.assertRaises(LabError) as caught, self.machine(archive, **more) as machine:
            machine.wait(limit)
        self.assertFalse(machine.running())
        said = str(caught.exception)
        self.assertIn(str(self.place / 'console'), said)
        self.assertEqual(len(said.splitlines()), 1)
        return said

    def test_hang(self):
        archive = initramfs.Archive()
        archive.program('init', BUILD / 'tests' / 'lab' / 'stubborn')
        said = self.error(archive, limit=8)
        self.assertIn('not at its end after 8 s', said)
        self.assertIn('stubborn: here for ever', said)
        self.assertIn('stubborn', (self.place / 'console').read_text(encoding='utf-8'))

    def test_panic(self):
        said = self.error(initramfs.Archive())
        self.assertIn('the kernel panicked: VFS: Unable to mount root fs', said)
        self.assertIn('Kernel panic', (self.place / 'console').read_text(encoding='utf-8'))

    def test_no_kernel(self):
        (self.place / 'nothing').write_bytes(b'no kernel')
        self.kernel = dataclasses.replace(self.kernel, image=self.place / 'nothing')
        self.assertIn('QEMU ended with status', self.error(initramfs.Archive()))

    def test_no_such_cpu(self):
        said = self.error(initramfs.Archive(), cpu=matrix.Cpu('odd', 'nosuch', 0))
        self.assertIn("unable to find CPU model 'nosuch'", said)

    def test_what_does_not_come(self):
        archive = initramfs.Archive()
        archive.program('init', BUILD / 'tests' / 'lab' / 'stubborn')
        with self.machine(archive) as machine:
            machine.wait_for('here for ever', 30)
            with self.assertRaises(LabError) as caught:
                machine.wait_for('never said', 1)
        self.assertIn('"never said" did not come', str(caught.exception))
        self.assertFalse(machine.running())


class Alone(Place):
    """The static xferry as the only program of a machine."""

    def probe(self, name):
        """What it says there."""
        self.kernel = kernels.get(DATA, name)
        archive = initramfs.Archive()
        archive.program('xferry', programs.Programs(BUILD).path('xferry'))
        with self.machine(archive, words='rdinit=/xferry -- probe --json') as machine:
            machine.wait(30, fine_panic=r'Attempted to kill init! exitcode=0x00000000')
        return json.loads(re.search(r'^\{$.*?^\}$', machine.text(), re.M | re.S)[0])

    def test_it_learns_what_the_kernel_does(self):
        self.assertEqual(self.probe('fixed')['get'], 'trims')
        self.assertEqual(self.probe('leaky')['get'], 'leaks')


class Modules(Place):
    """Modules that do what none may; and the real one, run beside a program of one's own."""

    def run_hooked(self, parameters, source=SOURCE / 'tests' / 'lab' / 'odd-module'):
        """What a machine reports that has loaded that module and run the probe."""
        made = programs.Programs(BUILD)
        ko = module.get(DATA, self.kernel, source)
        return guest.run(self.kernel, PKU, self.place, made, [('probe', '/xferry probe --json')],
                         hook=guest.Hook(ko, parameters), files={'xferry': made.path('xferry')})

    def refused(self, parameters):
        """How that fails."""
        with self.assertRaises(LabError) as caught:
            self.run_hooked(parameters)
        self.assertIn(str(self.place / 'console'), str(caught.exception))
        return str(caught.exception)

    def test_one_that_does_nothing_wrong(self):
        self.assertEqual(self.run_hooked('').output('probe')[1], 'exit 0')

    def test_one_that_refuses(self):
        self.assertIn('the module does not load: No such device: xferry: not today',
                      self.refused('mode=refuse'))

    def test_one_that_warns(self):
        self.assertIn('the kernel reports a warning', self.refused('mode=warn'))

    def test_one_that_does_not_unload(self):
        self.assertIn('was loaded, but does not unload', self.refused('mode=stay'))

    def test_the_real_one(self):
        report = self.run_hooked('mode=trim', module.SOURCE)
        self.assertEqual(report.output('probe')[1], 'exit 0')
        self.assertTrue(report.unloaded())


ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def heed_signals():
    """In a child: as from a terminal, also where the tests run in the background."""
    for number in ENDING:
        signal.signal(number, signal.SIG_DFL)


class Cells(Place):
    """Cells that must fail, and say why."""

    def cell(self, name, *words, **changes):
        """(status, what it said) of a cell, the matrix changed."""
        text = matrix.FILE.read_text(encoding='utf-8')
        for old, new in changes.values():
            self.assertIn(old, text)
            text = text.replace(old, new, 1)
        path = self.place / 'matrix.toml'
        path.write_text(text, encoding='utf-8')
        done = subprocess.run(
            [SOURCE / 'script' / 'lab', '--matrix', path, 'run', name, '--build', BUILD,
             '--place', self.place, '--states', '500', *words],
            capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout + done.stderr

    def test_it_passes_when_all_is_well(self):
        status, said = self.cell('fixed/pku')
        self.assertEqual(status, 0, said)

    def test_a_wrong_model_is_noticed(self):
        status, said = self.cell('fixed/pku', '--assume', 'set=guest')
        self.assertEqual(status, 1, said)
        self.assertRegex(said, r'FAILED fixed/pku: \d+ differences from the model')

    def test_a_wrong_preset_is_noticed(self):
        status, said = self.cell('fixed/pku', preset=('preset = "linux-6.1.162"',
                                                      'preset = "linux-6.2"'))
        self.assertEqual(status, 1, said)
        self.assertIn('set is "host", expected "guest"', said)

    def test_a_module_that_is_loaded_otherwise_is_noticed(self):
        status, said = self.cell('strict/pku+trim', hook=('parameters = "mode=trim"',
                                                          'parameters = "mode=observe"'))
        self.assertEqual(status, 1, said)
        self.assertRegex(said, 'module is null, expected {"set": "0x[0-9a-f]+", "get": "0x0"}')

    def test_a_module_that_refuses_is_noticed(self):
        status, said = self.cell('fixed/pku+trim', hook=('parameters = "mode=trim"',
                                                         'parameters = "mode=odd"'))
        self.assertEqual(status, 1, said)
        self.assertRegex(said, r'FAILED fixed/pku\+trim: the module does not load: Invalid argument'
                               ': xferry: mode: expected observe or trim')

    def test_a_module_that_loads_where_it_should_not_is_noticed(self):
        status, said = self.cell('fixed/pku+observe', row=(
            '[kernel.fixed]', '[kernel.fixed]\nrefuses = "not loaded"'))
        self.assertEqual(status, 1, said)
        self.assertIn('the module loads, which the matrix says it does not', said)

    def test_an_unknown_preset(self):
        status, said = self.cell('fixed/pku', preset=('preset = "linux-6.1.162"',
                                                      'preset = "linux-0.1"'))
        self.assertEqual(status, 1, said)
        self.assertIn('unknown preset "linux-0.1"', said)

    def test_another_mask_is_noticed(self):
        status, said = self.cell('fixed/pku', holds=('holds = "0x207"', 'holds = "0x7"'))
        self.assertEqual(status, 1, said)
        self.assertIn('holds 0x207, expected 0x7', said)

    def test_no_nested_svm(self):
        status, said = self.cell('fixed/pku', cpu=('"max,+svm,-mpx"', '"max,-svm,-mpx"'))
        self.assertEqual(status, 1, said)
        self.assertIn('no KVM in the cell: /dev/kvm: No such file or directory', said)

    def test_a_cpu_that_qemu_has_not(self):
        status, said = self.cell('fixed/pku', cpu=('"max,+svm,-mpx"', '"max,+svm,-mpx,+avx512f"'))
        self.assertEqual(status, 1, said)
        self.assertRegex(said, "not what the matrix asks for: QEMU says: doesn't .*avx512f")

    def start(self, name, *words):
        """A lab that runs, its cell in this place."""
        return subprocess.Popen(
            [SOURCE / 'script' / 'lab', 'run', name, '--build', BUILD, '--place', self.place,
             *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            stdin=subprocess.DEVNULL, preexec_fn=heed_signals)

    def test_two_labs_with_one_cell(self):
        for lab in [self.start('fixed/pku', '--states', '500') for _ in range(2)]:
            said = lab.communicate()[0]
            self.assertEqual(lab.returncode, 0, said)

    def machines_here(self):
        """The processes whose command names this place, the lab itself not counted."""
        found = []
        for path in Path('/proc').glob('[0-9]*/cmdline'):
            with contextlib.suppress(OSError):
                words = path.read_bytes()
                if str(self.place).encode() in words and b'-accel' in words:
                    found.append(int(path.parent.name))
        return found

    def until(self, wanted, what):
        """Waits for a condition."""
        late = time.monotonic() + 20
        while not wanted():
            self.assertLess(time.monotonic(), late, what)
            time.sleep(0.05)

    def test_no_machine_outlives_its_lab(self):
        for ending in (*ENDING, signal.SIGKILL):
            with self.subTest(signal=ending.name):
                lab = self.start('fixed/pku', '--states', '100000000')
                self.until(self.machines_here, 'no machine was started')
                lab.send_signal(ending)
                said = lab.communicate(timeout=20)[0]
                self.until(lambda: not self.machines_here(), 'its machine still runs')
                if ending == signal.SIGKILL:
                    continue
                self.assertEqual((lab.returncode, said),
                                 (128 + ending, f'lab: ended by {ending.name}\n'))

    def test_tap_and_junit(self):
        junit = self.place / 'junit.xml'
        status, said = self.cell('fixed/pku', '--tap', '--junit', junit, '--assume', 'set=guest')
        self.assertEqual(status, 1, said)
        self.assertEqual(said.splitlines()[0], '1..1')
        self.assertRegex(said.splitlines()[1], r'^not ok 1 - fixed/pku # time=\d+ms$')
        text = junit.read_text(encoding='utf-8')
        self.assertIn('failures="1"', text)
        self.assertIn('name="fixed/pku"', text)


if __name__ == '__main__':
    unittest.main()
