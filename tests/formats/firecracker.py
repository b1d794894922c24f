#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes a Firecracker vmstate file, from what Firecracker's source says of it.

    firecracker.py --release 1.13 FILE

Nothing of Firecracker ran to make one. Each structure names where it was read; the files are
those of the tag v1.7.0, v1.8.0, v1.9.1, v1.10.0, v1.10.1, v1.11.0, v1.12.1, v1.13.0 or v1.14.0,
under src/vmm/src where nothing else is said. Every number and structure has a name: --list prints
them with their places, --set changes a number, --cut ends the state there; the checksum is made
of what comes out.
"""

import argparse
import struct
import sys
from pathlib import Path

import kvm_state

MAGIC = 0x0710198486640000  # snapshot/mod.rs, SNAPSHOT_MAGIC_ID
VERSIONS = {  # persist.rs, SNAPSHOT_VERSION
    '1.7': 1, '1.8': 2, '1.9': 3, '1.10.0': 3, '1.10.1': 4, '1.11': 5, '1.12': 6, '1.13': 8,
    '1.14': 8}
RELEASES = list(VERSIONS)


def crc64(data):
    """The crate crc64 2.0.0: of 1, 2, 3, 4, 5 it is fb0460de06383654 (snapshot/crc.rs)."""
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x95ac9329ac4bc9b5 if value & 1 else 0)
        table.append(value)
    crc = 0
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 255]
    return crc


class Writer:
    """bincode: integers of fixed size, little-endian; a length is a u64; a variant is a u32."""

    def __init__(self, release):
        self.data = bytearray()
        self.names = {}
        self.at_least = lambda other: RELEASES.index(release) >= RELEASES.index(other)

    def name(self, name, size=0):
        """What comes next has this name, and is a number of `size` bytes."""
        if name in self.names:
            raise ValueError(f'{name} twice')
        self.names[name] = (len(self.data), size)

    def number(self, name, value, size=8):
        self.name(name, size)
        self.data += value.to_bytes(size, 'little')

    def raw(self, name, data):
        self.name(name)
        self.data += data

    def string(self, name, text):
        self.number(name, len(text))
        self.data += text.encode()

    def option(self, name, text):
        self.number(f'{name}?', 0 if text is None else 1, 1)
        if text is not None:
            self.string(name, text)

    def kvm(self, name, data):
        """A structure of KVM's. 1.7: kvm-bindings 0.7.0-2 of Firecracker's own fork derives serde,
        each field for itself. Later: kvm-bindings' serialize.rs, the bytes as a whole."""
        if self.at_least('1.8'):
            self.number(f'{name}.size', len(data))
        self.raw(name, data)

    def array(self, name, head, elements):
        """vmm-sys-util's fam.rs, FamStructWrapper: the structure, then its elements."""
        self.kvm(f'{name}.head', head)
        self.number(f'{name}.count', len(elements))
        for i, element in enumerate(elements):
            self.kvm(f'{name}.{i}', element)


def write_vm_info(out):
    """persist.rs, VmInfo; vmm_config/boot_source.rs, BootSourceConfig."""
    out.number('mem_size_mib', 128)
    out.number('smt', 0, 1)
    out.number('cpu_template', 3, 4)  # cpu_config/x86_64/static_cpu_templates/mod.rs: None
    out.string('kernel_image_path', '/srv/vmlinux-6.1')
    out.option('initrd_path', None)
    out.option('boot_args', 'reboot=k panic=1 pci=off')
    out.number('huge_pages', 0, 4)  # vmm_config/machine_config.rs: None


def write_memory(out):
    """vstate/memory.rs, GuestMemoryState. Offsets until 1.10, types from 1.14 on."""
    out.number('regions.count', 2)
    for i, (base, size) in enumerate([(0, 0x8000000), (0x100000000, 0x4000000)]):
        out.raw(f'regions.{i}', struct.pack('<QQ', base, size))
        if not out.at_least('1.11'):
            out.number(f'regions.{i}.offset', 0x8000000 * i)
        if out.at_least('1.14'):
            out.number(f'regions.{i}.type', i, 4)
            out.number(f'regions.{i}.plugged.count', 4)
            for slot in range(4):
                out.number(f'regions.{i}.plugged.{slot}', slot % 2, 1)


def write_capabilities(out):
    """cpu_config/templates.rs, KvmCapability: a string."""
    out.number('capabilities.count', 2)
    out.string('capabilities.0', '171')
    out.string('capabilities.1', '!56')


def write_ids(out, name, first, last):
    """vm-allocator 0.1.3, id_allocator.rs, IdAllocator."""
    out.number(f'{name}.base', first, 4)
    out.number(f'{name}.next?', 1, 1)
    out.number(f'{name}.next', first + 3, 4)
    out.number(f'{name}.end', last, 4)
    out.number(f'{name}.freed.count', 1)
    out.raw(f'{name}.freed', struct.pack('<I', first + 1))


def write_node(out, name, start, end, depth):
    """vm-allocator 0.1.3, allocation_engine/interval_tree.rs, InnerNode."""
    out.number(f'{name}?', 1 if depth else 0, 1)
    if not depth:
        return
    middle = (start + end) // 2
    out.raw(f'{name}.key', struct.pack('<QQ', middle, middle + 0xfff))
    out.number(f'{name}.state', depth % 2, 4)
    write_node(out, f'{name}.left', start, middle - 1, depth - 1)
    write_node(out, f'{name}.right', middle + 0x1000, end, max(depth - 2, 0))
    out.number(f'{name}.height', depth)


