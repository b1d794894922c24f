#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Seeds: firecracker.py DIRECTORY. One of each layout."""

import subprocess
import sys
from pathlib import Path

GENERATOR = Path(__file__).resolve().parents[2] / 'tests' / 'formats' / 'firecracker.py'


def main():
    """Makes them."""
    directory = Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    for release in ('1.7', '1.8', '1.11', '1.12', '1.13', '1.14'):
        subprocess.run([sys.executable, GENERATOR, '--release', release, '--entry',
                        'd.9=8,0x980,0,0', '--extra', '4' if release > '1.11' else '0',
                        directory / release], check=True)


if __name__ == '__main__':
    main()
