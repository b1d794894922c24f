#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What it costs to check a fleet: 10,000 state files below one directory, on two cores.

    tree.py XFERRY SAMPLES [FILES] [RUNS]

The files are hard links to the samples, so they are in memory and the disk is not measured.
Prints seconds by the clock and of the CPU, the best of the runs, with one worker and with two.
Fails where two workers take longer than 1 ms a file.
"""

import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

IN_A_DIRECTORY = 100
FINDINGS = 4


def make_fleet(top, samples, count):
    """Links `count` files, a hundred a directory. The samples are copied to the same disk first."""
    copies = []
    for sample in samples:
        copy = top / sample.name
        copy.write_bytes(sample.read_bytes())
        copies.append(copy)
    for number in range(count):
        place = top / 'fleet' / f'{number // IN_A_DIRECTORY:04}'
        place.mkdir(parents=True, exist_ok=True)
        os.link(copies[number % len(copies)], place / f'vm-{number}.state')
    return top / 'fleet'


def cpu_of_children():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def measure(command, files):
    """Seconds by the clock and of the CPU that it takes to check all files."""
    cpu, begun = cpu_of_children(), time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    clock, cpu = time.perf_counter() - begun, cpu_of_children() - cpu
    last = done.stdout.splitlines()[-1].decode()
    if done.returncode != FINDINGS or not last.startswith(f'{files} states: '):
        sys.exit(f'tree.py: status {done.returncode}: {last}')
    return clock, cpu


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    xferry, samples = sys.argv[1], sorted(pathlib.Path(sys.argv[2]).glob('*.qevm'))
    files = int(sys.argv[3]) if len(sys.argv) > 3 else 10000
    runs = int(sys.argv[4]) if len(sys.argv) > 4 else 3
    best = {}
    with tempfile.TemporaryDirectory() as top:
        fleet = make_fleet(pathlib.Path(top), samples, files)
        command = [xferry, 'check', '--cpu', 'qemu64', '--to', 'preset:linux-6.2,-pku', fleet]
        for jobs in (1, 2) * runs:
            taken = measure(command + ['--jobs', str(jobs)], files)
            best[jobs] = min(best.get(jobs, taken), taken)
    for jobs, (clock, cpu) in best.items():
        print(f'{files} files, {jobs} at once: {clock:.2f} s, {cpu:.2f} s of CPU time; '
              f'{clock / files * 1e6:.0f} us a file')
    sys.exit(best[2][0] > files / 1000)


main()
