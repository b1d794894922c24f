#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real QEMU loads leaky streams into this machine's KVM, with the guard and without.

    same.py XFERRY GUARD SECOND SAMPLES [SUITE]

SECOND is another library to preload, which passes all on. With SUITE, the QEMU of that
Debian suite (script/qemu-root), else this machine's.

What the guard must do: in `trim` every KVM_SET_XSAVE is answered 0 and the line is there;
in `observe` the error stays and the line is there. What it must not: anything else. So
QEMU with `observe` is compared with QEMU without the guard, and QEMU with `trim` with
QEMU without the guard that loads the stream as `xferry fix` repaired it: every ioctl of
every thread, what QEMU says on stderr, its exit status and its answers in QMP.
"""

import collections
import itertools
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

TREE = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(TREE / 'tests/guard/torture'), str(TREE / 'tests/qemu')]

import ioctls  # noqa: E402
import traced  # noqa: E402
from incoming import Stream, run, xstate_bvs  # noqa: E402

SKIP, REPAIRED = 77, 1
FPSSE = 0x3
# Components that a qemu64 is not shown. One that this machine's KVM cannot hold is wanted.
CANDIDATES = {'pkru': 0x200, 'zmm_hi256': 0x40, 'bndregs': 0x8}
# Leaky streams of other machines than this one: the sample, its machine, its CPU, its vCPUs.
SAMPLES = [('leaky-pc-qemu64.qevm', 'pc-i440fx-7.2', 'qemu64', 1),
           ('leaky-q35-qemu64-smp2.qevm', 'pc-q35-7.2', 'qemu64', 2)]

Setup = collections.namedtuple('Setup', 'xferry guard second qemu component')


def component_to_leak(xferry):
    """The name of a component that this KVM refuses for want of it, or None."""
    done = subprocess.run([xferry, 'probe', '--json'], capture_output=True, text=True, check=True)
    supported = int(json.loads(done.stdout)['supported'], 16)
    return next((name for name, mask in CANDIDATES.items() if not mask & supported), None)


def qemu_of(suite):
    """The command that starts the QEMU of a suite."""
    if not suite:
        return ['qemu-system-x86_64']
    script = str(TREE / 'script' / 'qemu-root')
    subprocess.run([script, suite], check=True, stdout=subprocess.DEVNULL)
    return [script, suite, '--run', 'qemu-system-x86_64']


def make_streams(setup, place):
    """What this QEMU itself saves of 1, 2 and 16 vCPUs, with the component's bit set."""
    subprocess.run([TREE / 'tests' / 'qemu' / 'make-streams', place,
                    '--qemu', ' '.join(setup.qemu), '--layout', 'pc-kvm-*',
                    '--leak', hex(CANDIDATES[setup.component])],
                   check=True, stdout=subprocess.DEVNULL)
    made = [json.loads(line) for line in (place / 'manifest.jsonl').read_text().splitlines()]
    assert [entry['vcpus'] for entry in made] == [1, 2, 16], made
    return [Stream(place / entry['file'], entry['machine'], entry['cpu'], entry['vcpus'])
            for entry in made]


def choose(setup, made, folder):
    """The samples, which did leak, in place of what is made here of as many vCPUs.

    Their component is PKRU and their machine types are newer than some QEMU.
    """
    if setup.component != 'pkru' or len(setup.qemu) > 1:
        return made
    return [Stream(folder / name, machine, cpu, vcpus)
            for name, machine, cpu, vcpus in SAMPLES] + made[-1:]


def repair(setup, stream, place):
    """The same stream less the one component."""
    repaired = place / ('repaired-' + stream.path.name)
    if repaired.exists():
        return Stream(repaired, stream.machine, stream.cpu, stream.vcpus)
    done = subprocess.run([setup.xferry, 'fix', '--cpu', stream.cpu, '--only', setup.component,
                           str(stream.path), '-o', str(repaired)],
                          stdout=subprocess.DEVNULL, check=False)
    assert done.returncode & REPAIRED, done
    return Stream(repaired, stream.machine, stream.cpu, stream.vcpus)


