#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""`xferry check` of a compressed libvirt image, beside the program that unpacks it to /dev/null.

    unpack.py XFERRY LARGE-STREAM.PY SAMPLE [MIB]

RAM is what this machine's libraries hold, so that it packs as a guest's RAM with programs in it
does. Best of several runs each, taken in turns; memory is the most that check had resident.
Fails below 0.9 × the speed of gzip or zstd, or where a larger image takes more memory.
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

source = pathlib.Path(__file__).resolve().parents[1]
IMAGE = source / 'tests/formats/libvirt.py'
# Runs, and whether the ratio must be reached. lzop is a program of its own behind a pipe.
PACKED = {'zstd': (7, True), 'gzip': (5, True), 'lzop': (5, False)}
# Too slow to pack for as much.
SLOW = {'xz': (2, False), 'bzip2': (2, False)}
LEAST = 0.9
MORE_MEMORY = 4 << 10  # KiB


def write_pages(path, mib):
    """The start of each library, until there is enough."""
    with open(path, 'wb') as out:
        for library in sorted(pathlib.Path('/usr/lib').rglob('*.so*')):
            if out.tell() >= mib << 20:
                return
            if library.is_file() and not library.is_symlink():
                out.write(library.read_bytes()[:(mib << 20) - out.tell()])


def make(large, sample, place, mib):
    write_pages(place / 'pages', min(mib, 512))
    subprocess.run([large, sample, place / 'stream', str(mib), place / 'pages'], check=True)


def elapsed(command, stdin=None):
    start = time.perf_counter()
    subprocess.run(command, stdin=stdin, stdout=subprocess.DEVNULL, check=False)
    return time.perf_counter() - start


def unpack(name, image, start):
    with open(image, 'rb', buffering=0) as file:
        file.seek(start)
        return elapsed([name, '-dc'], stdin=file)


def measure(xferry, name, place, runs):
    """Seconds of check, seconds of the program."""
    image = place / 'image'
    subprocess.run([IMAGE, 'make', image, place / 'stream', '--pack', name], check=True)
    start = int(subprocess.run([IMAGE, 'stream-at', image], check=True, stdout=subprocess.PIPE)
                .stdout)
    check = [xferry, 'check', '--json', image]
    assert subprocess.run(check, stdout=subprocess.DEVNULL, check=False).returncode == 4
    times = [(elapsed(check), unpack(name, image, start)) for _ in range(runs)]
    return tuple(map(min, zip(*times)))


def memory(xferry, large, sample, mib):
    """The most that check has resident, in KiB; in a process of its own, as it only grows."""
    with tempfile.TemporaryDirectory() as name:
        place = pathlib.Path(name)
        make(large, sample, place, mib)
        subprocess.run([IMAGE, 'make', place / 'image', place / 'stream', '--pack', 'zstd'],
                       check=True)
        program = ('import resource, subprocess, sys; subprocess.run(sys.argv[1:], '
                   'stdout=subprocess.DEVNULL); '
                   'print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)')
        done = subprocess.run([sys.executable, '-c', program, xferry, 'check', place / 'image'],
                              stdout=subprocess.PIPE, check=True)
        return int(done.stdout)


def compare(xferry, large, sample, mib, kinds):
    """Whether each is as fast as it must be."""
    good = True
    with tempfile.TemporaryDirectory() as name:
        place = pathlib.Path(name)
        make(large, sample, place, mib)
        for packed, (runs, needed) in kinds.items():
            if not shutil.which(packed):
                print(f'{packed} is not installed')
                continue
            check, program = measure(xferry, packed, place, runs)
            ratio = program / check
            print(f'{packed:5} {mib} MiB: check {check * 1000:.0f} ms, {packed} -dc '
                  f'{program * 1000:.0f} ms: {ratio:.2f} x', flush=True)
            good = good and (ratio >= LEAST or not needed)
    return good


def main():
    xferry, large, sample = sys.argv[1:4]
    mib = int(sys.argv[4]) if len(sys.argv) > 4 else 512
    good = compare(xferry, large, sample, mib, PACKED)
    good = compare(xferry, large, sample, mib // 8, SLOW) and good
    small, big = (memory(xferry, large, sample, size) for size in (mib // 8, mib))
    print(f'memory of check: {small} KiB of {mib // 8} MiB, {big} KiB of {mib} MiB')
    return 0 if good and big <= small + MORE_MEMORY else 1


sys.exit(main())
