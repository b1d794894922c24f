#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real QEMU loads the samples into this machine's KVM, as saved and repaired.

    load.py XFERRY SAMPLES

strace tells what KVM_SET_XSAVE answered. What `xferry check --to local` predicts, which
asks that KVM, must be what it said: for a sample that is refused, -EINVAL once a vCPU,
and 0 every time for the repaired one.
"""

import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import traced  # noqa: E402
from qmp import Qemu  # noqa: E402

SKIP, REPAIRED = 77, 1
# The sample, its machine, its CPU, its vCPUs.
SAMPLES = [('clean-pc-qemu64.qevm', 'pc-i440fx-7.2', 'qemu64', 1),
           ('leaky-pc-qemu64.qevm', 'pc-i440fx-7.2', 'qemu64', 1),
           ('leaky-pc-kvm64-avx.qevm', 'pc-i440fx-7.2', 'kvm64,+xsave,+avx', 1),
           ('leaky-q35-qemu64-smp2.qevm', 'pc-q35-7.2', 'qemu64', 2)]


def answers(stream, machine, cpu, vcpus, place):
    """What KVM_SET_XSAVE answered, each time, while QEMU loaded the stream."""
    trace = place / 'trace'
    shutil.rmtree(trace, ignore_errors=True)
    trace.mkdir()
    # The samples' ROM has this size; its content comes with the stream.
    (place / 'rom').write_bytes(bytes(65536))
    # A file a thread: in one for all, another thread may come between a call and its answer.
    command = ['strace', '-ff', '-qq', '-e', 'trace=ioctl', '-o', str(trace / 'thread'),
               'qemu-system-x86_64']
    args = ['-accel', 'kvm', '-S', '-machine', machine, '-cpu', cpu, '-smp', str(vcpus),
            '-m', '16', '-bios', str(place / 'rom'), '-serial', 'null', '-incoming', 'defer']
    with Qemu(command, args) as qemu:
        qemu.cmd('migrate-incoming', uri=f'exec:cat {stream}')
        deadline = time.monotonic() + 60
        while (status := qemu.cmd('query-migrate').get('status')) != 'completed':
            if status == 'failed' or time.monotonic() > deadline:
                raise AssertionError(f'{stream}: migration is {status}: {qemu.stderr()}')
            time.sleep(0.02)
    calls = [re.findall(r'KVM_SET_XSAVE, \S+ = (.*)', thread.read_text())
             for thread in trace.iterdir()]
    loads = [thread for thread in calls if thread]
    if len(loads) != vcpus or len({len(thread) for thread in loads}) != 1:
        raise AssertionError(f'{stream}: each of {vcpus} vCPUs should set its state as often '
                             f'as the others: {loads}')
    return sum(loads, [])


def outcome(xferry, stream, cpu):
    """What xferry says that this machine's KVM, which it asks, will answer."""
    done = subprocess.run([xferry, 'check', '--cpu', cpu, '--to', 'local', '--json',
                           str(stream)], capture_output=True, text=True, check=False)
    return json.loads(done.stdout)['outcome']


def try_sample(xferry, sample, machine, cpu, vcpus, place):
    """Loads it as it is, and repaired when it is refused; True when it was refused."""
    predicted = outcome(xferry, sample, cpu)
    saved = answers(sample, machine, cpu, vcpus, place)
    refused = sum('EINVAL' in call for call in saved)
    print(f'{sample.name} as saved: {predicted}; {refused} of {len(saved)} KVM_SET_XSAVE refused')
    assert predicted == ('refused' if refused else 'accepted'), predicted
    if not refused:
        assert set(saved) == {'0'}, saved
        return False
    assert refused == vcpus, 'each vCPU should be refused once'

    repaired = place / 'repaired.qevm'
    done = subprocess.run([xferry, 'fix', '--cpu', cpu, str(sample), '-o', str(repaired)],
                          stdout=subprocess.DEVNULL, check=False)
    assert done.returncode == REPAIRED, done
    predicted = outcome(xferry, repaired, cpu)
    mended = answers(repaired, machine, cpu, vcpus, place)
    print(f'{sample.name} repaired: {predicted}; {mended.count("0")} of {len(mended)} '
          'KVM_SET_XSAVE accepted')
    assert set(mended) == {'0'}, mended
    assert predicted == 'accepted', predicted
    return True


def main():
    reason = traced.why_not('qemu-system-x86_64')
    if reason:
        print(reason)
        return SKIP
    refused = 0
    for name, machine, cpu, vcpus in SAMPLES:
        with tempfile.TemporaryDirectory() as place:
            refused += try_sample(sys.argv[1], pathlib.Path(sys.argv[2], name).resolve(), machine,
                                  cpu, vcpus, pathlib.Path(place))
    print(f'{refused} of {len(SAMPLES)} samples were refused and repaired')
    return 0


if __name__ == '__main__':
    sys.exit(main())