def environment(setup, mode, order='{guard}'):
    """What preloads the guard; only the one component, so that a repair does the same."""
    preload = order.format(guard=setup.guard, second=setup.second)
    return {'LD_PRELOAD': preload, 'XFERRY_GUARD': mode, 'XFERRY_GUARD_ONLY': setup.component}


def same(guarded, bare, asked):
    """QEMU did with the guard what it does without, `asked` calls of the guard's apart."""
    assert guarded.status == bare.status, (guarded.status, bare.status, guarded.stderr)
    assert guarded.stderr == bare.stderr, (guarded.stderr, bare.stderr)
    for one, other in itertools.zip_longest(guarded.answers, bare.answers):
        assert one == other, (one, other)
    differs = ioctls.difference(guarded.threads, bare.threads)
    assert not differs, differs
    assert guarded.saved == bare.saved, (guarded.saved, bare.saved)
    assert bare.taken == 0, 'QEMU itself asks KVM_GET_CPUID2'
    assert guarded.taken == asked, f'{guarded.taken} KVM_GET_CPUID2, expected {asked}'


def has_line(lines, vcpu, **expected):
    """Exactly one line tells of what this vCPU was to load, and it says what is expected."""
    mine = [line for line in lines if re.search(rf'\bvcpu={vcpu} direction=set\b', line)]
    assert len(mine) == 1, (vcpu, lines)
    said = dict(re.findall(r'(\w+)=("[^"]*"|\S+)', mine[0]))
    for key, value in expected.items():
        assert said[key] == value, (key, value, mine[0])


def says(setup, seen, stream, mode):
    """The guard's lines: one a vCPU that something was found of, and the summary."""
    mask = CANDIDATES[setup.component]
    dropped, result = (hex(mask), '0') if mode == 'trim' else ('0x0', 'EINVAL')
    for vcpu, before in enumerate(xstate_bvs(stream.path.read_bytes())):
        has_line(seen.guard, vcpu, mode=mode, xstate_bv=hex(before), dropped=dropped, result=result)
    summaries = [line for line in seen.guard if ' summary ' in line]
    assert len(summaries) == 1, seen.guard
    assert re.search(rf'\bvcpus={stream.vcpus} set={stream.vcpus}\b', summaries[0]), summaries
    assert re.search(rf'\bdropped={dropped}(\s|$)', summaries[0]), summaries
    assert len(seen.guard) == stream.vcpus + 1, seen.guard


def refusals(seen):
    """How many KVM_SET_XSAVE there were, and how many were refused."""
    answers = ioctls.answers(seen.threads, 'KVM_SET_XSAVE')
    return len(answers), sum('EINVAL' in answer for answer in answers)


def try_stream(setup, stream, place, sandbox=False):
    """A stream, without the guard and with it in both modes; what was seen, in a line."""
    repaired = repair(setup, stream, place)
    leaky_bare = run(setup.qemu, stream, {}, sandbox)
    repaired_bare = run(setup.qemu, repaired, {}, sandbox)
    calls, refused = refusals(leaky_bare)
    # An older QEMU goes on to the next vCPU, a newer one ends at the first.
    assert refused >= 1, 'this KVM refuses nothing of the stream'
    assert refused == stream.vcpus or leaky_bare.status == 1, (refused, leaky_bare.status)
    assert refusals(repaired_bare)[1] == 0

    observed = run(setup.qemu, stream, environment(setup, 'observe'), sandbox)
    same(observed, leaky_bare, refused)
    if refused == stream.vcpus:
        says(setup, observed, stream, 'observe')
    else:
        assert any('result=EINVAL' in line for line in observed.guard), observed.guard

    trimmed = run(setup.qemu, stream, environment(setup, 'trim'), sandbox)
    same(trimmed, repaired_bare, stream.vcpus)
    says(setup, trimmed, stream, 'trim')
    assert refusals(trimmed)[1] == 0

    # What else leaked may be the guest's own: this KVM is asked, and it says so.
    asked = sum(bv & ~FPSSE != 0 for bv in xstate_bvs(repaired.path.read_bytes()))
    for mode in 'observe', 'trim':
        silent = run(setup.qemu, repaired, environment(setup, mode), sandbox)
        same(silent, repaired_bare, asked)
        assert silent.guard == [], silent.guard

    ioctl_count = sum(map(len, repaired_bare.threads.values()))
    print(f'{stream.path.name}{", sandbox" if sandbox else ""}: {refused} of {calls} '
          f'KVM_SET_XSAVE refused, exit {leaky_bare.status}; observe the same; trim 0 of '
          f'{refusals(trimmed)[0]} refused, exit {trimmed.status}; {ioctl_count} ioctls of '
          f'{len(repaired_bare.threads)} threads the same', flush=True)


