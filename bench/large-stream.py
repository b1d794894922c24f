#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A small saved state made large: its RAM is sent again and again.

    large-stream.py STREAM OUT MIB [PAGES]

Head and devices are STREAM's own; between them are MIB MiB of whole pages, all alike, or those
of the file PAGES over and over.
"""

import json
import struct
import sys

FOOTER = 5


def body_size(vmsd):
    """Bytes of a vmsd's fields and subsections."""
    return (sum(f['size'] * f.get('array_len', 1) for f in vmsd['fields']) +
            sum(6 + len(s['vmsd_name']) + body_size(s)
                for s in vmsd.get('subsections', ())))


def devices_at(data):
    for at in range(len(data) - 5, 0, -1):
        if (data[at] == 6 and data[at - 1] == 0 and
                struct.unpack_from('>I', data, at + 1)[0] == len(data) - at - 5):
            break
    else:
        sys.exit('large-stream: a stream without description')
    devices = json.loads(data[at + 5:])['devices']
    return at - 1 - sum(14 + len(d['name']) + body_size(d) + FOOTER for d in devices)


def whole_pages(path):
    """The content of page after page, for ever."""
    if path is None:
        while True:
            yield bytes(range(256)) * 16
    with open(path, 'rb') as file:
        while True:
            page = file.read(4096)
            if len(page) == 4096:
                yield page
            else:
                file.seek(0)


def main():
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    with open(sys.argv[1], 'rb') as file:
        data = file.read()
    start = data.index(b'\x03ram\0\0\0\0\0\0\0\x04') - 5
    ram = data[start + 1:start + 5]
    end = struct.pack('>Q', 0x10) + b'\x7e' + ram
    head = data[:data.index(end, start) + len(end)]
    pages = int(sys.argv[3]) << 8
    body = whole_pages(sys.argv[4] if len(sys.argv) == 5 else None)
    with open(sys.argv[2], 'wb') as out:
        out.write(head + b'\x02' + ram)
        out.write(struct.pack('>Q', 0x08) + b'\x06pc.ram' + next(body))
        for page in range(1, pages):
            # Within the 16 MiB that the samples' guests have.
            out.write(struct.pack('>Q', page % 4096 << 12 | 0x28) + next(body))
        out.write(end + b'\x03' + ram + end + data[devices_at(data):])


main()
