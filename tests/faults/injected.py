# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every call of an operation goes wrong once, in each of the ways that such a call can."""

import os
import subprocess
from collections import Counter
from dataclasses import dataclass

import power
from operations import DONE, KILLED, Lost

SYNCS = ('fsync', 'fdatasync')
CHANGES = ('pwrite64', 'write', 'fsync', 'fdatasync', 'ftruncate', 'link', 'linkat', 'rename',
           'unlink', 'copy_file_range', 'fchmod', 'splice', 'sendfile')
READS = ('read', 'pread64', 'lseek')


@dataclass(frozen=True)
class Call:
    """One that was counted."""
    task: int
    index: int
    name: str
    errors: int
    can_be_short: bool


@dataclass(frozen=True)
class Point:
    """Where something goes wrong, and what."""
    call: Call
    how: str
    which: int = 0

    def words(self):
        """As inject.c takes them."""
        return [str(self.call.task), str(self.call.index), self.how, str(self.which)]


def record(operation, inject, arguments=None):
    """The lines that inject.c writes down of a run without a fault."""
    status, lines = run(operation, inject, ['record'], arguments=arguments)
    if status < 0:
        raise AssertionError(f'{operation.name}: status {status} under ptrace')
    return lines


def calls_of(lines):
    """The calls among them."""
    for line in lines:
        if line.startswith('call '):
            _, task, index, name, errors, short = line.split()
            yield Call(int(task), int(index), name, int(errors), short == '1')


def thin(calls):
    """Of a row of reading calls the first two; of other programs every eighth call."""
    last, row = None, 0
    for call in calls:
        row = row + 1 if call.name == last else 0
        last = call.name
        if call.task and call.index % 8:
            continue
        if call.name not in READS or row < 2:
            yield call


def all_points(calls):
    """Every error, once and for ever; short; killed before and after."""
    for call in calls:
        for which in range(call.errors):
            yield Point(call, 'fail', which)
            yield Point(call, 'fail-on', which)
        if call.can_be_short:
            yield Point(call, 'short', 0)
            yield Point(call, 'short', 1)
        yield Point(call, 'dead')
        yield Point(call, 'kill-before')
        yield Point(call, 'kill-after')


def few_points(calls, thorough):
    """Killed after each change, which is before the next one as well. Thorough: also the likeliest
    error of each call, or by turns a disk that is dead from there on."""
    for i, call in enumerate(thin(calls)):
        changes = call.name in CHANGES
        if changes:
            yield Point(call, 'kill-after')
        if not thorough:
            continue
        if call.errors:
            yield Point(call, 'fail')
        if i % 4 == 0:
            yield Point(call, 'dead')
        if call.can_be_short and changes:
            yield Point(call, 'short')


def cut_repair(operation, inject):
    """A repair in place that is killed between its two last steps."""
    repair = operation.fix_in_place()
    calls = list(calls_of(record(operation, inject, repair)))
    step = 'rename' if operation.scenario.rewritten else 'pwrite64'
    last = [call for call in calls if call.name == step and call.task == 0][-1]
    operation.run(['undo', operation.undo_file], 0)
    status, _ = run(operation, inject, Point(last, 'kill-before').words(), arguments=repair)
    if status != KILLED:
        raise AssertionError(f'{operation.name}: {last} was not made again')


def environment_of(operation, **more):
    """What inject.c is told beside its words."""
    if not operation.scenario.has_tmpfile:
        more['INJECT_NO_TMPFILE'] = '1'
    return {**os.environ, **more}


def run(operation, inject, words, limit=30, arguments=None, **environment):
    """Runs the operation under inject.c; its status and what was written down."""
    log = operation.work.parent / 'log'
    command = [inject, log, *words, '--', operation.xferry, *(arguments or operation.arguments())]
    with operation.ends() as ends:
        told = environment_of(operation, **environment)
        with subprocess.Popen(command, cwd=operation.work, env=told, **ends.files) as process:
            try:
                if process.wait(limit):
                    raise AssertionError(f'{command}: status {process.returncode}')
            except subprocess.TimeoutExpired as expired:
                process.kill()
                process.wait()
                raise Lost(f'does not end within {limit} s') from expired
            finally:
                ends.finish()
    lines = log.read_text().splitlines()
    how, number = lines[-1].split()
    return int(number) if how == 'exit' else -int(number), lines


def strike(operation, inject, point, limit):
    """One fault, and the judgement. What it came to: None when the call was never made."""
    operation.reset()
    status, lines = run(operation, inject, point.words(), limit)
    did = [line.split() for line in lines if line.startswith('did ')]
    if not did:
        return None
    _, name, what = did[0]
    if point.how.startswith('kill') and point.call.task == 0 and status != KILLED:
        raise AssertionError(f'{operation.name}: {point}: not killed, status {status}')
    if status == DONE[operation.kind] and name in SYNCS and not point.how.startswith('kill'):
        raise Lost(f'status {status}, and {name} has failed: it may not be durable')
    operation.judge(status, None if is_dumb(point, name) else operation.said(),
                    may_litter=point.how == 'dead' or name == 'unlink')
    return what


def is_dumb(point, name):
    """When nothing can be written any more, nothing can be said."""
    return point.how == 'fail-on' and name.startswith('write')


def record_failures(operation, inject, calls, limit):
    """Each change that fails once, and what is changed then: runs after which the power fails."""
    for call in calls:
        if call.name in CHANGES and call.task == 0:
            operation.reset()
            disk = power.Disk(operation.work)
            words = Point(call, 'fail').words()
            _, lines = run(operation, inject, words, limit, INJECT_RECORD='1')
            yield call, disk, lines


def strike_all(operation, inject, points, tell, limit):
    """All of them; counts of what was done, and of what was lost."""
    counts = Counter()
    for point in points:
        try:
            did = strike(operation, inject, point, limit)
        except Lost as lost:
            counts['lost'] += 1
            tell(f'{operation.name}: call {point.call.index} of task {point.call.task}, '
                 f'{point.call.name}, {point.how} {point.which}: {lost}')
            did = 'lost'
        if did:
            counts['kills' if point.how.startswith('kill') else 'faults'] += 1
    operation.reset()
    return counts
