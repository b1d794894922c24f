#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Small limits: open files, the size of files, memory, the stack, processes.

Each run then says the same as without a limit, or one line and status 8; nothing ends by a signal.
A state is as before or as it should be, and what is not taken back by itself, undo takes back.
"""

import resource
import signal
import sys

import tour

KIB, MIB = 1 << 10, 1 << 20
# Runs that begin with the stage as it is, whatever became of others.
ALONE = [line for line in tour.RUNS.strip().split('\n')
         if not line.startswith(('undo', 'probe'))]
# What a state may have become.
IN_PLACE = {'vm': 'copy', 'lzop': 'lzop-copy'}


def limited(what, value):
    """Sets a limit in the child."""
    def child():
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(what, (value, value))
    return child


def is_refusal(said):
    """One line, and the status of an error; what was found may have been told before."""
    lines = said.err.splitlines()
    return said.status & tour.ERROR and lines and all(
        line.startswith(b'xferry') or b'went out; that is no whole stream' in line or
        line.startswith(b'In a migration') for line in lines)


def hold_run(stage, before, one, child, how):
    """One run under the limit. True: as without."""
    said = stage.run(one.words, tour.Manner(how, child=child))
    how = f'{how}: {said}'
    tour.require(said.status >= 0, f'{how}: ended by a signal')
    after = stage.files()
    as_usual = (said.status, said.out, said.err) == (one.status, one.out, one.err)
    tour.require(as_usual or is_refusal(said), f'{how}: neither as usual nor one line')
    changed = {name for name in before if after.get(name) != before[name]}
    new = {name for name in after if name not in before}
    in_place = '--in-place' in one.words
    if as_usual:
        return True, bool(changed or new)
    tour.require(in_place or not changed, f'{how}: changed: {changed}')
    new -= {name for name in new if name.startswith('passed')}
    for undo in [name for name in new if name.endswith('.xfundo')]:
        back = stage.run(f'undo @{undo}', tour.Manner('usual'))
        tour.require(back.status == 0, f'{how}: {back}')
    left = stage.files()
    other = {name for name in left if left[name] != before.get(name) and
             not name.startswith('passed') and name not in ('copy', 'copy2')}
    tour.require(not other and set(before) <= set(left), f'{how}: left behind: {other}')
    return False, True


def check(stage, usual, what, values, name):
    """All runs under each value of a limit."""
    stage.fresh()
    before = stage.files()
    as_usual = refused = 0
    for value in values:
        for words in ALONE:
            how = f'{name} {value}'
            same, touched = hold_run(stage, before, usual[words], limited(what, value), how)
            as_usual += same
            refused += not same
            if touched:
                stage.fresh()
    print(f'ok {name}: {as_usual} runs as usual, {refused} refused')
    return as_usual, refused


def main():
    """0: all as it should be."""
    with tour.Stage() as stage:
        usual = {}
        for words in ALONE:
            stage.fresh()
            usual[words] = stage.run(words, tour.Manner('usual'))
        check(stage, usual, resource.RLIMIT_NOFILE, (4, 6, 9), 'open files')
        refused = check(stage, usual, resource.RLIMIT_FSIZE, (0, 4 * KIB, 64 * KIB),
                        'bytes of a file')[1]
        tour.require(refused >= 4, 'a limit on the size of files was not felt')
        check(stage, usual, resource.RLIMIT_STACK, (64 * KIB,), 'bytes of stack')
        if not tour.SANITIZED:
            check(stage, usual, resource.RLIMIT_AS, (48 * MIB,), 'bytes of memory')
    return 0


sys.exit(main())
