#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes a Cloud Hypervisor snapshot's state.json, from what Cloud Hypervisor's source says of it.

    cloud_hypervisor.py --release 53 FILE

Nothing of Cloud Hypervisor ran to make one. Read in the tags v26.0, v28.4, v29.0, v36.0, v38.0,
v39.0, v48.0, v50.0 and v53.0: vm-migration/src/lib.rs (Snapshot, SnapshotData), vmm/src/cpu.rs and
vmm/src/vm.rs (which snapshots there are), hypervisor/src/kvm/x86_64/mod.rs (VcpuKvmState),
hypervisor/src/arch/x86/mod.rs (CpuIdEntry, MsrEntry, LapicState, XsaveState), and kvm-bindings'
src/x86_64/serialize.rs (0.8 and later: a structure is an array of its bytes).
"""

import argparse
import json
import struct
import sys
from pathlib import Path

import kvm_state

ENTRY = ['function', 'index', 'flags', 'eax', 'ebx', 'ecx', 'edx']
SEGMENT = ['base', 'limit', 'selector', 'type_', 'present', 'dpl', 'db', 's', 'l', 'g', 'avl',
           'unusable', 'padding']
REGS = ['rax', 'rbx', 'rcx', 'rdx', 'rsi', 'rdi', 'rsp', 'rbp', 'r8', 'r9', 'r10', 'r11', 'r12',
        'r13', 'r14', 'r15', 'rip', 'rflags']


def regs_of(data):
    """struct kvm_regs, field by field: before kvm-bindings 0.8."""
    return dict(zip(REGS, struct.unpack('<18Q', data)))


def sregs_of(data):
    """struct kvm_sregs likewise."""
    out = {}
    for i, name in enumerate(['cs', 'ds', 'es', 'fs', 'gs', 'ss', 'tr', 'ldt']):
        out[name] = dict(zip(SEGMENT, struct.unpack_from('<QIH10B', data, 24 * i)))
    for i, name in enumerate(['gdt', 'idt']):
        base, limit, *padding = struct.unpack_from('<QH3H', data, 192 + 16 * i)
        out[name] = {'base': base, 'limit': limit, 'padding': padding}
    names = ['cr0', 'cr2', 'cr3', 'cr4', 'cr8', 'efer', 'apic_base']
    out.update(zip(names, struct.unpack_from('<7Q', data, 224)))
    out['interrupt_bitmap'] = list(struct.unpack_from('<4Q', data, 280))
    return out


def xcrs_of(data):
    """struct kvm_xcrs likewise."""
    count, flags = struct.unpack_from('<II', data)
    xcrs = [dict(zip(['xcr', 'reserved', 'value'], struct.unpack_from('<IIQ', data, 8 + 16 * i)))
            for i in range(16)]
    return {'nr_xcrs': count, 'flags': flags, 'xcrs': xcrs, 'padding': [0] * 16}


def xsave_of(vcpu, args):
    """XsaveState: the area as u32; what is behind 4096 bytes since 50, where there is some."""
    words = list(struct.unpack(f'<{len(vcpu.area()) // 4}I', vcpu.area()))
    xsave = {'region': words[:1024]}
    if words[1024:] and args.release >= 50:
        xsave['extra'] = words[1024:]
    if args.region != 1024:
        xsave['region'] = (xsave['region'] + [0] * 1024)[:args.region]
    return xsave


def state_of(vcpu, args):
    """VcpuKvmState in the enum CpuState."""
    as_bytes = args.release >= 39

    def kvm(data, fields):
        return list(data) if as_bytes else fields(data)
    msrs = [struct.unpack('<IIQ', msr) for msr in vcpu.msrs()]
    state = {
        'cpuid': [dict(zip(ENTRY, entry.words())) for entry in vcpu.cpuid],
        'msrs': [{'index': index, 'data': data} for index, _, data in msrs],
        'vcpu_events': list(kvm_state.filler(64, 3)) if as_bytes else {'flags': 13},
        'regs': kvm(vcpu.regs(), regs_of),
        'sregs': kvm(vcpu.sregs(), sregs_of),
        'fpu': {'fpr': [[0] * 16] * 8, 'fcw': 895, 'fsw': 0, 'ftwx': 0, 'last_opcode': 0,
                'last_ip': 0, 'last_dp': 0, 'xmm': [[0] * 16] * 16, 'mxcsr': vcpu.args.mxcsr},
        'lapic_state': {'regs': [byte - 128 for byte in kvm_state.filler(1024, 2)]},
        'xsave': xsave_of(vcpu, args),
        'xcrs': kvm(vcpu.xcrs(), xcrs_of),
        'mp_state': [0, 0, 0, 0] if as_bytes else {'mp_state': 0},
        'tsc_khz': 2600000,
    }
    if args.release >= 50:
        state.update(nested_state=None, hyperv_synic=False)
    for name in args.drop:
        del state[name]
    return {args.tag: state} if args.tag else state


def text_of(value, args):
    """JSON as serde_json writes it."""
    text = json.dumps(value, separators=(',', ':'))
    for change in args.replace:
        old, new = change.split('=>')
        if text.count(old) < 1:
            raise ValueError(f'{old} is not in the text')
        text = text.replace(old, new, 1)
    return text


def data_of(state, args):
    """SnapshotData: since 39 a string; before that the bytes."""
    text = text_of(state, args)
    if args.release >= 39:
        return {'state': text}
    if args.release >= 29:
        return list(text.encode())
    return {'vcpu': {'id': 'vcpu', 'snapshot': list(text.encode())}}


def snapshot(args, name, snapshots, data):
    """vm-migration's Snapshot; with its name in it before 29."""
    out = {'id': name} if args.release < 29 else {}
    empty = {} if args.release < 29 else None
    out.update(snapshots=snapshots, snapshot_data=empty if data is None else data)
    return out


