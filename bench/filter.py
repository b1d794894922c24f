#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What xferry filter costs: throughput, memory, and what it adds to a guest's downtime.

    filter.py XFERRY LARGE-STREAM.PY SAMPLE [MIB] [RUNS]

Throughput is that of 'cat FILE | X | cat >/dev/null' for X = cat, pv -q and the filter,
in turn; the best and the median of the runs. The file is in memory. Downtime is from the
moment when the last byte of RAM has been written to when the reader sees the end, at two
sizes of RAM, and with 64 MiB behind the stream, which are kept as the devices are.
Fails where the filter is slower than cat or than 0.8 of pv at their best, or needs more
than 16 MiB beside what it keeps.
"""

import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

DEVICES = 170962 - 58429  # of the sample: all behind its RAM
MIB = 1 << 20
REPAIRED = 1
BEHIND = 64 * MIB


def pipeline(path, command):
    """Seconds that the pipeline takes, CPU seconds of the command."""
    with open(path, 'rb') as source:
        begun = time.perf_counter()
        cat = subprocess.Popen(['cat'], stdin=source, stdout=subprocess.PIPE)
        middle = subprocess.Popen(command, stdin=cat.stdout, stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL)
        last = subprocess.Popen(['cat'], stdin=middle.stdout, stdout=subprocess.DEVNULL)
        cat.stdout.close()
        middle.stdout.close()
        last.wait()
        elapsed = time.perf_counter() - begun
        cat.wait()
        _, status, used = os.wait4(middle.pid, 0)
        middle.returncode = os.waitstatus_to_exitcode(status)
    if middle.returncode not in (0, REPAIRED):
        sys.exit(f'{command}: status {middle.returncode}')
    return elapsed, used.ru_utime + used.ru_stime


def throughput(path, mib, commands, runs):
    """Prints a line a command; the best time of each."""
    times = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            times[name].append(pipeline(path, command))
    best = {}
    for name, measured in times.items():
        elapsed = [seconds for seconds, _ in measured]
        best[name] = min(elapsed)
        print(f'{name:8} best {best[name]:.2f} s, {mib / best[name]:6.0f} MiB/s; median '
              f'{statistics.median(elapsed):.2f} s; CPU {min(cpu for _, cpu in measured):.2f} s')
    return best


def high_water(pid):
    """The most memory of a process up to now, in KiB."""
    for line in pathlib.Path(f'/proc/{pid}/status').read_text().splitlines():
        if line.startswith('VmHWM:'):
            return int(line.split()[1])
    return 0


def switch_over(path, command, held):
    """Milliseconds from the last byte of RAM in to the last byte out; memory before the end.

    `held` bytes at the end of the file are not RAM.
    """
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL)
    ended = []

    def drain():
        while process.stdout.read(MIB):
            pass
        ended.append(time.perf_counter())
    drainer = threading.Thread(target=drain)
    drainer.start()
    fd = process.stdin.fileno()
    with open(path, 'rb', buffering=0) as source:
        ram = os.fstat(source.fileno()).st_size - held
        while ram:
            data = memoryview(source.read(min(MIB, ram)))
            ram -= len(data)
            while data:
                data = data[os.write(fd, data):]
        begun = time.perf_counter()
        while data := memoryview(source.read(MIB)):
            while data:
                data = data[os.write(fd, data):]
    peak = high_water(process.pid)
    process.stdin.close()
    drainer.join()
    process.wait()
    return (ended[0] - begun) * 1000, peak


def downtime(place, large, sample, commands, runs, behind):
    """Prints what each command takes at two sizes of RAM; the filter's peak memory in KiB."""
    peak = 0
    for mib in 128, 1024:
        path = place / 'switch'
        subprocess.run([large, sample, path, str(mib)], check=True)
        with open(path, 'ab') as out:
            out.write(bytes(behind))
        line = []
        for name, command in commands.items():
            measured = [switch_over(path, command, DEVICES + behind) for _ in range(runs)]
            line.append(f'{name} {min(ms for ms, _ in measured):.1f} ms')
            if name == 'filter':
                peak = max(peak, max(kib for _, kib in measured))
        kept = (DEVICES + behind) / MIB
        print(f'{mib} MiB of RAM, {kept:.1f} MiB behind it: {", ".join(line)}')
        path.unlink()
    return peak


def main():
    if not 4 <= len(sys.argv) <= 6:
        sys.exit(__doc__)
    xferry, large, sample = sys.argv[1:4]
    mib = int(sys.argv[4]) if len(sys.argv) > 4 else 2048
    runs = int(sys.argv[5]) if len(sys.argv) > 5 else 7
    commands = {'cat': ['cat'], 'pv': ['pv', '-q'], 'filter': [xferry, 'filter', '--cpu', 'qemu64']}
    if not shutil.which('pv'):
        print('no pv: not compared with')
        del commands['pv']
    memory = '/dev/shm' if os.path.isdir('/dev/shm') else None
    with tempfile.TemporaryDirectory(dir=memory) as place:
        place = pathlib.Path(place)
        path = place / 'stream'
        subprocess.run([large, sample, path, str(mib)], check=True)
        best = throughput(path, mib, commands, runs)
        path.unlink()
        commands = {'cat': ['cat'], 'filter': commands['filter']}
        small = downtime(place, large, sample, commands, runs, 0)
        more = downtime(place, large, sample, commands, runs, BEHIND)
    over = more - BEHIND // 1024
    ratios = {name: best[name] / best['filter'] for name in best}
    print('throughput of the filter: ' +
          ', '.join(f'{ratio:.2f} x {name}' for name, ratio in ratios.items() if name != 'filter'))
    print(f'memory at its peak: {small} KiB; with 64 MiB behind the stream {more} KiB, {over} '
          'beside them')
    if ratios['cat'] < 1.0 or ratios.get('pv', 1.0) < 0.8 or max(small, over) > 16 << 10:
        sys.exit('that is too much')


main()
