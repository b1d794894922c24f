#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Internal snapshots that a real QEMU makes, repaired, and loaded by it again.

    savevm.py XFERRY [SUITE [FORM...]]

Without SUITE: the QEMU of this machine; else the one of that Debian suite. Each form of
image gets snapshots the way VMs do: saved, loaded, written to, saved again. Leaks are put
into their states by tests/formats/qcow2.py, which shares no code with xferry. Then for each
snapshot: check tells what is there; fix changes the listed bytes and nothing else; qemu-img
finds the image sound, its snapshots the same, its disk the same; a QEMU that loads the
snapshot has what the repair left, and one that loads the unrepaired image the leak; undo
gives the file back.
"""

import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / 'formats')]

from qcow2 import CPU_SECTION, XSTATE_BV, Image  # noqa: E402
from qmp import Qemu, QmpError  # noqa: E402
from roundtrip import changed_offsets, digest, expect, run  # noqa: E402

SKIP, REPAIRED, FINDINGS = 77, 1, 4
LEAKED = 3    # of qemu-img check; QEMU's own loadvm leaves some when disks differ in size
MIB = 1 << 20
LEAK = 0x204
CPU, GUEST = 'qemu64', ['--cpu', 'qemu64']
# Of an image, as blockdev-create takes them.
FORMS = {
    'plain': {},
    'version-2': {'version': 'v2', 'cluster-size': 4096},
    'smallest': {'cluster-size': 512, 'refcount-bits': 64},
    'largest': {'cluster-size': 2 * MIB, 'refcount-bits': 8},
    'extended': {'extended-l2': True, 'cluster-size': 128 * 1024},
    'lazy': {'lazy-refcounts': True},
    'zstd': {'compression-type': 'zstd'},
    'preallocated': {'preallocation': 'metadata', 'cluster-size': 16384},
    'resized': {'cluster-size': 4096},
}
# Each but the first is saved while the disk shares clusters with one before.
STORY = ['write 0x11', 'savevm one', 'write 0x22', 'savevm two', 'loadvm one', 'write 0x33',
         'savevm three', 'loadvm two', 'write 0x44']
# Of disks of two sizes; behind which of them a state lies is told by its snapshot alone.
RESIZED = ['write 0x11', 'savevm one', f'resize {24 * MIB}', 'write 0x22', 'savevm two',
           'loadvm one', 'write 0x33', 'savevm three', 'loadvm two']


class CannotCreate(Exception):
    """This QEMU does not know such images."""


class Vm:
    """How one QEMU is started on one image."""

    def __init__(self, command, accel, work):
        self.command, self.accel, self.work = command, accel, work
        (work / 'rom').write_bytes(bytes(65536))

    def start(self, image, *more):
        return Qemu(self.command, [
            '-S', '-machine', 'pc', '-accel', self.accel, '-cpu', CPU, '-smp', '2', '-m', '16',
            '-bios', str(self.work / 'rom'),
            '-blockdev', f'driver=qcow2,node-name=disk,file.driver=file,file.filename={image}',
            *more])

    def create(self, image, form, size=8 * MIB):
        """An empty image, by the QEMU under test itself."""
        image.write_bytes(b'')
        with Qemu(self.command, ['-S', '-machine', 'none']) as qemu:
            qemu.cmd('blockdev-add', **{'driver': 'file', 'node-name': 'f',
                                        'filename': str(image)})
            try:
                qemu.cmd('blockdev-create', job_id='j',
                         options={'driver': 'qcow2', 'file': 'f', 'size': size, **form})
            except QmpError as error:
                raise CannotCreate(str(error)) from None
            deadline = time.monotonic() + 60
            while (job := qemu.cmd('query-jobs')[0])['status'] != 'concluded':
                if time.monotonic() > deadline:
                    raise AssertionError('no image after a minute')
                time.sleep(0.02)
            if 'error' in job:
                raise CannotCreate(job['error'])

    def tell(self, image, story):
        with self.start(image) as qemu:
            for word in story:
                verb, _, what = word.partition(' ')
                if verb == 'resize':
                    qemu.cmd('block_resize', node_name='disk', size=int(what))
                    continue
                # What it says otherwise is said between QMP's lines.
                line = (f'qemu-io disk "write -q -P {what} 64k 1M"' if verb == 'write'
                        else f'{verb} {what}')
                expect(line, qemu.hmp(line).strip(), '')

    def loaded(self, image, name):
        """XSTATE_BV of each vCPU, once a QEMU has loaded the snapshot. Spoils the image."""
        out = self.work / 'migrated'
        with self.start(image, '-loadvm', name) as qemu:
            qemu.cmd('migrate', uri=f'exec:cat>{shlex.quote(str(out))}')
            deadline = time.monotonic() + 60
            while (status := qemu.cmd('query-migrate').get('status')) != 'completed':
                if status == 'failed' or time.monotonic() > deadline:
                    raise AssertionError(f'{name}: migration is {status}: {qemu.stderr()}')
                time.sleep(0.02)
        data = out.read_bytes()
        return [int.from_bytes(data[m.start() + XSTATE_BV:m.start() + XSTATE_BV + 8], 'big')
                for m in CPU_SECTION.finditer(data)]


def tool(*words):
    """What qemu-img says; it must succeed, or find leaked clusters only."""
    done = subprocess.run(['qemu-img', *map(str, words)], capture_output=True, text=True,
                          check=False)
    if done.returncode and (words[0], done.returncode) != ('check', LEAKED):
        raise AssertionError(f'qemu-img {words}: {done.returncode}: {done.stdout}{done.stderr}')
    return done.stdout


def name_of(image, entry):
    return f"{image}#{entry['name']}"


def hold_check(xferry, image, owner, entry):
    """check tells of a snapshot what is in it; returns the report."""
    report = json.loads(run(xferry, 'check', *GUEST, '--json', name_of(image, entry),
                            status=FINDINGS))
    truth = Image.load(image).vcpus(owner)
    expect('format', report['format'], 'qcow2')
    expect('vCPUs', [int(v['xstate_bv'], 16) for v in report['vcpus']], [v for _, v in truth])
    expect('number of vCPUs', len(truth), 2)
    edited = [e['offset'] + i for e in report['edits'] for i in range(e['length'])]
    expect('edited bytes', sorted(edited), sorted(sum((places for places, _ in truth), [])))
    return report


def hold_load(vm, original, repaired, entry, due):
    """A QEMU that loads the snapshot has the repaired value; of the original, the leak."""
    for image, change in ((repaired, 0), (original, LEAK)):
        scratch = vm.work / 'scratch.qcow2'
        shutil.copyfile(image, scratch)
        expect(f"XSTATE_BV behind loadvm {entry['name']} of {image.name}",
               vm.loaded(scratch, entry['name']), [value | change for value in due])


def hold_refusal(vm, original, repaired, entry):
    """With KVM: the QEMUs that say so do not load the leak; the repaired state is loaded."""
    scratch = vm.work / 'scratch.qcow2'
    shutil.copyfile(repaired, scratch)
    values = vm.loaded(scratch, entry['name'])
    expect('number of vCPUs', len(values), 2)
    expect('leak behind loadvm', [value & LEAK for value in values], [0, 0])
    shutil.copyfile(original, scratch)
    try:
        vm.loaded(scratch, entry['name'])
        return 'loaded, silently'
    except (QmpError, AssertionError):
        return 'refused'


def predicted(vm, xferry, image, entry):
    """What a load of the leak must come to, on this machine's KVM and with this QEMU."""
    with Qemu(vm.command, ['-machine', 'none']) as qemu:
        speaks = qemu.version >= (8, 2, 0)
    report = json.loads(run(xferry, 'check', *GUEST, '--to', 'local', '--json',
                            name_of(image, entry), status=FINDINGS))
    return 'refused' if speaks and report['outcome'] == 'refused' else 'loaded, silently'


