#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes a volume of Proxmox VE that holds a state: larger than it, and used before.

    volume.py OUT SIZE STREAM [--behind OLDER [--cut BYTES] | --over OLDER]

--behind: an older stream ends where the volume ends, or is cut there. --over: an older
stream began where the volume begins, and what is longer of it is still there.
"""

import argparse


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('out')
    parser.add_argument('size', type=int)
    parser.add_argument('stream')
    parser.add_argument('--behind')
    parser.add_argument('--cut', type=int)
    parser.add_argument('--over')
    options = parser.parse_args()
    volume = bytearray(options.size)

    def read(path):
        with open(path, 'rb') as file:
            return file.read()

    def put(at, data):
        if at < 0 or at + len(data) > len(volume):
            parser.error('the volume is too small')
        volume[at:at + len(data)] = data

    if options.over:
        put(0, read(options.over))
    if options.behind:
        older = read(options.behind)[:options.cut]
        put(len(volume) - len(older), older)
    stream = read(options.stream)
    if options.over and not any(volume[len(stream):]):
        parser.error('the older stream is not longer')
    put(0, stream)
    with open(options.out, 'wb') as file:
        file.write(volume)


if __name__ == '__main__':
    main()
