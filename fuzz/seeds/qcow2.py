#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes small qcow2 images for the fuzz target.

    qcow2.py DIR
"""

import pathlib
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tests/formats'))

from qcow2 import Maker  # noqa: E402

SAMPLES = ['leaky-pc-qemu64', 'leaky-q35-qemu64-smp2']


def streams():
    """The samples without RAM and without most devices: a few KiB each."""
    with tempfile.TemporaryDirectory() as place:
        subprocess.run([sys.executable, ROOT / 'fuzz/make-seeds', place,
                        *(ROOT / f'tests/samples/{name}.qevm' for name in SAMPLES)], check=True)
        return [pathlib.Path(place, 'qemu_stream', name).read_bytes() for name in SAMPLES]


def image(states, bits=9, version=3, extended=False, order=4, old=False, loaded=None):
    maker = Maker(bits, version, extended, order, disk=4096)
    for i, state in enumerate(states):
        maker.snapshot(f's{i}', state, old)
    return maker.finish(loaded)


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    one, two = streams()
    images = {
        'one': image([one]),
        'two': image([one, two], loaded=0),
        'old': image([one], bits=10, version=2, old=True),
        'extended': image([one], bits=14, extended=True),
        'bare': image([b'', one], bits=12, order=0),
        'none': image([]),
    }
    for name, data in images.items():
        (out / name).write_bytes(data)


main()
