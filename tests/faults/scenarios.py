# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is repaired, and how: the states, and the operations on each that can go wrong."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
FORMATS = SOURCE / 'tests/formats'
SAMPLES = SOURCE / 'tests/samples'
MODE = 0o640
ELSEWHERE = ('in-place-elsewhere', 'undo-elsewhere', 'undo-cut-elsewhere')
QEMU64 = ['--cpu', 'qemu64']


def generate(script, *arguments):
    """Runs one of the scripts that make states for the tests of formats."""
    subprocess.run([sys.executable, FORMATS / script, *map(str, arguments)], check=True,
                   stdout=subprocess.DEVNULL)


def sample(name, to):
    """A stream that QEMU wrote."""
    shutil.copyfile(SAMPLES / name, to)


def make_stream(place):
    """QEMU's stream, two vCPUs: two edits, so a repair can be cut short between them."""
    sample('leaky-q35-qemu64-smp2.qevm', place / 'vm')


def make_linked(place):
    """The same under two names."""
    make_stream(place)
    os.link(place / 'vm', place / 'second')


def make_volume(place):
    """Proxmox' volume, at whose end an older snapshot's stream still lies."""
    generate('volume.py', place / 'vm', 320 << 10, SAMPLES / 'leaky-q35-qemu64-smp2.qevm',
             '--behind', SAMPLES / 'leaky-pc-qemu64.qevm')


def make_libvirt(place, packing):
    """libvirt's save image."""
    generate('libvirt.py', 'make', place / 'vm', SAMPLES / 'leaky-q35-qemu64-smp2.qevm',
             '--pack', packing)


def make_qcow2(place):
    """Two snapshots in a disk image; the repair is of the second."""
    generate('qcow2.py', 'make', place / 'vm', '--disk', 1 << 20, '--bits', 12,
             f'--state=first={SAMPLES / "leaky-pc-qemu64.qevm"}',
             f'--state=second={SAMPLES / "leaky-q35-qemu64-smp2.qevm"}')


def make_cloud_hypervisor(place):
    """A snapshot's directory, two vCPUs: numbers in JSON."""
    (place / 'snapshot').mkdir()
    generate('cloud_hypervisor.py', '--vcpus', 2, place / 'snapshot/state.json')


def make_firecracker(place):
    """Two vCPUs and the file's checksum: three edits."""
    generate('firecracker.py', '--release', '1.14', '--vcpus', 2, place / 'vm')


@dataclass(frozen=True)
class Scenario:
    """A state, and how the command is told of it."""
    name: str
    make: object
    guest: list = field(default_factory=list)
    argument: str = 'vm'  # what the command is told
    file: str = 'vm'  # what it changes
    undo: str = 'vm.xfundo'  # what it calls the undo file by itself
    rewritten: bool = False  # a new file takes the old one's place
    program: str = ''  # that packs
    has_tmpfile: bool = True  # files without a name: else a hidden name may be left
    operations: tuple = ('in-place', 'copy', 'undo', 'undo-cut')

    def lacks(self):
        """The program that this needs and this machine has not."""
        return self.program if self.program and not shutil.which(self.program) else ''


SCENARIOS = [
    Scenario('stream', make_stream, QEMU64,
             operations=('in-place', 'copy', 'undo', 'undo-cut', *ELSEWHERE, 'filter',
                         'filter-pipe')),
    Scenario('linked', make_linked, QEMU64, operations=('in-place', 'undo')),
    Scenario('volume', make_volume, QEMU64),
    Scenario('libvirt-raw', partial(make_libvirt, packing='raw')),
    Scenario('libvirt-gzip', partial(make_libvirt, packing='gzip'), rewritten=True,
             operations=('in-place', 'copy', 'undo', 'undo-cut', *ELSEWHERE)),
    Scenario('libvirt-zstd', partial(make_libvirt, packing='zstd'), rewritten=True,
             program='zstd'),
    Scenario('qcow2', make_qcow2, QEMU64, argument='vm#second',
             undo='vm#second.xfundo'),
    Scenario('cloud-hypervisor', make_cloud_hypervisor, argument='snapshot',
             file='snapshot/state.json', undo='snapshot/state.json.xfundo'),
    Scenario('firecracker', make_firecracker),
    Scenario('no-tmpfile', make_stream, QEMU64, has_tmpfile=False),
    Scenario('no-tmpfile-gzip', partial(make_libvirt, packing='gzip'), rewritten=True,
             has_tmpfile=False),
]

# The quick part has all of the first two, where a writer is another program or has another kind of
# file also the copy, and of the others what differs: where they write, and how that is undone.
QUICK = {'stream': None, 'libvirt-gzip': None,
         'libvirt-zstd': ('in-place', 'copy', 'undo'),
         'no-tmpfile': ('in-place', 'copy'), 'no-tmpfile-gzip': ('in-place', 'copy'),
         'linked': ('in-place',), 'libvirt-raw': ('in-place',)}
QUICK_OTHERS = ('in-place', 'undo')


def quick_operations(scenario):
    """Those of its operations that the quick part has."""
    return QUICK.get(scenario.name, QUICK_OTHERS) or scenario.operations


# Those at which calls fail in the quick part, too: every way to write, and to go back.
THOROUGH = ['stream in-place', 'stream copy', 'stream undo', 'stream filter',
            'libvirt-gzip in-place', 'libvirt-gzip undo-cut-elsewhere', 'libvirt-zstd copy']
