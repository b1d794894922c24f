# SPDX-License-Identifier: LGPL-2.1-or-later
"""The programs that the lab starts: one that is not there is a LabError, none outlives the lab.

A signal that ends the lab ends them first (end_on_signals). For SIGKILL, which the
lab never sees, each asks the system to be sent a signal when the thread that
started it is gone. So one thread starts them all, which lives as long as the lab:
the workers come and go, and a story's hosts are used by several of them. Without
setpriv, of util-linux, only SIGKILL leaves them behind.
"""

import concurrent.futures
import os
import shutil
import signal
import subprocess

from lab.errors import LabError

_STARTER = concurrent.futures.ThreadPoolExecutor(1)
_running = set()  # changed by the starter alone, so that it can be read without a lock
_ending = False


def _start(command, end, more):
    guard = shutil.which('setpriv')
    if guard:
        command = [guard, '--pdeathsig', end.name.removeprefix('SIG'), '--', *command]
    process = subprocess.Popen(command, **more)
    process.end = end
    _running.difference_update([one for one in _running if one.returncode is not None])
    _running.add(process)
    if _ending:
        process.send_signal(end)
    return process


def start(command, end=signal.SIGTERM, **more):
    """subprocess.Popen; `end` is the signal it gets when the lab ends before it."""
    command = [str(word) for word in command]
    if not shutil.which(command[0]):
        raise LabError(f'{command[0]} is not installed')
    if _ending:
        raise LabError('the lab is ending')
    return _STARTER.submit(_start, command, end, more).result()


def run(command, given=None, **more):
    """subprocess.run; `given` is its standard input, else it has none."""
    stdin = subprocess.DEVNULL if given is None else subprocess.PIPE
    with start(command, stdin=stdin, **more) as process:
        out, err = process.communicate(given)
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def ask(command):
    """Runs a program for what it prints, as text."""
    return run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def last_line(done):
    """What a program that failed said last."""
    said = ((done.stdout or '') + (done.stderr or '')).strip().splitlines()
    return said[-1] if said else f'status {done.returncode}'


def _ended(number, _):
    global _ending
    _ending = True
    for process in list(_running):
        process.send_signal(process.end)
    os.write(2, f'lab: ended by {signal.Signals(number).name}\n'.encode())
    raise SystemExit(128 + number)


def end_on_signals():
    """From here on SIGINT, SIGTERM and SIGHUP end what runs, then the lab; not where ignored."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _ended)
