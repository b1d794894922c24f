#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Changes values of the vCPUs in a QEMU stream, for tests.

    patch-state.py FILE [VCPU:]FIELD=VALUE...

Without VCPU (its position in the file), all of them. Finds the section by its
signature and the fields by their offsets in version 12 of it, and so owes
nothing to the code under test.
"""

import re
import struct
import sys

HEADER = re.compile(rb'\x04.{4}\x03cpu.{4}\x00\x00\x00\x0c', re.S)
PKRU = b'\x05\x08cpu/pkru\x00\x00\x00\x01'
# Field: bytes behind the header, struct format.
FIELDS = {
    'cr4': (480, '>Q'),
    'mxcsr': (556, '>I'),
    'xcr0': (1545, '>Q'),
    'xstate_bv': (1553, '>Q'),
}


def place(data, payload, end, field):
    if field in FIELDS:
        offset, form = FIELDS[field]
        return payload + offset, form
    if field == 'pkru':
        found = data.find(PKRU, payload, end)
        if found >= 0:
            return found + len(PKRU), '>I'
    sys.exit(f'patch-state.py: no field {field}')


def main():
    path = sys.argv[1]
    with open(path, 'rb') as file:
        data = bytearray(file.read())
    starts = [match.end() for match in HEADER.finditer(data)]
    if not starts:
        sys.exit(f'patch-state.py: no vCPU in {path}')
    ends = starts[1:] + [len(data)]
    for word in sys.argv[2:]:
        name, value = word.split('=')
        vcpu, _, field = name.rpartition(':')
        for i in [int(vcpu)] if vcpu else range(len(starts)):
            offset, form = place(data, starts[i], ends[i], field)
            struct.pack_into(form, data, offset, int(value, 0))
    with open(path, 'wb') as file:
        file.write(data)


if __name__ == '__main__':
    main()
