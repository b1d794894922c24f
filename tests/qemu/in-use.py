#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A qcow2 image that a QEMU has open is left alone, and one under repair is left alone by QEMU.

    in-use.py XFERRY
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / 'formats')]

from qcow2 import Image  # noqa: E402
from qmp import Qemu, QmpError  # noqa: E402
from roundtrip import digest, expect  # noqa: E402
from savevm import FORMS, GUEST, LEAK, Vm  # noqa: E402

SKIP, REPAIRED, FINDINGS, OPERATIONAL = 77, 1, 4, 8
HELD = 3    # seconds


def hold(xferry, status, word, *args):
    """The command's exit status, and a word of what it says."""
    done = subprocess.run([xferry, *map(str, args)], capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    if done.returncode != status or word not in said:
        raise AssertionError(f'xferry {args}: {done.returncode}, expected {status} and '
                             f'"{word}": {said}')
    print(f'ok {status}: {args[0]}: {word or "done"}')


def beside_writer(vm, xferry, image):
    """Nothing is read or changed while a QEMU may write."""
    before = digest(image)
    with vm.start(image):
        hold(xferry, OPERATIONAL, 'is in use', 'check', *GUEST, image)
        hold(xferry, OPERATIONAL, 'is in use', 'fix', *GUEST, '--in-place', image)
        hold(xferry, OPERATIONAL, 'is in use', 'fix', *GUEST, '-o', vm.work / 'copy', image)
        expect('the image', digest(image), before)
    expect('a copy', (vm.work / 'copy').exists(), False)
    hold(xferry, FINDINGS, '', 'check', *GUEST, image)


def beside_reader(vm, xferry, image):
    """Beside one who reads all may be read, and nothing be changed."""
    with Qemu(vm.command, ['-S', '-machine', 'none', '-blockdev', 'driver=qcow2,node-name=disk,'
                           f'read-only=on,file.driver=file,file.filename={image}']) as qemu:
        # A reader's locks are those of a device.
        qemu.cmd('nbd-server-start', addr={'type': 'unix',
                                           'data': {'path': str(vm.work / 'socket')}})
        qemu.cmd('nbd-server-add', device='disk')
        hold(xferry, FINDINGS, '', 'check', *GUEST, image)
        hold(xferry, OPERATIONAL, 'is locked by another', 'fix', *GUEST, '--in-place', image)


def undo_beside_writer(vm, xferry, image):
    before = digest(image)
    hold(xferry, REPAIRED, '', 'fix', *GUEST, '--in-place', image)
    with vm.start(image):
        hold(xferry, OPERATIONAL, 'is locked by another', 'undo', f'{image}.xfundo')
    hold(xferry, 0, '', 'undo', f'{image}.xfundo')
    expect('the image', digest(image), before)


def during_repair(vm, xferry, image):
    """A QEMU that is started while a repair is under way does not get the image."""
    if not shutil.which('strace'):
        print('skipped: no strace to hold a repair')
        return
    begun = time.monotonic()
    with subprocess.Popen(
            ['strace', '-o', vm.work / 'trace', '-e', 'trace=fdatasync',
             '-e', f'inject=fdatasync:delay_enter={HELD}s', xferry, 'fix', *GUEST, '--in-place',
             image], stdout=subprocess.DEVNULL,
            # A sanitizer looks for leaks by ptrace, too.
            env={**os.environ, 'ASAN_OPTIONS': 'detect_leaks=0'}) as fix:
        # From then on the image is locked: the undo file is whole.
        while not pathlib.Path(f'{image}.xfundo').exists():
            if fix.poll() is not None or time.monotonic() - begun > 10:
                raise AssertionError('no undo file while fix runs')
            time.sleep(0.01)
        try:
            with vm.start(image):
                raise AssertionError('QEMU has got an image under repair')
        except QmpError as error:
            expect('QEMU speaks of a lock', 'lock' in str(error), True)
            print(f'ok QEMU beside a repair: {str(error)[-60:]}')
        hold(xferry, OPERATIONAL, 'is in use', 'check', *GUEST, image)
        expect('the repair still runs', fix.poll(), None)
        expect('status of fix', fix.wait(), REPAIRED)
    with vm.start(image):
        print('ok QEMU behind a repair')


def main():
    command = ['qemu-system-x86_64']
    if not shutil.which(command[0]):
        print('no qemu-system-x86_64')
        return SKIP
    xferry = sys.argv[1]
    with tempfile.TemporaryDirectory(prefix='xferry-') as work:
        vm = Vm(command, 'tcg', pathlib.Path(work))
        image = vm.work / 'disk.qcow2'
        vm.create(image, FORMS['plain'])
        vm.tell(image, ['savevm one'])
        content = Image.load(image)
        content.leak(0, LEAK)
        content.save(image)
        beside_writer(vm, xferry, image)
        beside_reader(vm, xferry, image)
        undo_beside_writer(vm, xferry, image)
        during_repair(vm, xferry, image)
    return 0


if __name__ == '__main__':
    sys.exit(main())
