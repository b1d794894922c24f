#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Seeds for fuzz/packed.c: four bytes that choose, and a stream.

    packed.py DIR
"""

import pathlib
import subprocess
import sys
import tempfile

source = pathlib.Path(__file__).resolve().parents[2]
SAMPLE = source / 'tests/samples/leaky-pc-qemu64.qevm'


def main():
    """Each packing, sound and spoilt in each way."""
    place = pathlib.Path(sys.argv[1])
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as made:
        subprocess.run([source / 'fuzz/make-seeds', made, SAMPLE], check=True)
        stream = pathlib.Path(made, 'qemu_stream', SAMPLE.stem).read_bytes()
    for choice in range(16):
        place.joinpath(str(choice)).write_bytes(bytes([choice, 0xf0, 0x10, 0x40]) + stream)


main()
