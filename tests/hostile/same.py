#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Two builds of the command say the same of every state, byte by byte, and repair it to the same.

    same.py XFERRY OTHER...     OTHER is the words that start the other one

The states are the samples and those that the cases of tests/formats make, with the cases' own
options.
"""

import hashlib
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(os.environ['SOURCE'])
SAMPLES = SOURCE / 'tests/samples'
CASES = SOURCE / 'tests/formats/cases'
# As tests/formats/run-case.sh makes a case's state.
MAKE = '. "$SOURCE/tests/cli/lib.sh"; . "$SOURCE/tests/formats/lib.sh"; cd "$2"; . "$1/make"'
# Beyond 4 GiB, where it matters that offsets have 64 bits; nearly all of it is a hole.
LARGE_RAM_MIB = 6144
LARGE = 64 << 20
# A program that packs writes the time, or chooses by the machine it runs on.
PACKED = ('lzop', 'zstd', 'xz', 'bzip2', 'gzip')


def make(case, place):
    """Makes a case's state. False: a program is missing here."""
    done = subprocess.run(['bash', '-euc', MAKE, 'make', case, place], check=False,
                          capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode not in (0, 77):
        raise AssertionError(f'{case.name}: make: {done.stdout}{done.stderr}')
    return done.returncode == 0


def make_large(here):
    """A stream of mapped-ram, the devices beyond 4 GiB."""
    maker = pathlib.Path(os.environ['BUILD'], 'tests/state/make-stream')
    subprocess.run([maker, here / 'state', str(LARGE_RAM_MIB), '2', 'mapped'], check=True)
    size = (here / 'state').stat().st_size
    if size < 5 << 30:
        raise AssertionError(f'a large state of {size} bytes')
    return True


def arguments(case):
    """What a case adds to the command line, and what it names."""
    words = shlex.split((case / 'args').read_text()) if (case / 'args').exists() else []
    named = case / 'arg'
    return ([word.replace('@/', f'{case}/') for word in words],
            named.read_text().strip() if named.exists() else 'state')


def runs(words, state):
    """What is done to each state."""
    return (['check', '--json', *words, state], ['check', *words, state],
            ['fix', '--json', *words, '-o', 'copy', state],
            ['fix', *words, '--in-place', '--undo-file', 'undo', state], ['undo', 'undo'])


def content(path):
    """A file's size and what stands for its bytes: of a large one, its end."""
    size = path.stat().st_size
    with open(path, 'rb') as file:
        file.seek(max(0, size - LARGE))
        return size, hashlib.sha256(file.read()).hexdigest()


def files(place):
    """What is in the directory, but undo files: they tell the time."""
    return {str(path.relative_to(place)): content(path)
            for path in place.rglob('*') if path.is_file() and path.name != 'undo'}


def told(command, words, place):
    """What one build says, and leaves behind."""
    done = subprocess.run([*command, *words], cwd=place, check=False, capture_output=True,
                          stdin=subprocess.DEVNULL, timeout=600)
    # undo names files by where they really are, which is not the same for both.
    here = os.fsencode(place.resolve())
    return (done.returncode, done.stdout.replace(here, b'.'), done.stderr.replace(here, b'.'),
            files(place))


def compare(name, ours, other, words, state, make_state):
    """Both builds, each in a directory of its own. The number of runs that were compared."""
    packed = any(word in name for word in PACKED)
    with tempfile.TemporaryDirectory() as place:
        places = [pathlib.Path(place, 'a/here'), pathlib.Path(place, 'b/here')]
        for here in places:
            here.mkdir(parents=True)
            if not make_state(here):
                return 0
        for run in runs(words, state):
            one, two = (told(command, run, here)
                        for command, here in zip((ours, other), places))
            if packed:
                one, two = one[:3], two[:3]
            if one != two:
                raise AssertionError(f'{name}: xferry {shlex.join(run)}:\n{one}\n{two}')
    return 5


def main():
    """0: no difference."""
    ours, other = [sys.argv[1]], sys.argv[2:]
    states = compared = 0
    for sample in sorted(SAMPLES.glob('*.qevm')):
        def copy(here, sample=sample):
            (here / 'state').write_bytes(sample.read_bytes())
            return True
        for words in ([], ['--cpu', 'qemu64', '--to', 'preset:linux-6.2,-pku'],
                      ['--exposed', '0x2e7', '--to', 'preset:linux-6.6']):
            compared += compare(sample.name, ours, other, words, 'state', copy)
        states += 1
    for case in sorted(CASES.iterdir()):
        words, state = arguments(case)
        count = compare(case.name, ours, other, words, state, lambda here, case=case:
                        make(case, here))
        compared += count
        states += count > 0
    compared += compare('large', ours, other, ['--cpu', 'qemu64', '--to',
                                               'preset:linux-6.2,-pku'], 'state', make_large)
    states += 1
    if states < 200:
        raise AssertionError(f'only {states} states')
    print(f'ok the same: {states} states, {compared} runs')
    return 0


sys.exit(main())
