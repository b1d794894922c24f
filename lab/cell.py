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
             'hook', 'module')
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
    refusal: str | None = None  # why the module did not load
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


def _loads(row, hook, refusal):
    """Where the module did not load and should have, or the other way round."""
    if refusal and not row.refuses:
        yield f'the module does not load: {refusal}'
    elif refusal and row.refuses not in refusal:
        yield f'the module does not load: {refusal}, expected "{row.refuses}"'
    elif hook and not refusal and row.refuses:
        yield f'the module loads, which the matrix says it does not: {row.refuses}'


def _counted(hook, stats):
    """Where the module's own counters are not what such a run makes; no debugfs, no counters."""
    if not stats:
        return
    for name in ('set_distrusted', 'set_failed', 'get_distrusted', 'get_failed'):
        if stats.get(name) != 0:
            yield f'the module counts {name} {stats.get(name)}, expected 0'
    for direction, mask in (('set', hook.set), ('get', hook.get)):
        trimmed = stats.get(f'{direction}_trimmed')
        if trimmed and not mask:
            yield f'the module counts {direction}_trimmed {trimmed}, and was not to trim'
    if not stats.get('set_trimmed' if hook.set else 'set_superfluous'):
        yield 'the module has met nothing superfluous'


def _expected(matrix, row, cell, preset):
    """The behaviour of a kernel, on that CPU, with that module."""
    hook = matrix.hook(cell.hook) if cell.hook and not row.refuses else None
    changes = hook and (hook.set or hook.get)
    module = {'module': {'set': f'{hook.set:#x}', 'get': f'{hook.get:#x}'}} if changes else {}
    return ({'module': None} | preset | module | matrix.cpu(cell.cpu).gives | row.on.get(cell.cpu, {}))


def _judge(matrix, row, result):
    """Everything of a cell that is not as it should be, in words."""
    cpu, hook = matrix.cpu(result.cpu), matrix.hook(result.hook) if result.hook else None
    breaks = matrix.breaks.get(row.preset, ()) + cpu.breaks
    yield from _loads(row, hook, result.refusal)
    if hook and not result.refusal:
        breaks += hook.breaks
        yield from _counted(hook, result.stats)
    yield from _differences(result.profile, result.expected, cpu)
    yield from _breaches(result.contract, breaks)
    if result.differ['differences']:
        yield f'{result.differ["differences"]} differences from the model'


def _built(matrix, cell, kernel):
    """The module that a cell loads, if any."""
    if not cell.hook:
        return None
    return guest.Hook(module.get(matrix, kernel), matrix.hook(cell.hook).parameters)


def _run(matrix, cell, programs, asked, place, result):
    cpu, row = matrix.cpu(cell.cpu), matrix.kernel(cell.kernel.partition('=')[0])
    place.mkdir(parents=True, exist_ok=True)
    kernel = kernels.get(matrix, cell.kernel)
    result.package, result.version = kernel.package, kernel.version
    result.expected = _expected(matrix, row, cell, programs.preset(kernel.preset))
    hook = _built(matrix, cell, kernel)
    with held(place):
        report, said = _drive(kernel, cpu, hook, programs, asked, place)
    result.boot, result.seconds = report.boot, report.seconds
    result.profile, result.differ, result.contract = said
    result.stats, result.refusal = report.stats(), report.refusal()
    result.reasons += _judge(matrix, row, result)
    if result.differ['states'] != asked.states:
        result.reasons.append(f'only {result.differ["states"]} of {asked.states} states')


def run(matrix, cell, programs, asked, place):
    """Runs a cell, keeping its console and report in `place`; whatever goes wrong is in it."""
    result = Result(*cell)
    start = time.monotonic()
    try:
        _run(matrix, cell, programs, asked, Path(place), result)
    except EXPECTED as error:
        result.reasons.append(one_line(error))
    if not result.seconds:
        result.seconds = time.monotonic() - start
    return result
