# SPDX-License-Identifier: LGPL-2.1-or-later
"""A QEMU under test, spoken to through QMP on its standard input and output.

Standard input and output need no socket path, so the same code talks to a
QEMU behind a wrapper (script/qemu-root SUITE --run ...) as to a local one.
"""

import json
import os
import select
import subprocess
import tempfile
import time


class QmpError(Exception):
    """QEMU refused a command, went away, or said nothing in time."""


class Qemu:
    """One running QEMU; a context manager that always ends the process."""

    def __init__(self, command, args, timeout=60):
        self.timeout = timeout
        self.events = []
        self._buffer = b''
        self._stderr = tempfile.TemporaryFile()
        self._proc = subprocess.Popen(
            list(command) + list(args) +
            ['-display', 'none', '-nodefaults', '-qmp', 'stdio'],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self._stderr)
        try:
            self.greeting = self._read(time.monotonic() + timeout)['QMP']
            self.cmd('qmp_capabilities')
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    @property
    def version(self):
        """The upstream version as (major, minor, micro)."""
        q = self.greeting['version']['qemu']
        return (q['major'], q['minor'], q['micro'])

    @property
    def package(self):
        """The distribution's version, or an empty string."""
        return self.greeting['version']['package'].strip(' ()')

    def stderr(self):
        """What QEMU said on its standard error, on one line."""
        self._stderr.seek(0)
        text = self._stderr.read().decode(errors='replace')
        return '; '.join(line.strip() for line in text.splitlines() if line)

    def close(self):
        """Ends QEMU, politely if it still listens."""
        if self._proc.poll() is None:
            try:
                self._send({'execute': 'quit'})
                self._proc.stdin.close()
                self._proc.wait(10)
            except (OSError, subprocess.TimeoutExpired):
                self._proc.kill()
        self._proc.wait()
        self._proc.stdout.close()
        if not self._proc.stdin.closed:
            try:
                self._proc.stdin.close()
            except OSError:
                pass

    def _send(self, message):
        self._proc.stdin.write(json.dumps(message).encode() + b'\n')
        self._proc.stdin.flush()

    def _read(self, deadline):
        fd = self._proc.stdout.fileno()
        while b'\n' not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([fd], [], [], left)[0]:
                raise QmpError(f'no answer in {self.timeout} s')
            data = os.read(fd, 1 << 16)
            if not data:
                self._proc.wait()
                raise QmpError(self.stderr() or
                               f'ended with status {self._proc.returncode}')
            self._buffer += data
        line, self._buffer = self._buffer.split(b'\n', 1)
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
            self._send(message)
        except OSError:
            self._proc.wait()
            raise QmpError(self.stderr() or 'QEMU is gone') from None
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
