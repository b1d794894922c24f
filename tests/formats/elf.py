#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes an ELF core dump as Linux writes it: its notes, and one page of memory.

    elf.py FILE [--threads N] [--in-use MASK] [--xcr0 MASK] [--with-layout] ...

The order and the names of the notes are those of the kernel's fs/binfmt_elf.c, seen in dumps by
6.18; only what a reader of NT_X86_XSTATE passes on its way is there.
"""

import argparse
import struct
from pathlib import Path

from area import LAYOUTS, arguments, make_area, number

ET_EXEC, ET_CORE = 2, 4
PT_LOAD, PT_NOTE = 1, 4
NT_PRSTATUS, NT_FPREGSET, NT_AUXV, NT_XSTATE, NT_LAYOUT = 1, 2, 6, 0x202, 0x205
HEADER, SEGMENT, SECTION = 64, 56, 64
XCR0 = 464


def padded(data):
    """With zeros up to a multiple of four bytes."""
    return data + bytes(-len(data) % 4)


def note(owner, kind, content):
    """One note."""
    name = owner.encode() + b'\0'
    return struct.pack('<III', len(name), len(content), kind) + padded(name) + padded(content)


def thread_notes(args, first):
    """What the kernel writes for a thread; for the process, behind the first one's registers."""
    area = make_area(args)
    struct.pack_into('<Q', area, XCR0, args.xcr0)
    notes = note('CORE', NT_PRSTATUS, bytes(336))
    if first:
        notes += note('CORE', NT_AUXV, bytes(368))
    notes += note('CORE', NT_FPREGSET, bytes(area[:512]))
    if not args.no_xstate:
        notes += note('LINUX', NT_XSTATE, bytes(area[:args.area_size or None]))
    return notes


def layout_note(args):
    """NT_X86_XSAVE_LAYOUT: component, size, offset, flags."""
    places = LAYOUTS[args.layout]
    return note('LINUX', NT_LAYOUT, b''.join(
        struct.pack('<IIII', bit, size, at, 0) for bit, (at, size) in places.items()))


def header(args, count):
    """The file's header; more segments than fit are counted in a section."""
    big = args.byte_order == 'big'
    ident = b'\x7fELF' + bytes([args.bits // 32, 2 if big else 1, 1]) + bytes(9)
    extended = args.extended_count
    return ident + struct.pack(
        ('>' if big else '<') + 'HHIQQQIHHHHHH', args.type, args.machine, 1, 0, HEADER,
        HEADER + SEGMENT * count if extended else 0, 0, HEADER, SEGMENT,
        0xffff if extended else count, SECTION, 1 if extended else 0, 0)


def make_core(args):
    """The file's bytes."""
    notes = b''.join(thread_notes(args, i == 0) for i in range(args.threads))
    notes += layout_note(args) * args.with_layout
    count = 2
    start = HEADER + count * SEGMENT + (SECTION if args.extended_count else 0)
    page = -(-(start + len(notes)) // 4096) * 4096
    segments = struct.pack('<IIQQQQQQ', PT_NOTE, 0, start, 0, 0, len(notes), 0, 4)
    segments += struct.pack('<IIQQQQQQ', PT_LOAD, 4, page, 0x400000, 0, 4096, 4096, 4096)
    section = struct.pack('<IIQQQQIIQQ', 0, 0, 0, 0, 0, 0, 0, count, 0, 0)
    core = header(args, count) + segments + section * args.extended_count + notes
    return core + bytes(page - len(core)) + b'\x7f' * 4096


def main():
    """Writes one core dump."""
    parser = argparse.ArgumentParser()
    parser.add_argument('file', type=Path)
    arguments(parser)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--xcr0', type=number, default=0)
    parser.add_argument('--with-layout', action='count', default=0)
    parser.add_argument('--no-xstate', action='store_true')
    parser.add_argument('--area-size', type=number, default=0, help='of the note')
    parser.add_argument('--type', type=number, default=ET_CORE)
    parser.add_argument('--machine', type=number, default=62)
    parser.add_argument('--bits', type=int, default=64)
    parser.add_argument('--byte-order', choices=['little', 'big'], default='little')
    parser.add_argument('--extended-count', action='store_true', help='as with 65,535 segments')
    args = parser.parse_args()
    args.file.write_bytes(make_core(args))


if __name__ == '__main__':
    main()
