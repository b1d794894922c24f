#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Standard input, output and error that are closed, full, or read by nobody.

Closed: the next file that is opened, a state, must not get their number, and so our messages. A
report that reaches nobody is status 8 and one line; what is to be done to a file is done.
"""

import itertools
import os
import signal
import subprocess
import sys

import tour


def closing(*fds):
    """What closes them, in the child."""
    def child():
        for fd in fds:
            os.close(fd)
    return child


def speaks(said):
    """Whether it has something to say on standard output."""
    return bool(said.out) or '>' in said.words.split()


def hold_closed(expected, got, closed):
    """The status tells that standard output is closed, and nothing else is other than usual."""
    how = f'closed: {closed}'
    for one, other in zip(expected.said, got.said):
        lost = 1 in closed and speaks(one)
        if 0 in closed and '<' in one.words:
            tour.require(other.status == tour.ERROR, f'{how}: {one.words}: {other}')
            continue
        if lost and one.words.startswith('filter'):
            tour.require(other.status & (tour.ERROR | tour.FORMAT), f'{how}: {other}')
            continue
        due = one.status | (tour.ERROR if lost else 0)
        tour.require(other.status == due, f'{how}: {other}, expected {due}')
        if 2 not in closed and lost:
            told = other.err.splitlines()
            tour.require(told and told[-1].startswith(b'xferry: standard output: '),
                         f'{how}: {other}')


def files_of(tour_, closed):
    """Without what the filter puts out, where that is about the files that are closed."""
    if not {0, 1} & set(closed):
        return tour_
    return tour.Tour([], {name: what for name, what in tour_.files.items()
                          if not name.startswith('passed')})


def check_closed(stage, expected):
    """Each combination."""
    for count in (1, 2, 3):
        for closed in itertools.combinations((0, 1, 2), count):
            # Those of "<" and ">" are closed as well: closing comes last.
            got = stage.tour(tour.Manner(str(closed), child=closing(*closed)))
            hold_closed(expected, got, closed)
            tour.hold_files(files_of(expected, closed), files_of(got, closed), f'closed {closed}')
            print(f'ok closed: {closed}')


def check_full(stage, expected):
    """Nothing can be written to standard output, or to standard error."""
    with open('/dev/full', 'wb') as full:
        got = stage.tour(tour.Manner('full', stdout=full.fileno()))
        for one, other in zip(expected.said, got.said):
            if not one.out:
                continue
            tour.require(other.status == one.status | tour.ERROR, f'full: {other}')
            tour.require(other.err.splitlines()[-1].startswith(
                b'xferry: standard output: No space left on device'), f'full: {other}')
        tour.hold_files(expected, got, 'stdout is full')
        got = stage.tour(tour.Manner('full', stderr=full.fileno()))
        for one, other in zip(expected.said, got.said):
            tour.require((other.status, other.out) == (one.status, one.out), f'full: {other}')
        tour.hold_files(expected, got, 'stderr is full')
        stage.fresh()
        with open(stage.stage / 'two', 'rb') as stream:
            said = stage.run(f'filter {tour.GUEST}', tour.Manner(
                'full', stdin=stream.fileno(), stdout=full.fileno()))
        tour.require(said.status & tour.ERROR and b'No space left' in said.err, f'full: {said}')
    print('ok full')


def check_unread(stage, expected):
    """A pipe whose reader is gone: SIGPIPE ends it, or, ignored, it is told of and goes on."""
    for ignored in False, True:
        stage.fresh()
        for one in expected.said:
            reader, writer = os.pipe()
            os.close(reader)
            said = stage.run(one.words, tour.Manner('unread', stdout=writer, child=None
                                                    if ignored else restore_sigpipe))
            os.close(writer)
            if not one.out:
                tour.require(said.status == one.status, f'unread: {said}, expected {one}')
            elif ignored:
                tour.require(said.status == one.status | tour.ERROR and
                             b'standard output: Broken pipe' in said.err, f'unread: {said}')
            else:
                tour.require(said.status == -13, f'unread: {said}')
        tour.hold_files(expected, tour.Tour([], stage.files()), 'unread')
    print('ok unread')


def check_no_null(stage):
    """Without /dev/null there is nothing to stand in for a file that is closed."""
    # Entered before /dev is covered: it may be within.
    script = 'cd "$1" && shift && mount -t tmpfs tmpfs /dev && exec "$@" 0<&- 1>&- 2>&-'
    stage.fresh()
    before = stage.files()
    done = subprocess.run(
        ['unshare', '--mount', 'sh', '-c', 'mount -t tmpfs tmpfs "$0" && exit 3', stage.play],
        check=False, capture_output=True)
    if done.returncode != 3:
        print('no mount can be made here: what happens without /dev/null was not looked at')
        return
    for words in ('check --cpu qemu64 vm', 'fix --cpu qemu64 --in-place vm', 'check nowhere'):
        done = subprocess.run(['unshare', '--mount', 'sh', '-c', script, 'sh', stage.play,
                               tour.XFERRY, *words.split()], check=False, capture_output=True)
        tour.require(done.returncode == tour.ERROR, f'no /dev/null: {words}: {done}')
        tour.require(stage.files() == before, f'no /dev/null: {words}: files have changed')
    print('ok without /dev/null')


def restore_sigpipe():
    """As a shell starts a program."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)


def main():
    """0: all as it should be."""
    with tour.Stage() as stage:
        expected = stage.tour(tour.Manner('usual'))
        tour.require_normal(expected)
        check_closed(stage, expected)
        check_full(stage, expected)
        check_unread(stage, expected)
        check_no_null(stage)
    return 0


sys.exit(main())
