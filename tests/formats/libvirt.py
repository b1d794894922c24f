#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes libvirt's save images, and takes the stream out of one, without any code of xferry's.

    libvirt.py make IMAGE STREAM [--pack zstd] [--cpu ELEMENT] [--cookie ELEMENT]
               [--big-endian] [--field NAME=NUMBER]... [--xml FILE] [--text-size N]
        ELEMENT is a <cpu> as libvirt writes it, or "none"; FILE is in place of the domain.
        A --field is written as it is, true or not; STREAM "-" is none.
    libvirt.py put STREAM IMAGE OUT     the image with another stream, packed as the header says
    libvirt.py unpack IMAGE             the stream, to standard output
    libvirt.py stream-at IMAGE          where it begins, packed or not

The programs that pack are those that libvirt calls, with its options.
"""

import argparse
import struct
import subprocess
import sys

HEADER = 92
FIELDS = ['version', 'text_size', 'was_running', 'packed', 'cookie_at']
PACKED = ['raw', 'gzip', 'bzip2', 'xz', 'lzop', 'zstd', 'sparse']
OPTIONS = {'xz': ['-3']}
PADDING = 64 * 1024
DOMAIN = """<domain type='kvm'>
  <name>guest</name>
  <memory unit='KiB'>16384</memory>
  <vcpu placement='static'>1</vcpu>
  <os>
    <type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type>
  </os>
%s</domain>
"""
CPU = "<cpu mode='custom' match='exact' check='full'><model fallback='forbid'>%s</model>%s</cpu>"
# As libvirt 9.0 resolves it: what the model has and the host lacks is disabled.
QEMU64 = CPU % ('qemu64', "<feature policy='disable' name='svm'/>"
                          "<feature policy='require' name='hypervisor'/>")


def pack(name, data):
    if name in ('raw', 'sparse'):
        return data
    command = [name, '-c', *OPTIONS.get(name, [])]
    return subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout


def element(text):
    """A <cpu>, whole or by the names of this file; nothing for "none"."""
    return {'none': '', 'qemu64': QEMU64}.get(text, text)


def text_of(options):
    """What stands between header and stream, and where the cookie is in it."""
    if options.xml:
        with open(options.xml, 'rb') as file:
            xml = file.read() + b'\0'
    else:
        xml = (DOMAIN % element(options.cpu)).encode() + b'\0'
    cookie = element(options.cookie)
    if not cookie:
        return xml + bytes(PADDING), 0
    cookie = f'<cookie>\n{cookie}\n</cookie>\n'.encode() + b'\0'
    return xml + cookie + bytes(PADDING), len(xml)


def make(options):
    text, cookie_at = text_of(options)
    text = text[:options.text_size]
    values = {'version': 2, 'text_size': len(text), 'was_running': 1,
              'packed': PACKED.index(options.pack), 'cookie_at': cookie_at}
    for field in options.field:
        name, number = field.split('=')
        if name not in FIELDS:
            sys.exit(f'there is no field {name}')
        values[name] = int(number, 0)
    order = '>' if options.big_endian else '<'
    header = b'LibvirtQemudSave' + struct.pack(order + '19I', *[values[f] for f in FIELDS],
                                               *[0] * 14)
    stream = b''
    if options.stream != '-':
        with open(options.stream, 'rb') as file:
            stream = file.read()
    with open(options.image, 'wb') as file:
        file.write(header + text + pack(options.pack, stream))


def read(image):
    """Where the stream begins, how it is packed, and it."""
    with open(image, 'rb') as file:
        header = file.read(HEADER)
        fields = struct.unpack('<19I', header[16:])
        if fields[0] > 2:
            fields = struct.unpack('>19I', header[16:])
        file.seek(HEADER + fields[1])
        return HEADER + fields[1], PACKED[fields[3]], file.read()


def put(options):
    start, name, _ = read(options.image)
    with open(options.image, 'rb') as file:
        head = file.read(start)
    with open(options.stream, 'rb') as file:
        stream = file.read()
    with open(options.out, 'wb') as file:
        file.write(head + pack(name, stream))


def unpack(options):
    _, name, data = read(options.image)
    if name not in ('raw', 'sparse'):
        data = subprocess.run([name, '-dc'], input=data, stdout=subprocess.PIPE,
                              check=True).stdout
    sys.stdout.buffer.write(data)


def stream_at(options):
    print(read(options.image)[0])


def main():
    parser = argparse.ArgumentParser()
    verbs = parser.add_subparsers(required=True)
    verb = verbs.add_parser('make')
    verb.add_argument('image')
    verb.add_argument('stream')
    verb.add_argument('--pack', choices=PACKED, default='raw')
    verb.add_argument('--cpu', default='qemu64')
    verb.add_argument('--cookie', default='none')
    verb.add_argument('--xml')
    verb.add_argument('--big-endian', action='store_true')
    verb.add_argument('--field', action='append', default=[])
    verb.add_argument('--text-size', type=int)
    verb.set_defaults(run=make)
    verb = verbs.add_parser('put')
    verb.add_argument('stream')
    verb.add_argument('image')
    verb.add_argument('out')
    verb.set_defaults(run=put)
    for name, run in (('unpack', unpack), ('stream-at', stream_at)):
        verb = verbs.add_parser(name)
        verb.add_argument('image')
        verb.set_defaults(run=run)
    options = parser.parse_args()
    options.run(options)


main()
