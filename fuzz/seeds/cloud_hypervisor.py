#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Seeds: cloud_hypervisor.py DIRECTORY. One of each way of writing a vCPU's state.

Without what is not read, and of CPUID only the leaves that count: a small input is run more often,
and more of its mutations are of what matters.
"""

import json
import subprocess
import sys
from pathlib import Path

GENERATOR = Path(__file__).resolve().parents[2] / 'tests' / 'formats' / 'cloud_hypervisor.py'
LEAVES = (0, 1, 7, 13)
UNREAD = ('msrs', 'vcpu_events', 'regs', 'sregs', 'fpu', 'lapic_state')


def smaller(kvm):
    """In place: what KVM gave of one vCPU."""
    for part in UNREAD:
        if part in kvm:
            kvm[part] = {}
    for key in ('cpuid', 'cpuid_entries'):
        if isinstance(kvm.get(key), list):
            kvm[key] = [leaf for leaf in kvm[key] if leaf.get('function') in LEAVES]


def smaller_state(text):
    state = json.loads(text)
    smaller(state.get('Kvm', state))
    return json.dumps(state, separators=(',', ':'))


def smaller_file(path):
    """The same file with less in each vCPU, which stays spelled as it was."""
    root = json.loads(path.read_text())
    for vcpu in root['snapshots']['cpu-manager']['snapshots'].values():
        data = vcpu['snapshot_data']
        if isinstance(data, list):
            vcpu['snapshot_data'] = list(smaller_state(bytes(data)).encode())
        elif 'vcpu' in data:
            inner = data['vcpu']
            inner['snapshot'] = list(smaller_state(bytes(inner['snapshot'])).encode())
        else:
            data['state'] = smaller_state(data['state'])
    path.write_text(json.dumps(root, separators=(',', ':')))


def main():
    """Makes them."""
    directory = Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    for release in ('28', '38', '39', '53'):
        path = directory / release
        subprocess.run([sys.executable, GENERATOR, '--release', release, '--entry',
                        'd.9=8,0x980,0,0', '--extra', '4', path], check=True)
        smaller_file(path)


if __name__ == '__main__':
    main()
