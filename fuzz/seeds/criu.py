#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Seeds for fuzz/criu.c: what tests/formats/criu.py makes.

    criu.py DIR
"""

import pathlib
import subprocess
import sys

source = pathlib.Path(__file__).resolve().parents[2]
FILES = {
    'plain': ['--in-use', '0x3'],
    'avx': ['--in-use', '0x7'],
    'pkru': ['--in-use', '0x207', '--pkru', '0x55555554'],
    'no-xsave': ['--no-xsave'],
    'extra': ['--extra', '7a03616263'],
}


def main():
    """Writes them all."""
    place = pathlib.Path(sys.argv[1])
    place.mkdir(parents=True, exist_ok=True)
    for name, words in FILES.items():
        subprocess.run([sys.executable, source / 'tests/formats/criu.py', place / name, *words],
                       check=True)


main()
