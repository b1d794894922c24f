#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A harness that cannot fail proves nothing: careless writers (broken.c) must all be caught.

    caught.py XFERRY INJECT BROKEN.SO

Each is xferry itself with one habit taken away from it. run.py must find something lost, by the
faults or by the power loss that it is for; and nothing with the library loaded and no habit gone.
"""

import os
import subprocess
import sys
from pathlib import Path

RUN = Path(__file__).with_name('run.py')
STREAM, PACKED = 'stream in-place', 'libvirt-gzip in-place'
# What is taken away, by which operation it shows, and what need not be looked at for it.
WRITERS = [
    ('no-sync', STREAM, 'faults', 'no intact undo file'),
    ('no-sync', PACKED, 'faults', 'no intact undo file'),
    ('no-file-sync', STREAM, 'faults', 'no intact undo file'),
    ('no-name-sync', STREAM, 'faults', 'the state is lost'),
    ('no-name-sync', PACKED, 'faults', 'not as before'),
    ('late-undo', STREAM, 'power', 'the state is lost'),
    ('deaf', STREAM, 'power', 'status 1, and there is'),
    ('deaf-sync', STREAM, 'power', 'it may not be durable'),
    ('stubborn', 'firecracker in-place', 'power', 'does not end'),
    ('litter', 'libvirt-gzip undo-cut', 'power', 'status 0, and there is'),
]


def run(program, habit, operation, without, more=()):
    """What run.py says, and its status."""
    xferry, inject, library = program
    environment = {**os.environ, 'LD_PRELOAD': library, 'BROKEN': habit}
    got = subprocess.run([sys.executable, RUN, xferry, inject, '--only', operation, '--exact',
                          '--without', without, *more],
                         env=environment, stdout=subprocess.PIPE, text=True, check=False)
    return got.returncode, got.stdout


def main():
    """Status 0 when all were caught."""
    program = [os.path.abspath(word) for word in sys.argv[1:4]]
    status, said = run(program, 'nothing', STREAM, 'faults')
    if status:
        print(said)
        sys.exit(status)
    missed = 0
    for habit, operation, without, words in WRITERS:
        more = ['--limit', '3', '--until-lost'] if habit == 'stubborn' else ['--until-lost']
        status, said = run(program, habit, operation, without, more)
        lost = [line for line in said.splitlines() if line.startswith('LOST') and words in line]
        if status == 1 and lost:
            print(f'ok {habit}, {operation}: {lost[0]}')
        else:
            print(f'NOT CAUGHT: {habit}, {operation}: status {status}\n{said}')
            missed += 1
    sys.exit(1 if missed else 0)


if __name__ == '__main__':
    main()
