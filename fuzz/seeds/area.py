#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Seeds for fuzz/area.c: a byte that chooses, and an area as tests/formats makes it.

    area.py DIR
"""

import pathlib
import subprocess
import sys

source = pathlib.Path(__file__).resolve().parents[2]
# Of which layout, and how it is made; what is chosen is that layout and each other.
AREAS = {
    'leak': (0, ['--in-use', '0x207', '--pkru', '0x55555554']),
    'wide': (0, ['--in-use', '0x2ff']),
    'amx': (0, ['--in-use', '0x602e7']),
    'compacted': (0, ['--in-use', '0x207', '--compacted', '0x2ff']),
    'amd': (1, ['--layout', 'amd', '--in-use', '0x207']),
    'amd-avx512': (2, ['--layout', 'amd-avx512', '--in-use', '0x2e7', '--pkru', '8']),
}


def main():
    """Writes them all."""
    place = pathlib.Path(sys.argv[1])
    place.mkdir(parents=True, exist_ok=True)
    for name, (layout, words) in AREAS.items():
        made = place / name
        subprocess.run([sys.executable, source / 'tests/formats/area.py', made, *words], check=True)
        area = made.read_bytes()
        for choice in range(4):
            (place / f'{name}-{choice}').write_bytes(
                bytes([layout | choice << 2 | choice << 4]) + area)
        made.unlink()


main()
