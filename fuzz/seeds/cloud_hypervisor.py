#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Seeds: cloud_hypervisor.py DIRECTORY. One of each way of writing a vCPU's state."""

import subprocess
import sys
from pathlib import Path

GENERATOR = Path(__file__).resolve().parents[2] / 'tests' / 'formats' / 'cloud_hypervisor.py'


def main():
    """Makes them."""
    directory = Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    for release in ('28', '38', '39', '53'):
        subprocess.run([sys.executable, GENERATOR, '--release', release, '--entry',
                        'd.9=8,0x980,0,0', '--extra', '4', directory / release], check=True)


if __name__ == '__main__':
    main()
