#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Seeds that fuzz/make-seeds does not make of the samples: mapped RAM.

    qemu_stream.py DIR
"""

import pathlib
import sys

sys.dont_write_bytecode = True

import libvirt  # noqa: E402


def main():
    place = pathlib.Path(sys.argv[1])
    place.mkdir(parents=True, exist_ok=True)
    for name, stream in libvirt.streams():
        place.joinpath(f'{name}-mapped').write_bytes(libvirt.mapped(stream, 0))


main()
