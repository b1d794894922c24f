#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Seeds for fuzz/elf.c: what tests/formats/elf.py makes.

    elf.py DIR
"""

import pathlib
import subprocess
import sys

source = pathlib.Path(__file__).resolve().parents[2]
FILES = {
    'one': ['--in-use', '0x7', '--xcr0', '0x7'],
    'layout': ['--in-use', '0x207', '--xcr0', '0x2e7', '--pkru', '4', '--with-layout'],
    'threads': ['--threads', '3', '--in-use', '0x3', '--area-size', '576'],
    'extended': ['--extended-count', '--area-size', '576'],
    'none': ['--no-xstate'],
}


def main():
    """Writes them all."""
    place = pathlib.Path(sys.argv[1])
    place.mkdir(parents=True, exist_ok=True)
    for name, words in FILES.items():
        subprocess.run([sys.executable, source / 'tests/formats/elf.py', place / name, *words],
                       check=True)


main()
