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


def section(kind, body):
    """Of RAM, as number 2, with its footer."""
    number = struct.pack('>I', 2)
    return kind + number + body + b'\x7e' + number


def mapped(stream, start):
    """The same devices behind mapped RAM, of which one page is in the file; START: where it is."""
    ram = stream.index(b'\x03ram\0\0\0\0\0\0\0\x04') - 5
    end = b'\x03' + stream[ram + 1:ram + 5] + struct.pack('>Q', 0x10)
    devices = stream[stream.index(end) + len(end) + 5:]
    head = (b'QEVM\0\0\0\3\x07\0\0\0\2pc\5\x1aconfiguration/capabilities' +
            struct.pack('>II', 1, 1) + b'\x0amapped-ram')
    body = b'\3ram' + struct.pack('>IIQ', 0, 4, 4096 | 4) + b'\1b' + struct.pack('>Q', 4096)
    bitmap = start + len(head) + 5 + len(body) + 28
    pages = bitmap + 8
    body += struct.pack('>IQQQ', 1, 4096, bitmap, pages) + bytes(8 + 4096)
    return (head + section(b'\1', body + struct.pack('>Q', 0x10)) +
            section(b'\3', struct.pack('>Q', 0x10)) + devices)


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
        start = len(image(6, b'', '<'))
        place.joinpath(f'{name}-6-image').write_bytes(image(6, mapped(stream, start), '<'))


if __name__ == '__main__':
    main()