def repair(vm, xferry, image, owner, entry):
    """fix, qemu-img, undo, of one snapshot; the repaired image is left beside."""
    original, repaired = vm.work / 'original.qcow2', vm.work / 'repaired.qcow2'
    shutil.copyfile(image, original)
    before, listed, checked = digest(image), tool('snapshot', '-l', image), tool('check', image)
    report = hold_check(xferry, image, owner, entry)
    due = [int(v['xstate_bv'], 16) & ~LEAK for v in report['vcpus']]
    run(xferry, 'fix', *GUEST, '--in-place', name_of(image, entry), status=REPAIRED)
    allowed = {e['offset'] + i for e in report['edits'] for i in range(e['length'])}
    expect('bytes changed beside the edits', set(changed_offsets(original, image)) - allowed,
           set())
    run(xferry, 'check', *GUEST, name_of(image, entry), status=0)
    expect('qemu-img check', tool('check', image), checked)
    expect('snapshots', tool('snapshot', '-l', image), listed)
    tool('compare', original, image)
    run(xferry, 'fix', *GUEST, '-o', str(vm.work / 'copy.qcow2'), name_of(original, entry),
        status=REPAIRED)
    expect('the copy', digest(vm.work / 'copy.qcow2'), digest(image))
    (vm.work / 'copy.qcow2').unlink()
    shutil.copyfile(image, repaired)
    run(xferry, 'undo', f'{name_of(image, entry)}.xfundo', status=0)
    expect('sha256 after undo', digest(image), before)
    return original, repaired, due


