#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes a core-PID.img as CRIU writes it: one thread of a checkpointed process.

    criu.py FILE [--in-use MASK] [--pkru VALUE] [--mxcsr VALUE] ...

The fields are those of CRIU's images/core.proto and core-x86.proto; of the ones that nobody here
reads, some stand in between.
"""

import argparse
import struct
from pathlib import Path

from area import number

COMMON, CORE = 0x54564319, 0x55053847


def varint(value):
    """A number of protobuf's."""
    out = bytearray()
    while value > 0x7f:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def plain(field, value):
    """A field that is a number."""
    return varint(field << 3) + varint(value)


def nested(field, content):
    """A field that is a message or a string."""
    return varint(field << 3 | 2) + varint(len(content)) + content


def xsave(args):
    """user_x86_xsave_entry: the upper halves of YMM and PKRU besides XSTATE_BV."""
    fields = plain(1, args.in_use)
    if args.in_use & 4:
        fields += b''.join(plain(2, 0x11111111 * (i % 15 + 1)) for i in range(64))
    if args.in_use & 0x200:
        fields += plain(8, args.pkru) + plain(8, 0)
    return fields


def fpregs(args):
    """user_x86_fpregs_entry."""
    fields = b''.join(plain(i, value) for i, value in enumerate([0x37f, 0, 0, 0, 0, 0], 1))
    fields += plain(7, args.mxcsr) + plain(8, 0xffff)
    fields += b''.join(plain(9, 0) for _ in range(32)) + b''.join(plain(10, i) for i in range(64))
    return fields if args.no_xsave else fields + nested(13, xsave(args))


def thread(args):
    """thread_info_x86: clear_tid_addr, gpregs, fpregs."""
    registers = b''.join(plain(i, 0x7fff00000000 + i) for i in range(1, 28))
    return plain(1, 0) + nested(2, registers) + nested(3, fpregs(args))


def make_image(args):
    """The file's bytes."""
    task = nested(3, plain(1, 1) + plain(2, 0) + nested(6, b'sleep'))
    entry = plain(1, args.machine) + nested(2, thread(args)) + task + bytes.fromhex(args.extra)
    magics = struct.pack('<I', args.magic)
    if not args.old:
        magics = struct.pack('<I', COMMON) + magics
    return magics + struct.pack('<I', len(entry)) + entry


def main():
    """Writes one image."""
    parser = argparse.ArgumentParser()
    parser.add_argument('file', type=Path)
    parser.add_argument('--in-use', type=number, default=7)
    parser.add_argument('--pkru', type=number, default=0)
    parser.add_argument('--mxcsr', type=number, default=0x1f80)
    parser.add_argument('--machine', type=number, default=1)
    parser.add_argument('--magic', type=number, default=CORE)
    parser.add_argument('--old', action='store_true', help='without the common magic number')
    parser.add_argument('--no-xsave', action='store_true')
    parser.add_argument('--extra', default='', help='bytes at the end of the entry')
    args = parser.parse_args()
    args.file.write_bytes(make_image(args))


if __name__ == '__main__':
    main()