def other(args, name, fields):
    """A part that is not the CPUs'."""
    plain = argparse.Namespace(**{**vars(args), 'replace': []})
    data = data_of(fields, plain)
    if args.release < 29:
        data = {name: {'id': name, 'snapshot': data['vcpu']['snapshot']}}
    return snapshot(args, name, {}, data)


def tree(args):
    """The VM's snapshots; BTreeMap: in the order of their names."""
    vcpus = {}
    for i in range(args.vcpus):
        name = f'{i:03}' if args.release < 29 else str(i)
        state = state_of(kvm_state.Vcpu(args, i), args)
        vcpus[name] = snapshot(args, name, {}, data_of(state, args))
    parts = {
        'cpu-manager': snapshot(args, 'cpu-manager', dict(sorted(vcpus.items())), None),
        'device-manager': other(args, 'device-manager', {
            'device_tree': {'_disk0': {'id': '_disk0', 'note': 'a "quoted" path\\with\n'}}}),
        'memory-manager': other(args, 'memory-manager', {
            'memory_ranges': [{'gpa': 0, 'length': 536870912}]}),
    }
    for name in args.without_part:
        del parts[name]
    vm = {'clock': {'Kvm': [0] * 48}, 'common_cpuid': []}
    return snapshot(args, 'vm', parts, None if args.release < 39 else data_of(
        vm, argparse.Namespace(**{**vars(args), 'replace': []})))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    kvm_state.add_arguments(parser)
    parser.add_argument('--release', type=int, default=53)
    parser.add_argument('--tag', default='Kvm', help='of the hypervisor; empty: none')
    parser.add_argument('--region', type=int, default=1024, help='numbers in it')
    parser.add_argument('--drop', action='append', default=[], metavar='FIELD')
    parser.add_argument('--without-part', action='append', default=[], metavar='NAME')
    parser.add_argument('--replace', action='append', default=[], metavar='OLD=>NEW',
                        help="in each vCPU's text, the first one")
    parser.add_argument('--replace-file', action='append', default=[], metavar='OLD=>NEW')
    parser.add_argument('--indent', type=int, help='as a person would have it')
    parser.add_argument('file', type=Path)
    args = parser.parse_args()
    separators = (',', ':') if args.indent is None else None
    text = json.dumps(tree(args), separators=separators, indent=args.indent)
    for change in args.replace_file:
        old, new = change.split('=>')
        if old not in text:
            raise ValueError(f'{old} is not in the file')
        text = text.replace(old, new, 1)
    args.file.write_text(text, encoding='utf-8')
    return 0


if __name__ == '__main__':
    sys.exit(main())