def run_on(vm, xferry, image):
    """A repair is taken back after the VM has run on; of a snapshot that is gone nothing is."""
    name = f'{image}#two'
    run(xferry, 'fix', *GUEST, '--in-place', name, status=REPAIRED)
    vm.tell(image, ['write 0x55', 'savevm four', 'write 0x66'])
    run(xferry, 'undo', f'{name}.xfundo', status=0)
    expect('XSTATE_BV behind undo', [v & LEAK for _, v in Image.load(image).vcpus(1)],
           [LEAK, LEAK])
    run(xferry, 'fix', *GUEST, '--in-place', name, status=REPAIRED)
    vm.tell(image, ['delvm two', 'savevm five', 'savevm six'])
    states = [Image.load(image).state(i) for i in range(5)]
    subprocess.run([xferry, 'undo', f'{name}.xfundo'], check=False, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    expect('all other snapshots', [Image.load(image).state(i) for i in range(5)] == states, True)
    tool('check', image)


def try_form(vm, xferry, form):
    """One image with its story; returns a word on it."""
    image = vm.work / 'disk.qcow2'
    vm.create(image, FORMS[form])
    vm.tell(image, RESIZED if form == 'resized' else STORY)
    # The disk as after a return to the first, and one more without a machine's state.
    tool('snapshot', '-a', 'one', image)
    tool('snapshot', '-c', 'bare', image)
    if form != 'resized':
        expect('leaks', 'Leaked' in tool('check', image), False)
    content = Image.load(image)
    entries = [(i, e) for i, e in enumerate(content.snapshots()) if e['state_size']]
    expect('names', [e['name'] for _, e in entries], ['one', 'two', 'three'])
    for owner, _ in entries:
        content.leak(owner, LEAK)
    content.save(image)
    words = []
    for owner, entry in entries:
        original, repaired, due = repair(vm, xferry, image, owner, entry)
        if vm.accel == 'kvm':
            words.append(hold_refusal(vm, original, repaired, entry))
            expect('a load of the leak', words[-1], predicted(vm, xferry, original, entry))
        else:
            hold_load(vm, original, repaired, entry, due)
    reports = run(xferry, 'check', *GUEST, '--json', str(image), status=FINDINGS).splitlines()
    expect('reports on the image', len(reports), len(entries))
    run(xferry, 'fix', *GUEST, '--in-place', str(image), status=16)
    run_on(vm, xferry, image)
    return f"{len(entries)} snapshots{': the leak is ' + words[0] if words else ''}"


def accels():
    yield 'tcg'
    try:
        os.close(os.open('/dev/kvm', os.O_RDWR | os.O_CLOEXEC))
        yield 'kvm'
    except OSError:
        print('no /dev/kvm: with emulation only')


def main():
    xferry, suite, *forms = (sys.argv[1:] + [''])[:2] + sys.argv[3:]
    command = ['qemu-system-x86_64']
    if not shutil.which('qemu-img') or not (suite or shutil.which(command[0])):
        print('no qemu-img or no qemu-system-x86_64')
        return SKIP
    if suite:
        command = [str(HERE.parents[1] / 'script/qemu-root'), suite, '--run', *command]
    tried = 0
    for accel in accels():
        # What is special in a form is the same with KVM.
        for form in forms or (FORMS if accel == 'tcg' else ['plain']):
            with tempfile.TemporaryDirectory(prefix='xferry-') as work:
                try:
                    said = try_form(Vm(command, accel, pathlib.Path(work)), xferry, form)
                except CannotCreate as error:
                    print(f'skipped {form}: {error}')
                    continue
                except (AssertionError, QmpError) as error:
                    print(f'FAILED {form}, {accel}: {error}')
                    return 1
            tried += 1
            print(f'ok {form}, {accel}: {said}', flush=True)
    return 0 if tried else 1


if __name__ == '__main__':
    sys.exit(main())
