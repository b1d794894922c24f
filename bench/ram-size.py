#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whether what check costs depends on the size of the guest's RAM.

    ram-size.py XFERRY SOURCE [SMALL LARGE]...

Without files: a QEMU stream and a libvirt save image with 64 MiB and 64 GiB of RAM, and a qcow2
image with 64 MiB and 1 GiB, made of a sample by the scripts of SOURCE's tests. Else the pairs
given, which may be FILE#NAME. Prints for each the bytes read (strace), the best of 50 runs and
the peak memory. Fails where the larger one has 64 KiB more read, 2 MiB more memory or 1.5 times
and 2 ms more time.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

MIB = 1 << 20
RUNS = 50
BEFORE_RAM = 20000  # of the sample: from here on its pages can be a hole


def fail(message):
    sys.exit(f'ram-size.py: {message}')


def stretch(path, at, size, out):
    """A copy with a hole of `size` bytes at `at`."""
    data = path.read_bytes()
    with open(out, 'wb') as file:
        file.write(data[:at])
        file.seek(size, os.SEEK_CUR)
        file.write(data[at:])
    return str(out)


def make_pairs(source, top):
    """The formats that keep a stream as it is, each with little RAM and with much."""
    sample = source / 'tests/samples/leaky-pc-qemu64.qevm'
    libvirt = [sys.executable, source / 'tests/formats/libvirt.py']
    qcow2 = [sys.executable, source / 'tests/formats/qcow2.py']
    image = top / 'image'
    subprocess.run(libvirt + ['make', image, sample], check=True)
    begin = int(subprocess.check_output(libvirt + ['stream-at', image]))
    sizes = {'64M': 64 * MIB, '64G': 65536 * MIB}
    yield 'QEMU', [stretch(sample, BEFORE_RAM, size, top / f'qemu-{name}')
                   for name, size in sizes.items()]
    yield 'libvirt', [stretch(image, begin + BEFORE_RAM, size, top / f'libvirt-{name}')
                      for name, size in sizes.items()]
    disks = []
    for name, size in {'64M': 64, '1G': 1024}.items():
        stream, disk = top / 'stream', top / f'qcow2-{name}'
        subprocess.run([sys.executable, source / 'bench/large-stream.py', sample, stream,
                        str(size)], check=True)
        subprocess.run(qcow2 + ['make', disk, f'--state=before={stream}'], check=True)
        disks.append(f'{disk}#before')
    yield 'qcow2', disks


def bytes_read(command, path):
    """All that is read of the file: by calls, as nothing is mapped."""
    trace = subprocess.run(['strace', '-f', '-P', path.partition('#')[0], '-e',
                            'trace=read,pread64', *command], stderr=subprocess.PIPE,
                           stdout=subprocess.DEVNULL, check=False).stderr.decode(errors='replace')
    calls = re.findall(r'\) += ([0-9]+)$', trace, re.MULTILINE)
    if not calls:
        fail(f'{path}: strace saw nothing of it')
    return sum(map(int, calls))


def run_once(command):
    """Seconds and KiB of memory."""
    begun = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        taken = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 4):
        fail(f'{command[-1]}: status {process.returncode}')
    return taken, usage.ru_maxrss


def measure(xferry, name, path):
    command = [xferry, 'check', '--cpu', 'qemu64', path]
    runs = [run_once(command) for _ in range(RUNS)]
    taken, memory = min(run[0] for run in runs), max(run[1] for run in runs)
    read = bytes_read(command, path)
    size = os.stat(path.partition('#')[0]).st_size
    print(f'{name:8} {size / MIB:10.1f} MiB: {read:8} bytes read, {taken * 1000:6.2f} ms, '
          f'{memory} KiB', flush=True)
    return read, taken, memory


def main():
    if len(sys.argv) < 3 or len(sys.argv) % 2 == 0:
        sys.exit(__doc__)
    xferry, source, given = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3:]
    depends = False
    with tempfile.TemporaryDirectory() as top:
        pairs = (zip(given[::2], [[a, b] for a, b in zip(given[::2], given[1::2])]) if given
                 else make_pairs(source, pathlib.Path(top)))
        for name, paths in pairs:
            small, large = (measure(xferry, name, path) for path in paths)
            depends |= (large[0] > small[0] + 65536 or large[2] > small[2] + 2048 or
                        (large[1] > 1.5 * small[1] and large[1] > small[1] + 0.002))
    sys.exit(depends)


main()
