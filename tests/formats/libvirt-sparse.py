#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""libvirt's format "sparse": a real QEMU's mapped RAM behind a header of libvirt's.

    libvirt-sparse.py XFERRY SUITE

libvirt has it from 11.2 on, and calls QEMU as is done here: file:…,offset=…. The QEMU is of
another suite (script/qemu-root). What leaked into the image is repaired, and QEMU loads it.
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import time

source = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(source / 'tests/qemu'))

from qmp import Qemu  # noqa: E402

SKIP = 77
MACHINE = ['-machine', 'pc,accel=kvm:tcg', '-cpu', 'qemu64', '-m', '32', '-S', '-display', 'none',
           '-nodefaults']


def run(*words, due=0):
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False)
    assert done.returncode == due, f'{words}: {done.returncode}: {done.stdout}{done.stderr}'
    return done.stdout


def await_migration(qemu):
    deadline = time.monotonic() + 60
    while (status := qemu.cmd('query-migrate').get('status')) != 'completed':
        if status == 'failed' or time.monotonic() > deadline:
            raise AssertionError(f'migration is {status}: {qemu.stderr()}')
        time.sleep(0.02)


def map_ram(qemu):
    qemu.cmd('migrate-set-capabilities',
             capabilities=[{'capability': 'mapped-ram', 'state': True}])


def save(command, image, start):
    with Qemu(command, MACHINE) as qemu:
        map_ram(qemu)
        qemu.cmd('migrate', uri=f'file:{image},offset={start}')
        await_migration(qemu)


def load(command, image, start):
    with Qemu(command, [*MACHINE, '-incoming', 'defer']) as qemu:
        map_ram(qemu)
        qemu.cmd('migrate-incoming', uri=f'file:{image},offset={start}')
        await_migration(qemu)


def try_image(xferry, command, place):
    generator = source / 'tests/formats/libvirt.py'
    image = place / 'image'
    run(sys.executable, generator, 'make', image, '-', '--pack', 'sparse')
    start = int(run(sys.executable, generator, 'stream-at', image))
    save(command, image, start)
    run(xferry, 'check', image)
    print(f'ok {image.stat().st_size} bytes behind {start} are read')

    run(sys.executable, source / 'tests/cli/patch-state.py', image, 'xstate_bv=0x207')
    before = image.read_bytes()
    report = json.loads(run(xferry, 'check', '--json', image, due=4))
    assert report['format'] == 'libvirt' and len(report['edits']) == 1, report
    run(xferry, 'fix', '--in-place', image, due=1)
    after = image.read_bytes()
    at = report['edits'][0]['offset']
    assert after[at:at + 8] == (3).to_bytes(8, 'big')
    assert before[:at] + after[at:at + 8] + before[at + 8:] == after
    load(command, image, start)
    run(xferry, 'undo', f'{image}.xfundo')
    assert image.read_bytes() == before
    print(f'ok repaired at {at}, loaded, taken back')


def main():
    xferry, suite = sys.argv[1:]
    root = subprocess.run([source / 'script/qemu-root', suite], capture_output=True, text=True,
                          check=False)
    if root.returncode:
        print(f'skipped: no QEMU of {suite}: {root.stderr.strip()}')
        return SKIP
    command = [str(source / 'script/qemu-root'), suite, '--run', 'qemu-system-x86_64']
    with tempfile.TemporaryDirectory() as place:
        try_image(xferry, command, pathlib.Path(place))
    return 0


sys.exit(main())
