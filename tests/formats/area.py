#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes an XSAVE area as KVM_GET_XSAVE gives it, of any host's layout.

    area.py FILE [--layout NAME] [--in-use MASK] [--data MASK] [--compacted MASK] ...

Every component of --data (by default those in use) is filled with bytes that are not 0, the same
for a component whatever the layout, so that areas of two layouts can be compared.
"""

import argparse
import struct
from pathlib import Path

from kvm_state import filler

FPSSE = 3
PKRU = 9
XSTATE_BV, RESERVED, EXTENDED = 512, 528, 576
COMPACTED = 1 << 63
# Component, its standard offset and size: CPUID.(0xD,i).EBX and EAX.
LAYOUTS = {
    'intel': {2: (0x240, 256), 3: (0x3c0, 64), 4: (0x400, 64), 5: (0x440, 64), 6: (0x480, 512),
              7: (0x680, 1024), 9: (0xa80, 8), 17: (0xac0, 64), 18: (0xb00, 8192)},
    'amd': {2: (0x240, 256), 9: (0x980, 8)},
    'amd-avx512': {2: (0x240, 256), 5: (0x340, 64), 6: (0x380, 512), 7: (0x580, 1024),
                   9: (0x980, 8)},
}
ALIGNED = {17, 18}


def number(text):
    """As C writes them."""
    return int(text, 0)


def bits(mask):
    """The numbers of a mask's bits."""
    return [bit for bit in range(63) if mask >> bit & 1]


def places_of(layout, compacted):
    """Where each component lies; compacted: those of the mask, one behind the other."""
    if not compacted:
        return layout
    places, at = {}, EXTENDED
    for bit in bits(compacted & ~FPSSE):
        size = layout[bit][1]
        at = -(-at // 64) * 64 if bit in ALIGNED else at
        places[bit] = (at, size)
        at += size
    return places


def content_of(bit, size, pkru):
    """A component's data: PKRU's is its value and four bytes that are 0."""
    return struct.pack('<Q', pkru) if bit == PKRU else filler(size, bit)


def make_area(args):
    """The area's bytes."""
    places = places_of(LAYOUTS[args.layout], args.compacted)
    data = args.in_use if args.data is None else args.data
    end = max([at + size for at, size in places.values()], default=EXTENDED)
    area = bytearray(args.size or max(4096, end if data >> 17 else 0))
    area[0:2] = struct.pack('<H', 0x37f)
    struct.pack_into('<I', area, 24, args.mxcsr)
    area[160:416] = filler(256, 1)
    struct.pack_into('<QQ', area, XSTATE_BV, args.in_use,
                     args.compacted | COMPACTED if args.compacted else 0)
    for bit in bits(data & ~FPSSE):
        if bit in places:
            at, size = places[bit]
            area[at:at + size] = content_of(bit, size, args.pkru)
    if args.reserved:
        area[RESERVED + 47] = args.reserved
    return area


def arguments(parser):
    """What an area is made by: for whoever makes what holds areas."""
    parser.add_argument('--layout', choices=LAYOUTS, default='intel')
    parser.add_argument('--in-use', type=number, default=FPSSE, help='XSTATE_BV')
    parser.add_argument('--data', type=number, help='the components that have data')
    parser.add_argument('--compacted', type=number, default=0, help='XCOMP_BV, bit 63 aside')
    parser.add_argument('--size', type=number, default=0)
    parser.add_argument('--mxcsr', type=number, default=0x1f80)
    parser.add_argument('--pkru', type=number, default=0)
    parser.add_argument('--reserved', type=number, default=0, help="the header's last byte")


def main():
    """Writes one area."""
    parser = argparse.ArgumentParser()
    parser.add_argument('file', type=Path)
    arguments(parser)
    args = parser.parse_args()
    args.file.write_bytes(make_area(args))


if __name__ == '__main__':
    main()
