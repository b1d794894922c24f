# SPDX-License-Identifier: LGPL-2.1-or-later
"""A QEMU under test, spoken to through QMP on its standard input and output.

Standard input and output need no socket path, so the same code talks to a
QEMU behind a wrapper (script/qemu-root SUITE --run ...) as to a local one, and
to one that runs inside another machine (lab/story_host.py).
"""

import json
import os
import select
import subprocess
import tempfile
import time


class QmpError(Exception):
    """QEMU refused a command, went away, or said nothing in time."""


class LineReader:
    """Lines from a file descriptor, none waited for longer than wanted."""

    def __init__(self, fd):
        self._fd = fd
        self._buffer = b''

    def read_line(self, deadline):
        """One line without its end; None at the end, TimeoutError at the deadline."""
        while b'\n' not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._fd], [], [], left)[0]:
                raise TimeoutError
            data = os.read(self._fd, 1 << 16)
            if not data:
                return None
            self._buffer += data
        line, self._buffer = self._buffer.split(b'\n', 1)
        return line


class Process:
    """A program of this machine that is spoken to in lines.

    What a Monitor needs of whatever it speaks through: write, read_line, ended.
    """

    def __init__(self, command, pass_fds=()):
        self._stderr = tempfile.TemporaryFile()
        self._said = None
        self._proc = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=self._stderr, pass_fds=pass_fds)
        self.read_line = LineReader(self._proc.stdout.fileno()).read_line

    def write(self, data):
        """Sends bytes; OSError if nobody listens any more."""
        self._proc.stdin.write(data)
        self._proc.stdin.flush()

    def stderr(self):
        """What it said on its standard error, on one line."""
        if self._said is not None:
            return self._said
        self._stderr.seek(0)
        return one_line(self._stderr.read())

    def ended(self):
        """Its last words; waits for its end."""
        self._proc.wait()
        return self.stderr() or f'ended with status {self._proc.returncode}'

    def running(self):
        """Whether it has not ended."""
        return self._proc.poll() is None

    def status(self):
        """Its exit status, negative for a signal; None while it runs."""
        return self._proc.poll()

    def close(self, patience=0):
        """Ends it, the hard way after some seconds, and lets go of its pipes."""
        try:
            self._proc.stdin.close()
        except OSError:
            pass
        try:
            self._proc.wait(patience)
        except subprocess.TimeoutExpired:
            self._proc.kill()
            self._proc.wait()
        self._proc.stdout.close()
        self._said = self.stderr()
        self._stderr.close()


def one_line(data):
    """What a program said, on one line."""
    text = data.decode(errors='replace')
    return '; '.join(line.strip() for line in text.splitlines() if line.strip())


class Monitor:
    """QMP, through whatever channel; knows nothing of processes."""

    def __init__(self, channel, timeout=60):
        self.channel = channel
        self.timeout = timeout
        self.events = []
        self.greeting = self._read(time.monotonic() + timeout)['QMP']
        self.cmd('qmp_capabilities')

    @property
    def version(self):
        """The upstream version as (major, minor, micro)."""
        q = self.greeting['version']['qemu']
        return (q['major'], q['minor'], q['micro'])

    @property
    def package(self):
        """The distribution's version, or an empty string."""
        return self.greeting['version']['package'].strip(' ()')

    def send(self, message):
        """Sends one message and waits for nothing."""
        self.channel.write(json.dumps(message).encode() + b'\n')

    def _read(self, deadline):
        line = b''
        while not line.strip():
            try:
                line = self.channel.read_line(deadline)
            except TimeoutError:
                raise QmpError(f'no answer in {self.timeout} s') from None
            if line is None:
                raise QmpError(self.channel.ended())
        try:
            return json.loads(line)
        except ValueError:
            raise QmpError(f'not QMP: {line[:80]!r}') from None

    def cmd(self, name, /, **arguments):
        """Runs one command and returns what it returned."""
        message = {'execute': name}
        if arguments:
            message['arguments'] = {
                k.replace('_', '-'): v for k, v in arguments.items()}
        try:
            self.send(message)
        except OSError:
            raise QmpError(self.channel.ended()) from None
        deadline = time.monotonic() + self.timeout
        while True:
            answer = self._read(deadline)
            if 'return' in answer:
                return answer['return']
            if 'error' in answer:
                raise QmpError(answer['error']['desc'])
            if 'event' in answer:
                self.events.append(answer)

    def hmp(self, line):
        """Runs one command of the human monitor and returns its text."""
        return self.cmd('human-monitor-command', command_line=line)


class Qemu(Monitor):
    """One running QEMU of this machine; a context manager that always ends it."""

    def __init__(self, command, args, timeout=60, pass_fds=()):
        process = Process(list(command) + list(args) +
                          ['-display', 'none', '-nodefaults', '-qmp', 'stdio'], pass_fds)
        try:
            super().__init__(process, timeout)
        except BaseException:
            process.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def stderr(self):
        """What QEMU said on its standard error, on one line."""
        return self.channel.stderr()

    def close(self):
        """Ends QEMU, politely if it still listens."""
        patience = 0
        if self.channel.running():
            try:
                self.send({'execute': 'quit'})
                patience = 10
            except OSError:
                pass
        self.channel.close(patience)