def try_second(setup, stream, place):
    """Another preloaded library, before ours and behind it."""
    repaired = repair(setup, stream, place)
    bare = run(setup.qemu, repaired, {'LD_PRELOAD': setup.second})
    for order in '{second}:{guard}', '{guard}:{second}':
        both = run(setup.qemu, stream, environment(setup, 'trim', order))
        same(both, bare, stream.vcpus)
        says(setup, both, stream, 'trim')
    print(f'{stream.path.name}: a second preload before and behind, the same', flush=True)


def wait_until(true, what):
    """Waits for something that comes soon."""
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def try_daemon(setup, stream, place):
    """A QEMU that forks before it makes its vCPUs, as Proxmox starts it; its log is a file."""
    log, pid_file, rom = place / 'log', place / 'pid', place / 'rom'
    rom.write_bytes(bytes(65536))
    settings = {**os.environ, **environment(setup, 'trim'), 'XFERRY_GUARD_LOG': str(log)}
    subprocess.run([*setup.qemu, '-accel', 'kvm', '-S', '-machine', stream.machine,
                    '-cpu', stream.cpu, '-smp', f'{stream.vcpus},maxcpus={stream.vcpus}',
                    '-m', '16', '-bios', str(rom), '-serial', 'null', '-display', 'none',
                    '-nodefaults', '-daemonize', '-pidfile', str(pid_file),
                    '-incoming', f'exec:cat {stream.path}'],
                   env=settings, stderr=subprocess.DEVNULL, check=True)

    def lines():
        """What is in the log, without the name in front."""
        return log.read_text().splitlines() if log.exists() else []

    try:
        wait_until(lambda: len(lines()) >= stream.vcpus, 'no lines of a daemon')
    finally:
        os.kill(int(pid_file.read_text()), signal.SIGTERM)
    wait_until(lambda: len(lines()) == stream.vcpus + 1, 'no summary of a daemon')
    for vcpu in range(stream.vcpus):
        has_line(lines(), vcpu, mode='trim', result='0')
    print(f'{stream.path.name}: daemonized, the lines are in a file', flush=True)


def set_up(suite=''):
    """What the command line names; None, and a word why, where this machine cannot show it."""
    reason = traced.why_not(*([] if suite else ['qemu-system-x86_64']))
    if reason:
        print(reason)
        return None
    xferry, guard, second = (str(pathlib.Path(path).resolve()) for path in sys.argv[1:4])
    component = component_to_leak(xferry)
    if not component:
        print('this KVM holds all components that could be leaked')
        return None
    return Setup(xferry, guard, second, qemu_of(suite), component)


def main():
    setup = set_up(sys.argv[5] if len(sys.argv) > 5 else '')
    if not setup:
        return SKIP
    with tempfile.TemporaryDirectory() as name:
        place = pathlib.Path(name)
        made = make_streams(setup, place)
        for stream in choose(setup, made, pathlib.Path(sys.argv[4]).resolve()):
            try_stream(setup, stream, place)
        try_stream(setup, made[1], place, sandbox=True)
        try_second(setup, made[1], place)
        try_daemon(setup, made[1], place)
    return 0


if __name__ == '__main__':
    sys.exit(main())
