#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Seeds for fuzz/libvirt.c: whole images, and streams for it to put a header before.

    libvirt.py DIR
"""

import bz2
import gzip
import lzma
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile

source = pathlib.Path(__file__).resolve().parents[2]
SAMPLE = source / 'tests/samples/leaky-pc-qemu64.qevm'
XML = b"<domain type='kvm'><cpu mode='custom'><model>qemu64</model></cpu></domain>\0"
COOKIE = b"<cookie><cpu><model>qemu64</model><feature policy='require' name='avx'/></cpu></cookie>\0"


def zstd(data):
    """With the program: Python has no zstd yet. Without it there are no such seeds."""
    if not shutil.which('zstd'):
        return None
    return subprocess.run(['zstd', '-c'], input=data, stdout=subprocess.PIPE, check=True).stdout


# By the number in the header, in the order that fuzz/libvirt.c counts them.
PACK = {0: bytes, 1: lambda data: gzip.compress(data, mtime=0), 2: bz2.compress,
        3: lzma.compress, 5: zstd}


def streams():
    """The sample's, as small as fuzz/make-seeds makes it."""
    with tempfile.TemporaryDirectory() as place:
        subprocess.run([source / 'fuzz/make-seeds', place, SAMPLE], check=True)
        for path in sorted(pathlib.Path(place, 'qemu_stream').iterdir()):
            yield path.name, path.read_bytes()


def image(kind, packed, order):
    text = XML + COOKIE + bytes(64)
    header = struct.pack(order + '19I', 2, len(text), 1, kind, len(XML), *[0] * 14)
    return b'LibvirtQemudSave' + header + text + packed


def main():
    place = pathlib.Path(sys.argv[1])
    place.mkdir(parents=True, exist_ok=True)
    for name, stream in streams():
        for position, (kind, pack) in enumerate(PACK.items()):
            packed = pack(stream)
            if packed is None:
                continue
            place.joinpath(f'{name}-{kind}-image').write_bytes(
                image(kind, packed, '>' if position % 2 else '<'))
            place.joinpath(f'{name}-{kind}').write_bytes(bytes([position]) + packed)


main()
