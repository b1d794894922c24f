#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is inherited of signals: ignored ones and blocked ones change nothing.

With SIGCHLD ignored the kernel keeps no status of a program that has ended, so whoever started
lzop could not tell whether it did its work.
"""

import signal
import sys

import tour

ALL = set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}


def ignoring(*signals):
    """What ignores them, in the child."""
    def child():
        for number in signals:
            signal.signal(number, signal.SIG_IGN)
    return child


def blocking(signals):
    """What blocks them, in the child."""
    return lambda: signal.pthread_sigmask(signal.SIG_SETMASK, signals)


def pending():
    """A broken pipe of the caller's that nobody has heard of, and a timer's signal."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ALL)
    signal.raise_signal(signal.SIGALRM)
    signal.raise_signal(signal.SIGUSR1)


def main():
    """0: all the same."""
    with tour.Stage() as stage:
        expected = stage.tour(tour.Manner('usual'))
        tour.require_normal(expected)
        for name, child in (
                ('SIGCHLD is ignored', ignoring(signal.SIGCHLD)),
                ('SIGPIPE is ignored', ignoring(signal.SIGPIPE)),
                ('all signals are ignored', ignoring(*ALL)),
                ('all signals are blocked', blocking(ALL)),
                ('SIGCHLD and SIGPIPE are blocked',
                 blocking({signal.SIGCHLD, signal.SIGPIPE})),
                ('signals are pending', pending)):
            tour.same(expected, stage.tour(tour.Manner(name, child=child)), name)
    return 0


sys.exit(main())
