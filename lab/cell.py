# SPDX-License-Identifier: LGPL-2.1-or-later
"""One cell of the lab: a kernel on a CPU, asked what its KVM does, then held against the model.

In the machine xferry probes the KVM; differ drives generated states through it and
through the model made from that probe. A cell passes when the probe found what the
matrix expects (so the presets are proved too) and differ found nothing unexplained.
At last the clauses of docs/contract.md are tried, and only those may be broken that the
matrix names.
"""

import dataclasses
import json
import re
import time

from pathlib import Path

from lab import initramfs, kernels
from lab.errors import EXPECTED, LabError, one_line
from lab.held import held
from lab.machine import Machine

# The keys of a profile that are behaviour of the kernel, not of the CPU.
BEHAVIOUR = ('get', 'set', 'header_checked', 'mxcsr_always', 'get_after_cpuid', 'xfd_clears',
             'hook')
LIMIT = 60       # seconds for a boot and the probe
PER_STATE = 0.01  # and for each state


@dataclasses.dataclass(frozen=True)
class Asked:
    """What differ is to do."""
    states: int
    seed: int = 1
    assume: tuple = ()  # KEY=VALUE: a model that is wrong on purpose

    def words(self):
        """Its command line."""
        return ' '.join([f'--states {self.states} --seed {self.seed}',
                         *(f'--assume {word}' for word in self.assume)])


@dataclasses.dataclass
class Result:
    """What became of one cell."""
    kernel: str
    cpu: str
    reasons: list = dataclasses.field(default_factory=list)  # why it failed; none: it passed
    package: str | None = None
    version: str | None = None
    profile: dict | None = None
    differ: dict | None = None
    contract: dict | None = None
    seconds: float = 0
    boot: float = 0

    @property
    def name(self):
        """KERNEL/CPU."""
        return f'{self.kernel}/{self.cpu}'

    @property
    def passed(self):
        """Whether all was as expected."""
        return not self.reasons


def archive(kernel, programs, run):
    """The initramfs of a cell; `run` are its lines, (name, command)."""
    made = initramfs.Archive()
    made.program('init', programs.path('init'))
    made.program('xferry', programs.path('xferry'))
    made.program('differ', programs.path('differ'))
    made.program('contract', programs.path('contract'))
    for module in kernel.modules:
        made.file(f'lab/{module.name}', module.read_bytes())
    made.file('lab/modules', ''.join(f'/lab/{module.name}\n'
                                     for module in kernel.modules).encode())
    made.file('lab/run', ''.join(f'{name} {command}\n' for name, command in run).encode())
    return made


class Report:
    """What init reported through the second serial port."""

    def __init__(self, text):
        self.text = text

    def kvm(self):
        """"ready", or why there is no KVM; None when init did not come so far."""
        found = re.search(r'^== kvm: (.*)$', self.text, re.M)
        return found[1] if found else None

    def output(self, name):
        """(what a program printed, how it ended); None when it did not end."""
        found = re.search(rf'^== begin {name}\n(.*?)^== end {name} ([^\n]*)$', self.text,
                          re.M | re.S)
        return (found[1], found[2]) if found else None


def _json(report, name, fine, machine):
    """A program's JSON, when it ended in one of the ways that are fine."""
    got = report.output(name)
    if not got:
        raise machine.error(f'{name} did not end')
    text, end = got
    if end not in fine:
        raise machine.error(f'{name}: {end}')
    try:
        return json.loads(text)
    except ValueError as error:
        raise machine.error(f'{name}: {end}, but what it printed is no JSON') from error


def _differences(profile, expected, cpu):
    """Where a probed profile is not what the matrix says."""
    if int(profile['supported'], 16) != cpu.holds:
        yield f'holds {profile["supported"]}, expected {cpu.holds:#x}'
    unlearned, stated = profile['not_learned'], {*cpu.unlearned, *expected.get('unlearned', ())}
    for key in sorted(set(unlearned) - stated):
        yield f'{key} was not learned: {unlearned[key]}'
    for key in sorted(stated - set(unlearned)):
        yield f'{key} was learned, which the matrix says cannot be'
    for key in BEHAVIOUR:
        got, want = profile.get(key), expected.get(key)
        if key not in unlearned and got != want:
            yield f'{key} is {json.dumps(got)}, expected {json.dumps(want)}'


def _breaches(clauses, expected):
    """Clauses that are broken here and that the matrix does not say are."""
    for clause, one in clauses.items():
        if one['verdict'] == 'broken' and clause not in expected:
            yield f'clause {clause} is broken: {one["why"]}'


def _drive(kernel, cpu, programs, asked, place):
    """Boots, runs and reads: (what each program said, seconds to boot, seconds in all)."""
    run = [('probe', '/xferry probe --json'),
           ('differ', f'/differ --profile /lab/out/probe {asked.words()}'),
           ('contract', '/contract')]
    archive(kernel, programs, run).write(place / 'initramfs')
    report = place / 'report'
    report.write_bytes(b'')
    with Machine(kernel, cpu, place / 'initramfs', place / 'console',
                 serials=[f'file:{report}']) as machine:
        machine.wait_for('^== kvm: ', LIMIT, report)
        boot = time.monotonic() - machine.started
        seconds = machine.wait(LIMIT + asked.states * PER_STATE)
        machine.check_cpu()
    (place / 'initramfs').unlink()
    said = Report(report.read_text(encoding='utf-8', errors='replace'))
    if said.kvm() != 'ready':
        raise machine.error(f'no KVM in the cell: /dev/kvm: {said.kvm()}; the CPU needs SVM, '
                            'the kernel kvm-amd')
    profile = _json(said, 'probe', ('exit 0',), machine)
    result = _json(said, 'differ', ('exit 0', 'exit 1'), machine)
    contract = _json(said, 'contract', ('exit 0',), machine)
    return (profile, result, contract), boot, seconds


def run(matrix, name, cpu_name, programs, asked, place):
    """Runs a cell, keeping its console and report in `place`; whatever goes wrong is in it."""
    result = Result(name, cpu_name)
    start = time.monotonic()
    try:
        cpu = matrix.cpu(cpu_name)
        place = Path(place)
        place.mkdir(parents=True, exist_ok=True)
        kernel = kernels.get(matrix, name)
        result.package, result.version = kernel.package, kernel.version
        expected = (programs.preset(kernel.preset) | cpu.gives
                    | matrix.kernel(name.partition('=')[0]).on.get(cpu_name, {}))
        with held(place):
            start = time.monotonic()
            said, result.boot, result.seconds = _drive(kernel, cpu, programs, asked, place)
        result.profile, result.differ, result.contract = said
        result.reasons += _differences(result.profile, expected, cpu)
        result.reasons += _breaches(result.contract,
                                    matrix.breaks.get(kernel.preset, ()) + cpu.breaks)
        if result.differ['differences']:
            result.reasons.append(f'{result.differ["differences"]} differences from the model')
        if result.differ['states'] != asked.states:
            result.reasons.append(f'only {result.differ["states"]} of {asked.states} states')
    except EXPECTED as error:
        result.reasons.append(one_line(error))
    if not result.seconds:
        result.seconds = time.monotonic() - start
    return result
