#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Holds xferry against real streams whose truth is known.

    roundtrip.py XFERRY DIR

DIR is what make-streams wrote, with --leak. Each stream goes through check,
fix, check and undo: the vCPUs must be those of the manifest, which were read
by other means; only the bytes of the listed edits may change; the second check
must find nothing; undo must give back the file, byte by byte. Through the filter, by
pipes, comes what fix wrote; the kinds that it refuses end before their devices.
"""

import hashlib
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

REPAIRED, FINDINGS, FORMAT = 1, 4, 64
# What cannot go through a pipe, and a word of why.
REFUSED = {'mapped-ram': 'mapped-ram', 'mapped-ram-multifd': 'mapped-ram',
           'postcopy': 'postcopy-ram', 'dirty-bitmaps': 'dirty-bitmap'}


def run(xferry, *args, status):
    """What xferry prints; its exit status must be the one given."""
    done = subprocess.run([xferry, *args], capture_output=True, text=True, check=False)
    if done.returncode != status:
        raise AssertionError(f'xferry {" ".join(args)}: status {done.returncode}, '
                             f'expected {status}\n{done.stdout}{done.stderr}')
    return done.stdout


def digest(path):
    with open(path, 'rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()


def changed_offsets(before, after):
    """Where two files of equal length differ."""
    step, offset, found = 1 << 20, 0, []
    with open(before, 'rb') as one, open(after, 'rb') as two:
        while True:
            a, b = one.read(step), two.read(step)
            if len(a) != len(b):
                raise AssertionError(f'{after}: its length has changed')
            if not a:
                return found
            if a != b:
                found += [offset + i for i in range(len(a)) if a[i] != b[i]]
            offset += len(a)


def expect(what, got, wanted):
    if got != wanted:
        raise AssertionError(f'{what}: {got}, expected {wanted}')


def compare(report, truth):
    """The report against the manifest's line."""
    exposed = int(truth['exposed'], 16) | 3
    wanted = [(v['index'], int(v['xstate_bv'], 16), int(v['xcr0'], 16)) for v in truth['state']]
    got = [(v['index'], int(v['xstate_bv'], 16), int(v['xcr0'], 16)) for v in report['vcpus']]
    expect('index, xstate_bv, xcr0 of the vCPUs', got, wanted)
    expect('superfluous', [int(v['superfluous'], 16) for v in report['vcpus']],
           [x & ~exposed for _, x, _ in wanted])
    leaky = [v for v in truth['state'] if int(v['xstate_bv'], 16) & ~exposed]
    edits = [e for e in report['edits'] if e['length'] == 8]
    expect('offsets of XSTATE_BV', [e['offset'] for e in edits], [v['offset'] for v in leaky])
    for edit, vcpu in zip(edits, leaky):
        value = int(vcpu['xstate_bv'], 16)
        expect('old', int(edit['old'], 16), value)
        expect('new', int(edit['new'], 16), value & exposed)
    return bool(leaky)


def filtered(xferry, stream, out, options):
    """What became of a stream behind the filter: its status, and what it said."""
    with open(stream, 'rb') as source, open(out, 'wb') as sink, \
            subprocess.Popen(['cat'], stdin=source, stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL) as cat, \
            subprocess.Popen(['cat'], stdin=subprocess.PIPE, stdout=sink) as last:
        done = subprocess.run([xferry, 'filter', *options], stdin=cat.stdout, stdout=last.stdin,
                              stderr=subprocess.PIPE, text=True, check=False)
        cat.stdout.close()
        last.stdin.close()
    return done.returncode, done.stderr


def pass_through(xferry, stream, fixed, guest, layout):
    """The filter gives what fix gave, or refuses and gives nothing of the devices."""
    out = f'{fixed}.filtered'
    status, said = filtered(xferry, stream, out, guest)
    if layout in REFUSED:
        expect('status of the filter', (status, said.count('\n')), (FORMAT, 1))
        expect(f'the filter names {REFUSED[layout]}', REFUSED[layout] in said, True)
        passed = pathlib.Path(out).read_bytes()
        with open(stream, 'rb') as whole:
            expect('the start of the stream', passed, whole.read(len(passed)))
        expect('nothing of the vCPUs', b'\x03cpu\0\0\0\0\0\0\0\x0c' in passed, False)
        status, _ = filtered(xferry, stream, out, [*guest, '--pass-unknown'])
        expect('status of the filter', status, FINDINGS)
        expect('passed unedited', digest(out), digest(stream))
    else:
        expect('status of the filter', status, 0 if digest(stream) == digest(fixed) else REPAIRED)
        expect('passed', digest(out), digest(fixed))
    pathlib.Path(out).unlink()


def round_trip(xferry, stream, truth, place):
    copy = f'{place}/{stream.name}'
    shutil.copyfile(stream, copy)
    before = digest(copy)
    guest = ['--exposed', hex(int(truth['exposed'], 16) | 3)]
    leaky = any(int(v['xstate_bv'], 16) & ~(int(truth['exposed'], 16) | 3)
                for v in truth['state'])
    out = run(xferry, 'check', *guest, '--json', copy, status=FINDINGS if leaky else 0)
    report = json.loads(out)
    compare(report, truth)
    if not leaky:
        pass_through(xferry, stream, copy, guest, truth['layout'])
    if leaky:
        run(xferry, 'fix', *guest, '--in-place', copy, status=REPAIRED)
        allowed = {e['offset'] + i for e in report['edits'] for i in range(e['length'])}
        strays = set(changed_offsets(stream, copy)) - allowed
        expect('bytes changed beside the edits', strays, set())
        pass_through(xferry, stream, copy, guest, truth['layout'])
        run(xferry, 'check', *guest, copy, status=0)
        run(xferry, 'undo', f'{copy}.xfundo', status=0)
    expect('sha256 in the end', digest(copy), before)
    pathlib.Path(copy).unlink()
    return report['found_by'], leaky


def main():
    xferry, directory = sys.argv[1], pathlib.Path(sys.argv[2])
    repaired = failed = 0
    with open(directory / 'manifest.jsonl', encoding='utf-8') as manifest, \
            tempfile.TemporaryDirectory() as place:
        for line in manifest:
            truth = json.loads(line)
            try:
                found_by, leaky = round_trip(xferry, directory / truth['file'], truth, place)
            except AssertionError as error:
                failed += 1
                print(f"FAILED {truth['layout']}: {error}")
                continue
            repaired += leaky
            print(f"ok {truth['layout']}: {len(truth['state'])} vCPUs, found by {found_by}, "
                  f"{'repaired and undone' if leaky else 'nothing to repair'}")
    print(f'{repaired} streams repaired and undone, {failed} failed')
    return 1 if failed or not repaired else 0


if __name__ == '__main__':
    sys.exit(main())
