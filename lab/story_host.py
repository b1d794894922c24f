# SPDX-License-Identifier: LGPL-2.1-or-later
"""A host of the stories: a Linux with KVM on an emulated CPU, in which programs are run.

The host sees this machine's files, read-only, and a directory of its own as /mnt.
Its one process (story-agent.c) runs one program at a time, on the second serial
port, whose other end is here. The third is its line to another host: story_link.py.
"""

import json
import pathlib
import socket
import sys
import time

TREE = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TREE / 'tests' / 'qemu')]

from qmp import LineReader, Monitor, QmpError, one_line  # noqa: E402, F401
from lab import process  # noqa: E402
from lab.errors import LabError  # noqa: E402
from lab.initramfs import Archive  # noqa: E402
from lab.machine import END, Machine  # noqa: E402

LAB = pathlib.Path(__file__).parent
AGENT, WIRE = LAB / 'story-agent.c', LAB / 'story-wire.c'
LINK = '/dev/ttyS2'
SEPARATOR, KILL = '\x1f', b'\x03'
MEMORY = 640
NOTICE = 'xferry: pid='     # a line of the kernel's log that tells of a state
# The module says no more than ten of them in 5 s.
NOTICE_SECONDS = 6
BOOT_SECONDS = 60
# For a program to end once it has been told or killed.
PATIENCE = 15


def compile_static(source, place, *more):
    """A program of a host, built into a directory; its path."""
    path = pathlib.Path(place, source.stem)
    command = ['gcc', '-std=gnu11', '-D_GNU_SOURCE', '-Wall', '-Wextra', '-Werror', '-Os',
               '-static', *more, '-o', str(path), str(source)]
    done = process.ask(command)
    if done.returncode:
        raise LabError(f'{source.name}: gcc: {done.stderr.strip()}')
    return path


def make_initrd(agent, path, modules):
    """The initramfs: the agent, and the modules it loads, as (path, parameters)."""
    archive = Archive()
    archive.program('init', agent)
    for module, _ in modules:
        archive.file(f'lab/{module.name}', module.read_bytes())
    archive.file('lab/modules', ''.join(f'/lab/{module.name} {parameters}\n'
                                        for module, parameters in modules).encode())
    archive.write(path)
    return path


