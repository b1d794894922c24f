#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Real QEMUs migrate through the filter, both running at once.

    migrate.py XFERRY SAMPLES [SUITE]

SUITE: the QEMU of that Debian suite (script/qemu-root) and not this machine's.
What xferry-filter(1) says about a QEMU whose filter ends early, refuses or
exits with another status than 0 is held here, too.
"""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / 'qemu'))

from qmp import Qemu, QmpError  # noqa: E402

SKIP, REPAIRED = 77, 1
PATIENCE = 60


def require(true, text):
    """An assertion that no option of Python's takes out."""
    if not true:
        raise AssertionError(text)


def wait_migrated(qemu):
    """How the migration ended: completed or failed."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        status = qemu.cmd('query-migrate').get('status')
        if status in ('completed', 'failed', 'cancelled'):
            return status
        time.sleep(0.02)
    raise AssertionError(f'migration is {status}')


def state_of(qemu):
    """QEMU's run state."""
    return qemu.cmd('query-status')['status']


class Bench:
    """The QEMU to be tested, the filter, and a place for both."""

    def __init__(self, xferry, samples, suite, place):
        self.xferry, self.samples, self.place = xferry, samples, place
        self.command = ['qemu-system-x86_64']
        if suite:
            root = HERE.parent.parent / 'script/qemu-root'
            subprocess.run([root, suite], check=True, stdout=subprocess.DEVNULL)
            self.command = [str(root), suite, '--run', *self.command]
        self.report = place / 'report'
        self.wire = place / 'wire'
        os.mkfifo(self.wire)

    def filter(self, *options):
        """The filter as a shell has it; its status ends up in a file."""
        words = ' '.join([str(self.xferry), 'filter', f'--json {self.report}', *options])
        return f'{{ {words} 2>{self.place}/said; echo $? >{self.place}/status; }}'

    def status(self):
        """The exit status of the filter, which may not have ended yet."""
        path = self.place / 'status'
        deadline = time.monotonic() + PATIENCE
        while not path.exists() or not path.read_text().strip():
            require(time.monotonic() < deadline, 'the filter does not end')
            time.sleep(0.02)
        status = int(path.read_text())
        path.unlink()
        return status

    def said(self):
        """What it said on stderr."""
        return (self.place / 'said').read_text()

    def tcg(self, *more):
        """A QEMU whose guest runs in emulation."""
        return Qemu(self.command, ['-accel', 'tcg', '-cpu', 'qemu64', '-m', '64',
                                   '-machine', 'pc', *more])

    def kvm(self, *more):
        """A QEMU on this machine's KVM, which cannot run a guest."""
        rom = self.place / 'rom'
        rom.write_bytes(bytes(65536))
        return Qemu(self.command, ['-accel', 'kvm', '-S', '-cpu', 'qemu64', '-m', '16',
                                   '-machine', 'pc-i440fx-7.2', '-serial', 'null',
                                   '-bios', str(rom), *more])

    def leak(self, source):
        """Loads what leaks here: this KVM cannot hold PKRU, but AVX that is set comes back."""
        leaky = self.place / 'leaky'
        subprocess.run([self.xferry, 'fix', '--cpu', 'qemu64', '--only', 'pkru', '-o', leaky,
                        self.samples / 'leaky-pc-qemu64.qevm'], check=False,
                       stdout=subprocess.DEVNULL)
        source.cmd('migrate-incoming', uri=f'exec:cat {leaky}')
        require(wait_migrated(source) == 'completed', 'the sample was not loaded')


def live(bench):
    """A running guest goes from one QEMU to the other, which runs on with it."""
    with bench.tcg() as source, bench.tcg('-incoming', 'defer') as target:
        target.cmd('migrate-incoming', uri=f'exec:cat {bench.wire}')
        source.cmd('migrate', uri=f'exec:{bench.filter("--cpu qemu64")} >{bench.wire}')
        require(wait_migrated(source) == 'completed', 'the source has failed')
        require(wait_migrated(target) == 'completed', 'the target has failed')
        require(state_of(source) == 'postmigrate', state_of(source))
        require(state_of(target) == 'running', state_of(target))
    require(bench.status() == 0, bench.said())
    flow = json.loads(bench.report.read_text().splitlines()[-1])['filter']
    require(flow['passage'] == 'passed' and flow['in'] == flow['out'] > 1 << 16, flow)


def repaired(bench):
    """A leak in a real source's KVM is not in the target's any more; status 1 is no failure."""
    saved = bench.place / 'saved'
    with bench.kvm('-incoming', 'defer') as source, bench.kvm('-incoming', 'defer') as target:
        bench.leak(source)
        target.cmd('migrate-incoming', uri=f'exec:cat {bench.wire}')
        source.cmd('migrate', uri=f'exec:{bench.filter("--cpu qemu64")} >{bench.wire}; exit 1')
        require(wait_migrated(source) == 'completed', 'the source has failed')
        require(wait_migrated(target) == 'completed', 'the target has failed')
        require(bench.status() == REPAIRED, bench.said())
        target.cmd('migrate', uri=f'exec:cat >{saved}')
        require(wait_migrated(target) == 'completed', 'the target could not be saved')
    report = json.loads(bench.report.read_text().splitlines()[-1])
    require(report['vcpus'][0]['xstate_bv'] == '0x7', f'the source did not leak: {report}')
    require(report['filter']['passage'] == 'repaired', report)
    done = subprocess.run([bench.xferry, 'check', '--cpu', 'qemu64', '--json', saved],
                          capture_output=True, check=False)
    require(json.loads(done.stdout)['vcpus'][0]['xstate_bv'] == '0x3', done.stdout)


