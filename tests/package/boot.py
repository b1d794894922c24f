#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Boots a kernel package in the lab with a given xferry.ko, and looks at the module at work.

It is the file that DKMS made which is loaded, not one that the lab built: whether it is
whole, is for that kernel and does its part there is what is asked.
"""

import argparse
import gzip
import lzma
import re
import subprocess
import sys

from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

# pylint: disable=wrong-import-position
from lab import initramfs, matrix, unpack  # noqa: E402
from lab.errors import LabError  # noqa: E402
from lab.guest import Report  # noqa: E402
from lab.kernels import Kernel  # noqa: E402
from lab.machine import Machine  # noqa: E402
from lab.programs import Programs  # noqa: E402

SYSFS = '/sys/module/xferry'
DEBUG = '/sys/kernel/debug'
TRACE = '/sys/kernel/tracing'
LOCKDOWN = '/sys/kernel/security/lockdown'
# NAME, what runs. The probe sets states with more than its vCPUs were shown: the counters
# must have seen that, first in observe, then in trim.
RUN = (
    ('version', f'/busybox cat {SYSFS}/version'),
    ('srcversion', f'/busybox cat {SYSFS}/srcversion'),
    ('mode', f'/busybox cat {SYSFS}/parameters/mode'),
    ('observed', '/xferry probe --json'),
    ('trim', '/busybox sh /lab/trim'),
    ('trimmed', '/xferry probe --json'),
    ('stats', f'/busybox cat {DEBUG}/xferry/stats'),
    ('vms', f'/busybox cat {DEBUG}/xferry/vms'),
    ('integrity', '/busybox sh /lab/integrity'),
    ('traced', '/xferry probe --json'),
    ('trace', f'/busybox tail -n 2 {TRACE}/trace'),
    ('confidentiality', '/busybox sh /lab/confidentiality'),
    ('locked', '/xferry probe --json'),
    ('locked-stats', f'/busybox cat {DEBUG}/xferry/stats'),
    ('untraced', '/busybox sh /lab/untraced'),
    ('rmmod', '/busybox rmmod xferry'),
    ('gone', f'/busybox test ! -e {SYSFS}'),
    ('again', '/busybox sh /lab/again'),
    ('log', '/busybox dmesg'),
)
# What docs/live.md says of a kernel that is locked down: the module's probes can be made and
# work, its files can be read, tracefs can at first and then cannot, and the module is not
# loaded with a key that the kernel does not know.
SCRIPTS = {
    'trim': f'echo trim >{SYSFS}/parameters/mode',
    'integrity': '/busybox mount -t securityfs none /sys/kernel/security && '
                 f'echo integrity >{LOCKDOWN} && /busybox mount -t tracefs none {TRACE} && '
                 f'echo 1 >{TRACE}/events/xferry/xferry_trim/enable',
    'confidentiality': f'echo confidentiality >{LOCKDOWN} && echo 1 >{SYSFS}/parameters/trim_get',
    'untraced': f'! /busybox cat {TRACE}/trace',
    'again': '! /busybox insmod /lab/xferry.ko',
}
LIMIT = 600  # seconds; other tests may keep the machine busy
REFUSED = re.compile('Lockdown: .*: unsigned module loading is restricted')
TROUBLE = re.compile(r'.*(?:BUG:|Oops|WARNING:|Call Trace|general protection).*')


def plain(path):
    """A module, whatever it is packed with."""
    data = Path(path).read_bytes()
    if path.suffix == '.xz':
        return lzma.decompress(data)
    if path.suffix == '.gz':
        return gzip.decompress(data)
    if path.suffix == '.zst':
        return subprocess.run(['zstd', '-dcq', path], check=True, stdout=subprocess.PIPE).stdout
    return data


def archive(asked, names):
    """The initramfs: KVM's modules, then ours, then what runs."""
    made, programs = initramfs.Archive(), Programs(asked.build)
    for name, path in (('init', programs.path('init')),
                       ('xferry', programs.path('xferry')),
                       ('busybox', asked.busybox)):
        made.program(name, path)
    for name in names:
        made.file(f'lab/{name}.ko', (asked.place / 'modules' / f'{name}.ko').read_bytes())
    made.file('lab/xferry.ko', plain(asked.module))
    made.file('lab/modules', ''.join(f'/lab/{name}.ko\n' for name in (*names, 'xferry')).encode())
    for name, text in SCRIPTS.items():
        made.file(f'lab/{name}', f'{text}\n'.encode())
    made.file('lab/run', ''.join(f'{name} {command}\n' for name, command in RUN).encode())
    return made


def boot(asked):
    """What each program said: {name: text}. One that fails is an error."""
    names = unpack.kernel([asked.package], asked.place)
    archive(asked, names).write(asked.place / 'initramfs')
    report = asked.place / 'report'
    report.write_bytes(b'')
    kernel = Kernel(asked.package.name, asked.place / 'kernel', (), asked.package.name,
                    version='', suite='', preset='')
    with Machine(kernel, matrix.load().cpu('pku'),
                 asked.place / 'initramfs', asked.place / 'console',
                 serials=[f'file:{report}']) as machine:
        machine.wait(LIMIT)
        machine.check_cpu()
    said = Report(report.read_text(encoding='utf-8', errors='replace'))
    if said.kvm() != 'ready':
        raise machine.error(f'no KVM: {said.kvm()}')
    texts = {}
    for name, command in RUN:
        text, end = said.output(name) or ('', 'did not end')
        if end != 'exit 0':
            raise machine.error(f'{command}: {end}')
        texts[name] = text.strip()
    return texts


def counts(text):
    """{name: value} of the file stats."""
    return {name: int(value) for name, value in (line.split() for line in text.splitlines())}


def judge(asked, texts):
    """What is not as it must be."""
    for name, wanted in (('version', asked.version), ('srcversion', asked.srcversion),
                         ('mode', 'observe')):
        if texts[name] != wanted:
            yield f'{name} is {texts[name]!r}, expected {wanted!r}'
    before, locked = counts(texts['stats']), counts(texts['locked-stats'])
    for name in ('set_superfluous', 'set_trimmed'):
        if not before.get(name):
            yield f'{name}: nothing was counted: {texts["stats"]!r}'
    for name in ('set_trimmed', 'get_clean'):
        if not locked.get(name, 0) > before.get(name, 0):
            yield f'{name}: nothing was counted once locked down: {texts["locked-stats"]!r}'
    if 'xferry_trim: pid=' not in texts['trace']:
        yield f'the tracepoint says nothing: {texts["trace"]!r}'
    if not REFUSED.search(texts['log']):
        yield 'locked down, the kernel does not say that it refuses the module'
    if 'mode=trim' not in texts['vms']:
        yield f'no VM is listed: {texts["vms"]!r}'
    if 'xferry: loaded: mode=observe' not in texts['log']:
        yield 'the log does not say that it was loaded'
    for line in TROUBLE.findall(texts['log']):
        yield f'the kernel complains: {line}'


def main():
    """0: all is well."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ('build', 'package', 'module', 'busybox', 'place'):
        parser.add_argument(f'--{name}', required=True, type=Path)
    for name in ('version', 'srcversion'):
        parser.add_argument(f'--{name}', required=True)
    asked = parser.parse_args()
    try:
        texts = boot(asked)
    except LabError as error:
        print(f'FAILED: {error}')
        return 1
    wrong = list(judge(asked, texts))
    for what in wrong:
        print(f'FAILED: {asked.package.name}: {what}')
    if not wrong:
        print(f'ok {asked.package.name}: loaded, at work, unloaded')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