class Host:
    """One booted host, until it is closed. Not for two threads at once."""

    def __init__(self, name, kernel, cpu, agent, place, share, hook=None):
        self.name = name
        self.hook = hook
        self.share = pathlib.Path(share)
        self.loud_until = 0.0   # until then the module may have said enough for a while
        self._runs = 0
        self._ready = False
        self._paths = [pathlib.Path(place, f'{self.label}.{kind}') for kind in ('port', 'link')]
        self._sockets = []
        modules = [(path, '') for path in kernel.modules]
        if hook:
            modules.append((hook.path, hook.parameters))
        initrd = make_initrd(agent, pathlib.Path(place, f'{self.label}.initrd'), modules)
        # QEMU waits for us there: else the agent might speak before anyone listens.
        self._machine = Machine(
            kernel, cpu, initrd, pathlib.Path(place, f'{self.label}.console'), memory=MEMORY,
            serials=[f'unix:{path},server=on,wait=on' for path in self._paths],
            shares=[('root', '/')],
            more=['-virtfs', f'local,path={share},mount_tag=share,security_model=none,'
                             'multidevs=remap'])
        self._machine.__enter__()
        try:
            for path in self._paths:
                self._sockets.append(self._connect(path))
        except BaseException:
            self.close()
            raise
        self._port, self.link = self._sockets
        self._lines = LineReader(self._port.fileno())

    @property
    def label(self):
        """Its name, for a file's."""
        return self.name.replace('/', '-')

    def _connect(self, path):
        port = socket.socket(socket.AF_UNIX)
        while True:
            try:
                port.connect(str(path))
                return port
            except OSError:
                if not self._machine.running() or \
                        time.monotonic() - self._machine.started > BOOT_SECONDS:
                    port.close()
                    raise self.failed('its QEMU did not start') from None
                time.sleep(0.01)

    def close(self):
        """Ends it; again does nothing."""
        if self._sockets is None:
            return
        for port in self._sockets:
            port.close()
        self._machine.__exit__()
        for path in self._paths:
            path.unlink(missing_ok=True)
        self._sockets = None

    def failed(self, what):
        """An error that names the console; a panic there is what matters most."""
        panic = END.search(self._machine.text())
        if panic:
            what += f' (the kernel panicked: {panic[1]})'
        return self._machine.error(f'host {self.name}: {what}')

    def read(self, deadline):
        """A line of the port, as (what the agent says, a program's line)."""
        try:
            line = self._lines.read_line(deadline)
        except ConnectionError:
            line = None
        if line is None:
            raise self.failed('it went down')
        return agents_word(line), line.strip()

    def wait_ready(self):
        """Until the agent listens."""
        try:
            while not self._ready:
                self._ready = self.read(self._machine.started + BOOT_SECONDS)[0] == 'ready'
        except TimeoutError:
            raise self.failed(f'not up after {BOOT_SECONDS} s') from None

    def write(self, data):
        """Bytes to the agent, or to the program that it runs."""
        try:
            self._port.sendall(data)
        except OSError:
            raise self.failed('it went down') from None

    def run(self, argv, root=None):
        """Starts a program there; `root` is one that it will chroot to."""
        self._runs += 1
        stderr = f'stderr-{self.label}-{self._runs}'
        order = SEPARATOR.join([f'/:{root}' if root else '/', f'/share/{stderr}', *argv])
        self.write(order.encode() + b'\n')
        return Program(self, self.share / stderr)

    def was_loud(self):
        """A program has just made the module say so much that what follows may go unsaid."""
        self.loud_until = time.monotonic() + NOTICE_SECONDS

    def module_said(self):
        """What the kernel module has logged since it was asked last, a dict of words a line."""
        if not self.hook:
            return []
        time.sleep(max(0.0, self.loud_until - time.monotonic()))
        said = self.output(['dmesg', '--read-clear'])
        return [dict(word.split('=', 1) for word in line.split() if '=' in word)
                for line in said.splitlines() if NOTICE in line]

    def output(self, argv, timeout=30):
        """What a program prints that reads nothing; an error if it does not end well."""
        program = self.run(argv)
        lines = []
        deadline = time.monotonic() + timeout
        try:
            while (line := program.read_line(deadline)) is not None:
                lines.append(line)
        except TimeoutError:
            program.kill()
            raise self.failed(f'{argv[0]} did not end within {timeout} s') from None
        if program.status:
            raise self.failed(f'{argv[0]} ended with status {program.status}: '
                              f'{program.stderr()}')
        return b'\n'.join(lines).decode()


def agents_word(line):
    """What the agent itself says in a line, or None for a program's."""
    if b'"agent"' not in line:
        return None
    try:
        return json.loads(line).get('agent')
    except (ValueError, AttributeError):
        return None


class Program:
    """A program on a host, as a channel of qmp.Monitor."""

    def __init__(self, host, stderr):
        self.host = host
        self.status = None
        self._stderr = stderr

    def write(self, data):
        """Bytes for its standard input."""
        if self.status is not None:
            raise BrokenPipeError
        self.host.write(data)

    def read_line(self, deadline):
        """One line of what it writes; None once it has ended."""
        if self.status is not None:
            return None
        said, line = self.host.read(deadline)
        if said is None:
            return line
        self.status = said
        return None

    def stderr(self):
        """What it said on its standard error, on one line."""
        return one_line(self._stderr.read_bytes()) if self._stderr.exists() else ''

    def wait(self, seconds):
        """Until it has ended; TimeoutError if it does not."""
        deadline = time.monotonic() + seconds
        while self.read_line(deadline) is not None:
            pass

    def ended(self):
        """Its last words."""
        self.wait(PATIENCE)
        return self.stderr() or f'ended with status {self.status}'

    def kill(self):
        """Ends it the hard way; a host where even that fails is of no more use."""
        if self.status is not None:
            return
        self.host.write(KILL)
        try:
            self.wait(PATIENCE)
        except TimeoutError:
            raise self.host.failed('a program there cannot be killed') from None
