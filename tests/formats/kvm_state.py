# SPDX-License-Identifier: LGPL-2.1-or-later
"""What KVM's ioctls give of a vCPU, x86-64: for the generators of states of other VMMs.

Sizes and places are those of Linux' arch/x86/include/uapi/asm/kvm.h. CPUID comes from a dump of a
real guest (tests/host/data), the areas are made to it.
"""

import re
import struct
from pathlib import Path

DATA = Path(__file__).resolve().parent.parent / 'host' / 'data'
# Leaves that KVM marks with KVM_CPUID_FLAG_SIGNIFCANT_INDEX (arch/x86/kvm/cpuid.c).
INDEXED = {4, 7, 0xb, 0xd, 0xf, 0x10, 0x12, 0x14, 0x17, 0x18, 0x1b, 0x1d, 0x1e, 0x1f, 0x8000001d}
DUMP_LINE = re.compile(r'\s+0x(\w+) 0x(\w+): eax=0x(\w+) ebx=0x(\w+) ecx=0x(\w+) edx=0x(\w+)')
# Where an area's components lie: Zen 4 (core/layout.c), and what is behind them on Intel.
PLACES = {2: (0x240, 256), 5: (0x340, 64), 6: (0x380, 512), 7: (0x580, 1024), 9: (0x980, 8),
          17: (0xac0, 64), 18: (0xb00, 8192)}
REGION = 4096


def filler(size, seed):
    """Bytes that are not 0, the same each time."""
    return bytes((seed * 37 + i * 11 + 1) % 255 + 1 for i in range(size))


def numbers(text):
    """'0x2e7,3' as numbers."""
    return [int(word, 0) for word in text.split(',')]


class Entry:
    """struct kvm_cpuid_entry2: function, index, flags, eax, ebx, ecx, edx, 12 bytes of padding."""

    def __init__(self, leaf, sub, regs):
        self.leaf, self.sub, self.regs = leaf, sub, list(regs)
        self.flags = 1 if leaf in INDEXED else 0

    def words(self):
        """The seven numbers."""
        return [self.leaf, self.sub, self.flags, *self.regs]

    def data(self):
        """Its 40 bytes."""
        return struct.pack('<10I', *self.words(), 0, 0, 0)


def read_cpuid(path):
    """The entries of the first CPU of a dump by `cpuid -1r`."""
    entries = []
    for line in Path(path).read_text(encoding='utf-8').splitlines():
        match = DUMP_LINE.match(line)
        if match:
            leaf, sub, *regs = (int(word, 16) for word in match.groups())
            if any(entry.leaf == leaf and entry.sub == sub for entry in entries):
                break
            entries.append(Entry(leaf, sub, regs))
    return entries


def change_cpuid(entries, changes, without):
    """Puts `LEAF.SUB=EAX,EBX,ECX,EDX` in, takes `LEAF.SUB` out."""
    def is_at(key):
        leaf, sub = (int(word, 16) for word in key.split('.'))
        return lambda entry: (entry.leaf, entry.sub) == (leaf, sub)
    for change in changes:
        key, regs = change.split('=')
        leaf, sub = (int(word, 16) for word in key.split('.'))
        entries = [entry for entry in entries if not is_at(key)(entry)]
        entries.append(Entry(leaf, sub, numbers(regs)))
    for key in without:
        entries = [entry for entry in entries if not is_at(key)(entry)]
    return entries


class Vcpu:
    """One vCPU's structures."""

    def __init__(self, args, index):
        masks = numbers(args.xstate_bv)
        self.seed = index + 1
        self.xstate_bv = masks[min(index, len(masks) - 1)]
        self.args = args
        self.cpuid = change_cpuid(read_cpuid(args.cpuid), args.entry, args.without)
        if index in args.hides:
            self.cpuid = change_cpuid(self.cpuid, ['d.0=3,0x240,0x980,0'], [])

    def area(self):
        """KVM_GET_XSAVE2's area, standard format, as the guest's registers might be."""
        size = REGION + 4 * self.args.extra
        area = bytearray(max(size, REGION))
        struct.pack_into('<H', area, 0, 0x37f)
        struct.pack_into('<II', area, 24, self.args.mxcsr, 0x2ffff)
        area[160:416] = filler(256, self.seed)
        struct.pack_into('<QQQ', area, 512, self.xstate_bv, self.args.xcomp_bv,
                         self.args.reserved)
        for bit, (offset, length) in PLACES.items():
            if self.xstate_bv >> bit & 1 and offset + length <= size and bit != 9:
                area[offset:offset + length] = filler(length, self.seed + bit)
        if self.xstate_bv >> 9 & 1:
            struct.pack_into('<II', area, self.args.pkru_at, self.args.pkru, 0)
        return bytes(area)

    def regs(self):
        """struct kvm_regs: 16 registers, RIP, RFLAGS."""
        return struct.pack('<18Q', *range(1, 17), 0xffffffff81000000, 0x2)

    def sregs(self):
        """struct kvm_sregs: 8 segments, 2 tables, CR0, CR2, CR3, CR4, CR8, EFER, APIC base…"""
        segment = struct.pack('<QIH10B', 0, 0xffffffff, 0x10, 11, 1, 0, 0, 1, 1, 1, 0, 0, 0)
        table = struct.pack('<QH3H', 0xfffffe0000000000, 0x7f, 0, 0, 0)
        return segment * 8 + table * 2 + struct.pack(
            '<11Q', 0x80050033, 0, 0x2000, self.args.cr4, 0, 0xd01, 0xfee00900, 0, 0, 0, 0)

    def xcrs(self):
        """struct kvm_xcrs: how many, flags, 16 of (number, reserved, value), 16 of padding."""
        count = 0 if self.args.xcr0 is None else 1
        return struct.pack('<IIIIQ', count, 0, 0, 0, self.args.xcr0 or 0).ljust(392, b'\0')

    def msrs(self):
        """Some of struct kvm_msr_entry: index, reserved, data."""
        return [struct.pack('<IIQ', index, 0, self.seed + index)
                for index in (0x174, 0x175, 0x176, 0xc0000081, 0xc0000102, 0x10, 0x277)]


def add_arguments(parser):
    """The options about vCPUs."""
    def number(text):
        return int(text, 0)
    parser.add_argument('--vcpus', type=number, default=1)
    parser.add_argument('--cpuid', default=DATA / 'guest-epyc.cpuid', help='a dump')
    parser.add_argument('--entry', action='append', default=[], metavar='LEAF.SUB=REGS')
    parser.add_argument('--without', action='append', default=[], metavar='LEAF.SUB')
    parser.add_argument('--hides', type=numbers, default=[], metavar='VCPUS',
                        help='vCPUs whose leaf 0xD shows x87 and SSE alone')
    parser.add_argument('--xstate-bv', default='0x2e7', metavar='MASK,…', help='of each vCPU')
    parser.add_argument('--xcr0', type=number, default=0xe7)
    parser.add_argument('--no-xcr0', action='store_const', const=None, dest='xcr0')
    parser.add_argument('--cr4', type=number, default=0x3406e0)
    parser.add_argument('--mxcsr', type=number, default=0x1f80)
    parser.add_argument('--xcomp-bv', type=number, default=0)
    parser.add_argument('--reserved', type=number, default=0, help='a word of the header')
    parser.add_argument('--pkru', type=number, default=0x55555554)
    parser.add_argument('--pkru-at', type=number, default=0x980)
    parser.add_argument('--extra', type=number, default=0, help='numbers behind 4096 bytes')
