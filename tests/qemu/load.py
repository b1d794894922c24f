#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real QEMU loads leaky samples into this machine's KVM, as saved and repaired.

    load.py XFERRY SAMPLES

strace tells what KVM_SET_XSAVE answered: -EINVAL once a vCPU for the sample,
0 every time for the repaired one; and what xferry predicts must be what KVM said.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from qmp import Qemu  # noqa: E402

SKIP, REPAIRED = 77, 1
# The sample, its machine, its vCPUs.
SAMPLES = [('leaky-pc-qemu64.qevm', 'pc-i440fx-7.2', 1),
           ('leaky-q35-qemu64-smp2.qevm', 'pc-q35-7.2', 2)]


def why_not():
    """Why this machine cannot show it, or None."""
    if not os.access('/dev/kvm', os.R_OK | os.W_OK):
        return 'no /dev/kvm that may be used'
    for program in ('qemu-system-x86_64', 'strace'):
        if not shutil.which(program):
            return f'no {program}'
    if subprocess.run(['strace', '-o', '/dev/null', 'true'], check=False,
                      capture_output=True).returncode:
        return 'strace may not trace here'
    flags = pathlib.Path('/proc/cpuinfo').read_text(encoding='ascii').split()
    if 'pku' in flags:
        return 'this host has PKU, so its KVM takes the leaked PKRU'
    return None


def answers(stream, machine, vcpus, place):
    """What KVM_SET_XSAVE answered, each time, while QEMU loaded the stream."""
    trace = place / 'trace'
    # The samples' ROM has this size; its content comes with the stream.
    (place / 'rom').write_bytes(bytes(65536))
    command = ['strace', '-f', '-qq', '-e', 'trace=ioctl', '-o', str(trace),
               'qemu-system-x86_64']
    args = ['-accel', 'kvm', '-S', '-machine', machine, '-cpu', 'qemu64', '-smp', str(vcpus),
            '-m', '16', '-bios', str(place / 'rom'), '-serial', 'null', '-incoming', 'defer']
    with Qemu(command, args) as qemu:
        qemu.cmd('migrate-incoming', uri=f'exec:cat {stream}')
        deadline = time.monotonic() + 60
        while (status := qemu.cmd('query-migrate').get('status')) != 'completed':
            if status == 'failed' or time.monotonic() > deadline:
                raise AssertionError(f'{stream}: migration is {status}: {qemu.stderr()}')
            time.sleep(0.02)
    calls = re.findall(r'KVM_SET_XSAVE, \S+ = (.*)', trace.read_text())
    if len(calls) < vcpus:
        raise AssertionError(f'{stream}: KVM_SET_XSAVE was called {len(calls)} times only')
    return calls


def outcome(xferry, stream, target):
    done = subprocess.run([xferry, 'check', '--cpu', 'qemu64', '--to', str(target), '--json',
                           str(stream)], capture_output=True, text=True, check=False)
    return json.loads(done.stdout)['outcome']


def local_profile(path):
    """The host mask as the CPU tells it; this KVM's SET follows it."""
    flags = set(pathlib.Path('/proc/cpuinfo').read_text(encoding='ascii').split())
    supported = 0x3 | (0x4 if 'avx' in flags else 0) | (0xe0 if 'avx512f' in flags else 0)
    path.write_text(json.dumps({'schema': 1, 'kernel': os.uname().release,
                                'supported': hex(supported), 'get': None, 'set': 'host'}))
    return path


def try_sample(xferry, sample, machine, vcpus, place):
    target = local_profile(place / 'local.json')
    saved = answers(sample, machine, vcpus, place)
    refused = sum('EINVAL' in call for call in saved)
    print(f'{sample.name} as saved: {refused} of {len(saved)} KVM_SET_XSAVE refused')
    assert refused == vcpus, 'each vCPU should be refused once'
    assert outcome(xferry, sample, target) == 'refused'

    repaired = place / 'repaired.qevm'
    done = subprocess.run([xferry, 'fix', '--cpu', 'qemu64', str(sample), '-o', str(repaired)],
                          stdout=subprocess.DEVNULL, check=False)
    assert done.returncode == REPAIRED, done
    mended = answers(repaired, machine, vcpus, place)
    print(f'{sample.name} repaired: {mended.count("0")} of {len(mended)} KVM_SET_XSAVE accepted')
    assert set(mended) == {'0'}, mended
    assert outcome(xferry, repaired, target) == 'accepted'


def main():
    reason = why_not()
    if reason:
        print(reason)
        return SKIP
    for name, machine, vcpus in SAMPLES:
        with tempfile.TemporaryDirectory() as place:
            try_sample(sys.argv[1], pathlib.Path(sys.argv[2], name).resolve(), machine, vcpus,
                       pathlib.Path(place))
    return 0


if __name__ == '__main__':
    sys.exit(main())
