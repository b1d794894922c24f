#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""How long a real guest stands still when it migrates through cat, and through the filter.

    downtime.py XFERRY [RUNS]

From the source's STOP to the target's RESUME, as the two QEMUs on this machine date
them; the guest runs in emulation. Best and median of the runs, taken in turn.
"""

import os
import pathlib
import shutil
import statistics
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / 'tests/qemu'))

from qmp import Qemu  # noqa: E402

QEMU = ['qemu-system-x86_64']
GUEST = ['-accel', 'tcg', '-cpu', 'qemu64', '-m', '128', '-machine', 'pc']
SKIP, PATIENCE = 77, 60


def dated(qemu, name):
    """When an event came, in milliseconds, or None."""
    qemu.cmd('query-status')  # events are read with the answer
    for event in qemu.events:
        if event['event'] == name:
            stamp = event['timestamp']
            return stamp['seconds'] * 1000 + stamp['microseconds'] / 1000
    return None


def standstill(command, wire):
    """Milliseconds that the guest stands still."""
    with Qemu(QEMU, GUEST) as source, Qemu(QEMU, [*GUEST, '-incoming', 'defer']) as target:
        target.cmd('migrate-incoming', uri=f'exec:cat {wire}')
        source.cmd('migrate', uri=f'exec:{command} 2>/dev/null >{wire}')
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            stopped, resumed = dated(source, 'STOP'), dated(target, 'RESUME')
            if stopped and resumed:
                return resumed - stopped
            time.sleep(0.02)
    sys.exit(f'{command}: no migration in {PATIENCE} s')


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    if not shutil.which(QEMU[0]):
        print(f'no {QEMU[0]}')
        return SKIP
    runs = int(sys.argv[2]) if len(sys.argv) == 3 else 10
    commands = {'cat': 'cat', 'filter': f'{os.path.abspath(sys.argv[1])} filter --cpu qemu64'}
    times = {name: [] for name in commands}
    with tempfile.TemporaryDirectory() as place:
        wire = os.path.join(place, 'wire')
        os.mkfifo(wire)
        for _ in range(runs):
            for name, command in commands.items():
                times[name].append(standstill(command, wire))
    for name, measured in times.items():
        print(f'{name}: best {min(measured):.1f} ms, median {statistics.median(measured):.1f} ms')
    return 0


sys.exit(main())
