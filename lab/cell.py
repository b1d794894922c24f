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
import time

from pathlib import Path

from lab import guest, kernels, module
from lab.errors import EXPECTED, LabError, one_line
from lab.held import held
from lab.matrix import Cell

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
    hook: str | None = None
    reasons: list = dataclasses.field(default_factory=list)  # why it failed; none: it passed
    package: str | None = None
    version: str | None = None
    profile: dict | None = None
    differ: dict | None = None
    contract: dict | None = None
    expected: dict | None = None
    stats: dict = dataclasses.field(default_factory=dict)  # the module's own counters
    seconds: float = 0
    boot: float = 0

    @property
    def cell(self):
        """Which cell it is of."""
        return Cell(self.kernel, self.cpu, self.hook)

    @property
    def name(self):
        """KERNEL/CPU or KERNEL/CPU+HOOK."""
        return str(self.cell)

    @property
    def passed(self):
        """Whether all was as expected."""
        return not self.reasons


def _json(report, name, fine, place):
    """A program's JSON, when it ended in one of the ways that are fine."""
    got = report.output(name)
    kept = f'console kept in {place / "console"}'
    if not got:
        raise LabError(f'{name} did not end; {kept}')
    text, end = got
    if end not in fine:
        raise LabError(f'{name}: {end}; {kept}')
    try:
        return json.loads(text)
    except ValueError as error:
        raise LabError(f'{name}: {end}, but what it printed is no JSON; {kept}') from error


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


def _drive(kernel, cpu, hook, programs, asked, place):
    """Boots, runs and reads what each program said."""
    lines = [('probe', '/xferry probe --json'),
             ('differ', f'/differ --profile /lab/out/probe {asked.words()}'),
             ('contract', '/contract')]
    files = {name: programs.path(name) for name in ('xferry', 'differ', 'contract')}
    report = guest.run_any(kernel, cpu, place, programs, lines, hook, files,
                           LIMIT + asked.states * PER_STATE)
    ended = {'probe': ('exit 0',), 'differ': ('exit 0', 'exit 1'), 'contract': ('exit 0',)}
    return report, [_json(report, name, fine, place) for name, fine in ended.items()]


def _loads(row, hook, report):
    """Where the module did not load and should have, or the other way round."""
    refusal = report.refusal()
    if refusal and not row.refuses:
        yield f'the module does not load: {refusal}'
    elif refusal and row.refuses not in refusal:
        yield f'the module does not load: {refusal}, expected "{row.refuses}"'
    elif hook and not refusal and row.refuses:
        yield f'the module loads, which the matrix says it does not: {row.refuses}'


def _expected(matrix, row, cell, preset):
    """The behaviour of a kernel, on that CPU, with that module."""
    cpu = matrix.cpu(cell.cpu)
    hook = matrix.hook(cell.hook) if cell.hook and not row.refuses else None
    changes = hook and (hook.set or hook.get)
    return (preset | {'module': {'set': f'{hook.set:#x}', 'get': f'{hook.get:#x}'} if changes
                      else None}
            | cpu.gives | row.on.get(cell.cpu, {}))


def _judge(matrix, row, cell, asked, report, result):
    """Everything that is not as it should be, in words."""
    yield from _loads(row, result.hook, report)
    yield from _differences(result.profile, result.expected, matrix.cpu(cell.cpu))
    yield from _breaches(result.contract,
                         matrix.breaks.get(row.preset, ()) + matrix.cpu(cell.cpu).breaks)
    if result.differ['differences']:
        yield f'{result.differ["differences"]} differences from the model'
    if result.differ['states'] != asked.states:
        yield f'only {result.differ["states"]} of {asked.states} states'


def run(matrix, cell, programs, asked, place):
    """Runs a cell, keeping its console and report in `place`; whatever goes wrong is in it."""
    result = Result(*cell)
    start = time.monotonic()
    try:
        cpu, row = matrix.cpu(cell.cpu), matrix.kernel(cell.kernel.partition('=')[0])
        place = Path(place)
        place.mkdir(parents=True, exist_ok=True)
        kernel = kernels.get(matrix, cell.kernel)
        result.package, result.version = kernel.package, kernel.version
        result.expected = _expected(matrix, row, cell, programs.preset(kernel.preset))
        hook = matrix.hook(cell.hook) if cell.hook else None
        if hook:
            hook = guest.Hook(module.get(matrix, kernel), hook.parameters)
        with held(place):
            start = time.monotonic()
            report, said = _drive(kernel, cpu, hook, programs, asked, place)
        result.boot, result.seconds = report.boot, report.seconds
        result.profile, result.differ, result.contract = said
        result.stats = report.stats()
        result.reasons += _judge(matrix, row, cell, asked, report, result)
    except EXPECTED as error:
        result.reasons.append(one_line(error))
    if not result.seconds:
        result.seconds = time.monotonic() - start
    return result
