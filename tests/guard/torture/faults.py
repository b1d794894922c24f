#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every function that the guard calls fails: the n-th time, and from then on for ever.

    faults.py GUARD FAIL VMM

VMM (vmm.c) writes down what it is answered. Without the guard and without a fault that
is `bare`, with the guard in `trim` it is `trimmed`; the two differ where they must. With
a fault of the guard's own, each line must be one of these two: the guard does its work
or it keeps out of the way. In `observe` it must be `bare`. And where the guard gave
something up, it says a line that it does not say otherwise, as far as lines can be said.

A call that is the VMM's and that the guard only hands on may fail for reasons of its
own: that is compared with the same failure without the guard.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

SKIP = 77
# What the guard hands on for the VMM.
WRAPPED = {'close', 'close_range', 'closefrom', 'dup', 'dup2', 'dup3', 'fcntl', 'fcntl64'}
# What cannot fail, and what the linker adds.
HARMLESS = {
    '__errno_location', 'getpid', 'memcpy', 'memmove', 'memset', 'memcmp', 'memchr', 'strlen',
    'strnlen', 'strcmp', 'strncmp', 'strchr', 'strrchr', 'strstr', 'strtoul', 'strtoull',
    'strcspn', 'strspn', 'strcpy', 'stpcpy', 'free', '__stack_chk_fail', '__cxa_finalize',
    '__gmon_start__', '_ITM_deregisterTMCloneTable', '_ITM_registerTMCloneTable',
    '__ctype_b_loc',
    '__ctype_tolower_loc', 'strcasecmp', 'strncasecmp', 'strerror'}
# Lines that cannot be said when these fail: without rt_sigprocmask a line could end the VMM.
VOICE = {'snprintf', 'vsnprintf', 'syscall.write', 'syscall.poll', 'syscall.fstat',
         'syscall.rt_sigprocmask'}
# The lines of vmm.c where state leaks into the vCPU that was not shown it.
TRIMMED = {
    'states': {'hidden leaky', 'hidden signed', 'hidden still', 'thread'},
    'fds': {'hidden leaky', 'hidden signed', 'thread', 'dup', 'dup2', 'dup2 itself',
            'dup2 of nothing', 'dup3', 'F_DUPFD', 'F_DUPFD_CLOEXEC', 'close_range cloexec',
            'behind vfork'}}
# Beyond this call it is the same again.
MOST = 12


class Said:
    """What came of one run of the VMM."""

    def __init__(self, done, log):
        self.status = done.returncode
        self.lines = done.stdout.splitlines()
        text = done.stderr + log
        self.guard = {re.sub(r'pid=\d+', 'pid=N', line) for line in text.splitlines()}


class Bench:
    """The VMM, the guard and the faults, and where files may be."""

    def __init__(self, guard, fail, vmm, place):
        self.guard = guard
        self.fail = fail
        self.vmm = vmm
        self.log = pathlib.Path(place, 'log')
        self.counts = pathlib.Path(place, 'counts')

    def run(self, script, mode=None, settings=None, **fault):
        """Runs a script of the VMM; no mode: without the guard."""
        libraries = [self.guard] * bool(mode) + [self.fail]
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith(('XFERRY_', 'FAIL'))}
        environment.update(LD_PRELOAD=':'.join(libraries), FAIL_COUNTS=str(self.counts), **fault)
        if mode:
            environment.update(XFERRY_GUARD=mode, **(settings or {}))
        for file in self.log, self.counts:
            file.unlink(missing_ok=True)
        done = subprocess.run([self.vmm, script], env=environment, capture_output=True, text=True,
                              timeout=10, check=False)
        return Said(done, self.log.read_text() if self.log.exists() else '')

    def counted(self):
        """How often each function was called in the last run."""
        words = (line.split() for line in self.counts.read_text().splitlines())
        return {name: int(count) for name, count in words}


def symbols(library, which):
    """The names that a library exports or imports."""
    done = subprocess.run(['nm', '-D', which, library], capture_output=True, text=True, check=True)
    return {line.split()[-1].split('@')[0] for line in done.stdout.splitlines()}


def check_covered(bench):
    """Nothing that the guard calls has been left out."""
    needed = symbols(bench.guard, '--undefined-only')
    covered = symbols(bench.fail, '--defined-only')
    missing = needed - covered - HARMLESS
    assert not missing, f'{", ".join(sorted(missing))}: not made to fail by fail.c'
    return sorted(needed & covered)


def wanted_difference(bare, trimmed, script):
    """Without a fault the guard changes the answers that it must, and no other."""
    assert bare.status == trimmed.status == 0, (bare.status, trimmed.status)
    assert len(bare.lines) == len(trimmed.lines), (bare.lines, trimmed.lines)
    changed = set()
    for one, other in zip(bare.lines, trimmed.lines):
        if one != other:
            assert one.endswith(': -1 errno 22') and other.endswith(': 0 errno 123'), (one, other)
            changed.add(one.partition(':')[0])
    assert changed == TRIMMED[script], changed ^ TRIMMED[script]


