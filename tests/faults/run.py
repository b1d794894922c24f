#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Nothing is lost at any fault: drives the real command through every call that can go wrong.

    run.py XFERRY INJECT [--all] [--only TEXT [--exact]] [--without faults|power]
           [--until-lost] [--jobs N] [--limit SECONDS]

For each operation on each scenario (scenarios.py) the calls are counted once. Then the operation
is run again for each fault at each call (injected.py), and the power fails after each change
(power.py); operations.py judges. Without --all, a part that is chosen to meet each kind of
scenario and each kind of call. Status 0: nothing lost; 1: something is; 77: it cannot run here.
"""

import argparse
import multiprocessing
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from functools import partial
from pathlib import Path

import injected
import power
from operations import Operation
from scenarios import SCENARIOS, THOROUGH, quick_operations

SKIPPED = 77
SHOWN = 20
SAMPLES, FEW_SAMPLES = 200, 8  # of combinations, where they are too many
COLUMNS = ['calls', 'faults', 'kills', 'states', 'distinct', 'lost']


def room():
    """Memory if there is some: to sync is quick there, and nothing else differs."""
    memory = Path('/dev/shm')
    return memory if os.access(memory, os.W_OK) and 'TMPDIR' not in os.environ else None


class Enough(Exception):
    """One loss is all that was to be known."""


class Tell:
    """Says what was lost, but not all of a thousand times."""

    def __init__(self, until_lost):
        self.count, self.until_lost = 0, until_lost

    def __call__(self, words):
        self.count += 1
        if self.count <= SHOWN:
            print(f'LOST: {words}', flush=True)
        if self.until_lost:
            raise Enough


def lose_all(operation, disk, options, counts):
    """All faults of one operation, counted."""
    tell = Tell(options.until_lost)
    lines = injected.record(operation, options.inject)
    calls = list(injected.calls_of(lines))
    thorough = options.exact or operation.name in THOROUGH
    points = (injected.all_points(calls) if options.all
              else injected.few_points(calls, thorough))
    counts['calls'] = len(calls)
    seen = set()
    if options.without != 'power' and not operation.kind.startswith('filter'):
        samples = SAMPLES if options.all else FEW_SAMPLES
        counts.update(power.lose_power(operation, lines, disk, tell, samples, seen))
        if thorough or options.all:
            for call, disk, lines in injected.record_failures(operation, options.inject, calls,
                                                              options.limit):
                counts.update(power.lose_power(operation, lines, disk, tell, samples, seen,
                                               f'{call.name} {call.index} failed, then '))
    if options.without != 'faults':
        counts.update(injected.strike_all(operation, options.inject, points, tell, options.limit))


def try_operation(job):
    """One operation; its name and counts."""
    scenario, kind, options = job
    counts = Counter()
    with tempfile.TemporaryDirectory(prefix='xferry-faults.', dir=room()) as folder:
        work = Path(folder, 'work')
        work.mkdir()
        operation = Operation(scenario, kind, options.xferry, work,
                              partial(injected.cut_repair, inject=options.inject))
        try:
            lose_all(operation, power.Disk(work), options, counts)
        except Enough:
            counts['lost'] += 1
    return operation.name, counts


def is_asked_for(name, options):
    """Whether an operation is one of those that --only names."""
    if options.exact:
        return name == options.only
    return not options.only or options.only in name


def jobs_of(options):
    """The operations that can be tried here."""
    for scenario in SCENARIOS:
        whole = options.all or options.only
        for kind in scenario.operations if whole else quick_operations(scenario):
            name = f'{scenario.name} {kind}'
            if not is_asked_for(name, options):
                continue
            if scenario.lacks():
                print(f'{name}: skipped, {scenario.lacks()} is not installed')
                continue
            yield scenario, kind, options


def print_row(name, counts):
    """One operation's."""
    print(f'{name:28}' + ''.join(f'{counts[column]:>10}' for column in COLUMNS), flush=True)


def run_all(options):
    """The sum of all counts."""
    total = Counter()
    jobs = list(jobs_of(options))
    print(f'{"":28}' + ''.join(f'{column:>10}' for column in COLUMNS))
    with multiprocessing.Pool(options.jobs) as pool:
        for name, counts in pool.imap(try_operation, jobs):
            total.update(counts)
            print_row(name, counts)
    print_row('all', total)
    return total


def read_options():
    """The command's words."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('xferry', type=os.path.abspath)
    parser.add_argument('inject', type=os.path.abspath)
    parser.add_argument('--all', action='store_true', help='all errors at all calls')
    parser.add_argument('--only', help='operations that have this in their name')
    parser.add_argument('--exact', action='store_true', help='the one that --only names')
    parser.add_argument('--without', choices=['faults', 'power'])
    parser.add_argument('--until-lost', action='store_true', help='one loss is enough')
    parser.add_argument('--jobs', type=int, default=1)
    parser.add_argument('--limit', type=float, default=30, help='seconds that a run may take')
    return parser.parse_args()


def skip(why):
    """Ends as meson has it."""
    print(f'skipped: {why}')
    sys.exit(SKIPPED)


def main():
    """Status 0 when nothing is lost."""
    options = read_options()
    if '-fsanitize' in os.environ.get('FLAGS', ''):
        skip('a sanitizer looks for leaks by ptrace, and makes calls of its own')
    if platform.machine() != 'x86_64':
        skip('calls are changed in registers of x86-64')
    with tempfile.NamedTemporaryFile() as log:
        tried = subprocess.run([options.inject, log.name, 'record', '--', shutil.which('true')],
                               check=False)
    if tried.returncode == SKIPPED:
        sys.exit(SKIPPED)
    total = run_all(options)
    print(f'{total["faults"]} fault points, {total["kills"]} kills, {total["states"]} power-loss '
          f'states ({total["distinct"]} distinct), {total["lost"]} lost')
    sys.exit(1 if total['lost'] else 0)


if __name__ == '__main__':
    main()