def repaired_at_the_target(bench):
    """The filter at the other end of the wire: its status 1 does not matter there either."""
    with bench.kvm('-incoming', 'defer') as target:
        wire = f'cat {bench.samples}/leaky-pc-qemu64.qevm | {bench.filter("--cpu qemu64")}'
        target.cmd('migrate-incoming', uri=f'exec:{wire}; exit 1')
        require(wait_migrated(target) == 'completed', 'the target has failed')
    require(bench.status() == REPAIRED, bench.said())


def hold_refused(bench, source, target, options, status):
    """The filter stops before the devices. The target cannot load that, the guest is not lost."""
    target.cmd('migrate-incoming', uri=f'exec:cat {bench.wire}')
    source.cmd('migrate', uri=f'exec:{bench.filter(*options)} >{bench.wire}')
    ended = wait_migrated(source)
    try:
        loaded = wait_migrated(target)
    except QmpError:
        loaded = 'failed'  # a QEMU that cannot load exits
    require(loaded == 'failed', 'the target has loaded it')
    require(bench.status() == status, bench.said())
    if ended == 'completed':
        require(state_of(source) == 'postmigrate', state_of(source))
        source.cmd('cont')
    require(state_of(source) == 'running', state_of(source))
    return ended


def refused_behind_ram(bench):
    """The filter stops in the midst of the devices: whether the source notices is chance."""
    with bench.tcg() as source, bench.tcg('-incoming', 'defer') as target:
        hold_refused(bench, source, target, ['--cpu qemu64', '--max-tail 1K'], 64)


def refused_by_target(bench):
    """All has come when it is seen what it is: the source says that it is completed."""
    profile = bench.place / 'profile.json'
    profile.write_text('{"schema": 1, "supported": "0x3", "set": "host"}')
    with bench.kvm('-incoming', 'defer') as source, bench.kvm('-incoming', 'defer') as target:
        bench.leak(source)
        ended = hold_refused(bench, source, target, [f'--to {profile}'], 4)
        require(ended == 'completed', 'the source has failed')


def ended_early(bench):
    """A filter that ends while RAM comes: the source fails, and its guest never stops."""
    with bench.tcg() as source:
        # All of so small a guest would be in the pipes before anybody has ended.
        source.cmd('migrate-set-parameters', **{'max-bandwidth': 100_000})
        source.cmd('migrate', uri=f'exec:{bench.filter()} | head -c 1000 >/dev/null')
        require(wait_migrated(source) == 'failed', 'the source did not notice')
        require(state_of(source) == 'running', state_of(source))
    require(bench.status() == 8, bench.said())


def refused_capabilities(bench):
    """What cannot go through a pipe is refused by name; the guest never stops."""
    for capability in 'return-path', 'postcopy-ram':
        with bench.tcg() as source:
            try:
                source.cmd('migrate-set-capabilities',
                           capabilities=[{'capability': capability, 'state': True}])
            except QmpError as error:
                print(f'   not here: {capability}: {error}')
                continue
            source.cmd('migrate', uri=f'exec:{bench.filter()} >/dev/null')
            require(wait_migrated(source) == 'failed', f'{capability} went through')
            require(state_of(source) == 'running', state_of(source))
        require(bench.status() == 64, bench.said())
        require(f"'{capability}'" in bench.said(), bench.said())


def multifd(bench):
    """A filter at each channel of multifd: the two further ones are refused by name.

    The first one is where the machine type is one of 8.1 or later; before, it tells nothing
    of the others, and a small guest may have sent all before it learns of the refusals.
    """
    with socket.create_server(('127.0.0.1', 0)) as server, bench.tcg() as source:
        server.settimeout(PATIENCE)
        source.cmd('migrate-set-capabilities',
                   capabilities=[{'capability': 'multifd', 'state': True}])
        source.cmd('migrate-set-parameters', multifd_channels=2)
        source.cmd('migrate', uri=f'tcp:127.0.0.1:{server.getsockname()[1]}')
        filters = []
        for _ in range(3):
            with server.accept()[0] as channel:
                filters.append(subprocess.Popen([bench.xferry, 'filter'], stdin=channel,
                                                stdout=subprocess.DEVNULL,
                                                stderr=subprocess.PIPE))
        ends = [(one.communicate(timeout=PATIENCE)[1].decode(), one.returncode)
                for one in filters]
        refused = [said for said, status in ends if status == 64 and 'multifd' in said]
        require(len(refused) >= (3 if source.version >= (8, 1, 0) else 2), ends)


CASES = [live, repaired, repaired_at_the_target, refused_behind_ram, refused_by_target,
         ended_early, refused_capabilities, multifd]
NEED_KVM = [repaired, repaired_at_the_target, refused_by_target]


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    suite = sys.argv[3] if len(sys.argv) == 4 else None
    if not suite and not shutil.which('qemu-system-x86_64'):
        print('no qemu-system-x86_64')
        return SKIP
    has_kvm = os.access('/dev/kvm', os.R_OK | os.W_OK)
    for case in CASES:
        if case in NEED_KVM and not has_kvm:
            print(f'-- {case.__name__}: no /dev/kvm that may be used')
            continue
        with tempfile.TemporaryDirectory() as place:
            bench = Bench(os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve(),
                          suite, pathlib.Path(place))
            try:
                case(bench)
            except QmpError as error:
                if case not in NEED_KVM or 'unsupported machine type' not in str(error):
                    raise
                print(f"-- {case.__name__}: this QEMU is older than the samples' machine")
                continue
        print(f'ok {case.__name__}', flush=True)
    return 0


sys.exit(main())
