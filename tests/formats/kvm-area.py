#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Loads an area into a vCPU of this machine's KVM and saves it again.

    kvm-area.py get FILE        the area of a new vCPU
    kvm-area.py set FILE BACK   what KVM_SET_XSAVE answers to the first 4096 bytes, on one line;
                                taken: BACK is what KVM_GET_XSAVE gives then

The vCPU is shown all that KVM can show. Status 77: there is no KVM here.
"""

import fcntl
import os
import struct
import sys
from pathlib import Path

SIZE = 4096
KVM_CREATE_VM, KVM_CREATE_VCPU = 0xae01, 0xae41
KVM_GET_SUPPORTED_CPUID, KVM_SET_CPUID2 = 0xc008ae05, 0x4008ae90
KVM_GET_XSAVE, KVM_SET_XSAVE = 0x9000aea4, 0x5000aea5
ENTRIES = 256


def new_vcpu():
    """A vCPU with all of the host's CPUID; what it belongs to stays open with the process."""
    try:
        kvm = os.open('/dev/kvm', os.O_RDWR | os.O_CLOEXEC)
        machine = fcntl.ioctl(kvm, KVM_CREATE_VM, 0)
        vcpu = fcntl.ioctl(machine, KVM_CREATE_VCPU, 0)
    except OSError as err:
        print(f'SKIP: /dev/kvm: {err.strerror}')
        sys.exit(77)
    cpuid = bytearray(struct.pack('<II', ENTRIES, 0) + bytes(40 * ENTRIES))
    fcntl.ioctl(kvm, KVM_GET_SUPPORTED_CPUID, cpuid)
    fcntl.ioctl(vcpu, KVM_SET_CPUID2, cpuid)
    return vcpu


def save(vcpu, path):
    """KVM_GET_XSAVE into a file."""
    area = bytearray(SIZE)
    fcntl.ioctl(vcpu, KVM_GET_XSAVE, area)
    Path(path).write_bytes(area)


def main():
    """What is asked for."""
    verb, path, *back = sys.argv[1:]
    vcpu = new_vcpu()
    if verb == 'get':
        save(vcpu, path)
        return
    try:
        fcntl.ioctl(vcpu, KVM_SET_XSAVE, bytearray(Path(path).read_bytes()[:SIZE]))
    except OSError as err:
        print(f'refused: {err.strerror}')
        return
    print('taken')
    save(vcpu, back[0])


main()