def faults_of(name, count):
    """The faults worth trying of a function that is called so often."""
    if name == 'syscall.rt_sigprocmask':
        # With valid arguments it does not fail; a filter may refuse it, but then always.
        yield {'FAIL_AT': '1', 'FAIL_EVER': '1'}
        return
    for at in range(1, min(count, MOST) + 1):
        yield {'FAIL_AT': str(at), 'FAIL_EVER': '0'}
        yield {'FAIL_AT': str(at), 'FAIL_EVER': '1'}


def check_own(bench, fault, settings, bare, trimmed):
    """A fault of a call that the guard makes for itself; whether it kept out of the way."""
    may = [bare, trimmed]
    if fault['FAIL'].endswith('getenv'):
        # A variable that is not got is one that is not set.
        may.append(bench.run('states', 'trim'))
    said = bench.run('states', 'trim', settings, **fault)
    what = f'{fault}, {settings}'
    assert said.status == 0, (what, said.status)
    assert len(said.lines) == len(bare.lines), (what, said.lines)
    for line, *others in zip(said.lines, *(one.lines for one in may)):
        assert line in others, (what, line)
    gave_up = said.lines != trimmed.lines
    if gave_up and fault['FAIL'] not in VOICE:
        assert said.guard - trimmed.guard, (what, 'no line says so', said.guard)

    observed = bench.run('states', 'observe', settings, **fault)
    assert observed.status == 0 and observed.lines == bare.lines, (what, observed.lines)
    return gave_up


def check_handed_on(bench, name, fault):
    """A fault of a call of the VMM's: the same with the guard and without."""
    fault = {'FAIL': name, 'FAIL_BY': 'anybody', **fault}
    without = bench.run('fds', **fault)
    with_guard = bench.run('fds', 'observe', **fault)
    assert (with_guard.status, with_guard.lines) == (without.status, without.lines), \
        (fault, set(with_guard.lines) ^ set(without.lines))
    trimmed = bench.run('fds', 'trim', **fault)
    assert trimmed.status == without.status, (fault, trimmed.status)
    for line, other in zip(trimmed.lines, without.lines):
        assert line == other or other.endswith(': -1 errno 22'), (fault, line, other)


def settings_of(bench):
    """The settings that make the guard call different functions, and whether it trims."""
    yield {'XFERRY_GUARD_LOG': 'stderr'}, True
    yield {'XFERRY_GUARD_LOG': str(bench.log)}, True
    yield {'XFERRY_GUARD_LOG': 'syslog'}, True
    yield {'XFERRY_GUARD_ONLY': '0x248'}, True
    yield {'XFERRY_GUARD_ONLY': 'pkro', 'XFERRY_GUARD_LOG': 'nowhere'}, False


def own_faults(bench):
    """Each function that the guard calls for itself, with settings of each kind."""
    tried = gave_up = 0
    names = set()
    bare = bench.run('states')
    for settings, trims in settings_of(bench):
        trimmed = bench.run('states', 'trim', settings, FAIL_BY='guard')
        if trims:
            wanted_difference(bare, trimmed, 'states')
        else:
            assert trimmed.lines == bare.lines, trimmed.lines
        for name, count in sorted(bench.counted().items()):
            names.add(name)
            for fault in faults_of(name, count):
                fault = {'FAIL': name, 'FAIL_BY': 'guard', **fault}
                gave_up += check_own(bench, fault, settings, bare, trimmed)
                tried += 1
    print(f'{tried} faults of {", ".join(sorted(names))}: the guard kept out of the way in '
          f'{gave_up}, did its work in the others')
    assert 'syscall' not in names, 'a system call that fail.c does not know'
    # Those without which there would be no guard at all.
    assert names >= {'ioctl', 'dlsym', 'malloc', 'syscall.write', 'syscall.openat',
                     'syscall.socket'}, names


def handed_on(bench):
    """Each function that the guard hands on for the VMM."""
    wanted_difference(bench.run('fds'), bench.run('fds', 'trim'), 'fds')
    # What the VMM calls without the guard, the guard calls as often.
    tried = 0
    bench.run('fds', FAIL_BY='anybody')
    counts = {name: count for name, count in bench.counted().items() if name in WRAPPED}
    assert {'close', 'dup', 'dup2', 'dup3', 'close_range'} <= set(counts), counts
    for name, count in sorted(counts.items()):
        for fault in faults_of(name, count):
            check_handed_on(bench, name, fault)
            tried += 1
    print(f'{tried} faults of {", ".join(sorted(counts))} handed on: the same with the guard')


def main():
    guard, fail, vmm = (str(pathlib.Path(path).resolve()) for path in sys.argv[1:4])
    with tempfile.TemporaryDirectory() as place:
        bench = Bench(guard, fail, vmm, place)
        first = bench.run('states')
        if first.status == SKIP:
            print(*first.lines)
            return SKIP
        print('made to fail:', *check_covered(bench))
        own_faults(bench)
        handed_on(bench)
    return 0


if __name__ == '__main__':
    sys.exit(main())