def write_allocators(out):
    """device_manager/resources.rs or vstate/resources.rs, ResourceAllocator: since 1.13."""
    write_ids(out, 'gsi_legacy', 5, 23)
    write_ids(out, 'gsi_msi', 24, 4095)
    names = ['mmio32', 'mmio64', 'past_mmio64', 'system']
    if not out.at_least('1.14'):
        names.remove('past_mmio64')
    for i, name in enumerate(names):
        start = (i + 1) << 32
        out.raw(f'{name}.space', struct.pack('<QQ', start, start + 0xffffff))
        write_node(out, f'{name}.root', start, start + 0xffffff, 3)


def write_vm(out):
    """vstate/vm.rs or arch/x86_64/vm.rs, VmState. PIT, clock, both PICs, the I/O APIC."""
    if out.at_least('1.12'):
        write_memory(out)
    if out.at_least('1.13'):
        write_allocators(out)
    for i, (name, size) in enumerate([('pit', 112), ('clock', 48), ('pic_master', 520),
                                      ('pic_slave', 520), ('ioapic', 520)]):
        out.kvm(name, kvm_state.filler(size, i))
    if not out.at_least('1.11'):
        write_capabilities(out)


def write_xsave(out, name, area):
    """kvm_xsave; from 1.12 on arch/x86_64/xstate.rs' Xsave of kvm-bindings' fam_wrappers.rs."""
    if not out.at_least('1.12'):
        out.kvm(name, area[:kvm_state.REGION])
        return
    extra = area[kvm_state.REGION:]
    out.number(f'{name}.size', 8 + kvm_state.REGION)
    out.number(f'{name}.len', len(extra) // 4)
    out.raw(name, area[:kvm_state.REGION])
    out.number(f'{name}.count', len(extra) // 4)
    out.raw(f'{name}.extra', extra)


def write_vcpu(out, name, vcpu):
    """vstate/vcpu/x86_64.rs or arch/x86_64/vcpu.rs, VcpuState."""
    entries = [entry.data() for entry in vcpu.cpuid]
    out.array(f'{name}.cpuid', struct.pack('<II', len(entries), 0), entries)
    msrs = vcpu.msrs()
    chunks = [msrs[:4], msrs[4:]]
    out.number(f'{name}.msrs.count', len(chunks))
    for i, chunk in enumerate(chunks):
        out.array(f'{name}.msrs.{i}', struct.pack('<II', len(chunk), 0), chunk)
    out.kvm(f'{name}.debug_regs', kvm_state.filler(128, 1))
    out.kvm(f'{name}.lapic', kvm_state.filler(1024, 2))
    out.kvm(f'{name}.mp_state', struct.pack('<I', 0))
    out.kvm(f'{name}.regs', vcpu.regs())
    out.kvm(f'{name}.sregs', vcpu.sregs())
    out.kvm(f'{name}.vcpu_events', kvm_state.filler(64, 3))
    out.kvm(f'{name}.xcrs', vcpu.xcrs())
    out.names[f'{name}.xcrs.count'] = (out.names[f'{name}.xcrs'][0], 4)
    write_xsave(out, f'{name}.xsave', vcpu.area())
    out.number(f'{name}.tsc_khz?', 1, 1)
    out.number(f'{name}.tsc_khz', 2600000, 4)


def write_state(out, args):
    """persist.rs, MicrovmState; what is behind the vCPUs is not told from its real content."""
    write_vm_info(out)
    if not out.at_least('1.12'):
        write_memory(out)
    if out.at_least('1.11'):
        write_capabilities(out)  # vstate/kvm.rs, KvmState
    write_vm(out)
    out.number('vcpus.count', args.vcpus)
    for i in range(args.vcpus):
        write_vcpu(out, f'vcpu{i}', kvm_state.Vcpu(args, i))
    out.raw('devices', kvm_state.filler(700, 9))


def make_bitcode(args):
    """1.15 and later: the crate bitcode, 0.6.9. How its output begins, seen by running that crate
    on a structure of the same first fields; what follows is not told from a real state."""
    out = Writer(args.release)
    version = (args.version or '9.0.0').encode()
    out.data += b'\0' + args.magic.to_bytes(8, 'little') + bytes([len(version)]) + version
    out.data += kvm_state.filler(9000, 1)
    out.data += crc64(out.data).to_bytes(8, 'little')
    return out


def make(args):
    """The whole file, and its names."""
    out = Writer(args.release)
    version = args.version or f'{VERSIONS[args.release]}.0.0'
    out.number('magic', args.magic)
    out.string('version', version)
    write_state(out, args)
    for change in args.set:
        name, value = change.split('=')
        at, size = out.names[name]
        out.data[at:at + size] = int(value, 0).to_bytes(size, 'little')
    if args.cut:
        del out.data[out.names[args.cut][0]:]
    out.data += (crc64(out.data) ^ args.crc).to_bytes(8, 'little')
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    kvm_state.add_arguments(parser)
    parser.add_argument('--release', choices=RELEASES, default='1.14')
    parser.add_argument('--bitcode', action='store_true', help='as 1.15 and later begin')
    parser.add_argument('--version', help='of the data, if not that of the release')
    parser.add_argument('--magic', type=lambda text: int(text, 0), default=MAGIC)
    parser.add_argument('--set', action='append', default=[], metavar='NAME=VALUE')
    parser.add_argument('--cut', metavar='NAME')
    parser.add_argument('--crc', type=lambda text: int(text, 0), default=0, help='what is wrong')
    parser.add_argument('--list', action='store_true', help='NAME OFFSET SIZE, a line each')
    parser.add_argument('file', type=Path)
    args = parser.parse_args()
    out = make_bitcode(args) if args.bitcode else make(args)
    args.file.write_bytes(out.data)
    if args.list:
        for name, (at, size) in out.names.items():
            print(name, at, size)
    return 0


if __name__ == '__main__':
    sys.exit(main())
