#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Seeds for fuzz/route.c: a mask, a -cpu argument, hosts.

    route.py DIR
"""

import pathlib
import sys

DATA = pathlib.Path(__file__).resolve().parents[2] / 'tests/host/data'
PROFILE = (DATA / 'full.json').read_text()
EPYC = (DATA / 'epyc.json').read_text()
JOURNEYS = {
    'leak': ['0x207', 'qemu64', 'linux-5.10', 'linux-6.2', 'linux-6.12,-pku'],
    'host': ['0x3', 'host,-pku', 'pve-7', 'pve-8-6.2,-pku'],
    'silent': ['0x7', '', 'linux-5.17', 'linux-5.16,-avx512'],
    'profiles': ['0x3', 'qemu64,+avx', PROFILE, EPYC],
    'mixed': ['x87,sse,avx', 'Skylake-Server', 'linux-5.16', PROFILE, 'linux-6.6', EPYC],
}


def main():
    place = pathlib.Path(sys.argv[1])
    place.mkdir(parents=True, exist_ok=True)
    for name, pieces in JOURNEYS.items():
        (place / name).write_bytes('\0'.join(pieces).encode())


main()
