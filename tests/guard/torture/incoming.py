# SPDX-License-Identifier: LGPL-2.1-or-later
"""One QEMU, traced, loads one stream and is asked what became of it."""

import pathlib
import re
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / 'qemu'))

import ioctls  # noqa: E402
from qmp import Qemu, QmpError  # noqa: E402

SANDBOX = 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny'
GUARD_SAYS = 'xferry-guard: '


class Stream:
    """A stream and the machine that it is of."""

    def __init__(self, path, machine, cpu, vcpus):
        self.path = path
        self.machine = machine
        self.cpu = cpu
        self.vcpus = vcpus


class Seen:
    """All that can be seen of one QEMU from outside."""

    def __init__(self):
        self.answers = []
        self.status = None
        self.stderr = []        # QEMU's own lines
        self.guard = []         # the guard's
        self.threads = {}
        self.taken = 0          # calls of KVM_GET_CPUID2 that are the guard's
        self.saved = None       # XSTATE_BV of each vCPU, saved again


def xstate_bvs(data):
    """XSTATE_BV of each vCPU in a stream, by the section's signature and version 12's offset."""
    section = re.compile(rb'\x04.{4}\x03cpu.{4}\x00\x00\x00\x0c', re.S)
    return [int.from_bytes(data[match.end() + 1553:match.end() + 1561], 'big')
            for match in section.finditer(data)]


def ask(qemu, seen, name, **arguments):
    """One QMP command, its answer noted: all of it that does not differ in each run."""
    answer = qemu.cmd(name, **arguments)
    text = re.sub(r"'thread-id': \d+", "'thread-id': N", str(answer))
    seen.answers.append((name, text))
    return answer


def wait_for(qemu, seen, what):
    """Waits for the end of a migration; notes how it ended."""
    deadline = time.monotonic() + 60
    while (info := qemu.cmd('query-migrate')).get('status') not in ('completed', 'failed'):
        if time.monotonic() > deadline:
            raise AssertionError(f'{what}: migration is {info.get("status")}')
        time.sleep(0.02)
    seen.answers.append((what, info['status'], info.get('error-desc')))


def question(qemu, seen, stream):
    """What QEMU knows of itself and of its vCPUs, all registers among it."""
    ask(qemu, seen, 'query-status')
    cpus = ask(qemu, seen, 'query-cpus-fast')
    assert len(cpus) == stream.vcpus, cpus
    ask(qemu, seen, 'qom-get', path=cpus[-1]['qom-path'], property='feature-words')
    ask(qemu, seen, 'qom-get', path=cpus[-1]['qom-path'], property='filtered-features')
    ask(qemu, seen, 'human-monitor-command', command_line='info registers -a')


def load(qemu, seen, stream, fd, again):
    """Has QEMU load the stream, questions it, has it write the state anew to `again`."""
    uri = f'exec:cat {stream.path}' if fd is None else f'fd:{fd}'
    ask(qemu, seen, 'migrate-incoming', uri=uri)
    wait_for(qemu, seen, 'incoming')
    question(qemu, seen, stream)
    if fd is None:
        ask(qemu, seen, 'migrate', uri=f'exec:cat >{again}')
        wait_for(qemu, seen, 'outgoing')
    seen.answers.append(('events', [event['event'] for event in qemu.events]))


def command_of(qemu_command, trace_file, environment):
    """strace and QEMU; the environment is for QEMU alone."""
    settings = [word for name, value in environment.items() for word in ('-E', f'{name}={value}')]
    return ['strace', '-f', '-qq', '-y', '-e', 'trace=ioctl', '-e', 'signal=none', *settings,
            '-o', str(trace_file), *qemu_command]


def run(qemu_command, stream, environment, sandbox=False):
    """Loads the stream; `sandbox` as strict as QEMU has it, where it may start no program."""
    seen = Seen()
    with tempfile.TemporaryDirectory() as place:
        rom, trace_file, again = (pathlib.Path(place, name) for name in ('rom', 'trace', 'again'))
        # Its content comes with the stream; its size must be the same.
        rom.write_bytes(bytes(65536))
        args = ['-accel', 'kvm', '-S', '-machine', stream.machine, '-cpu', stream.cpu,
                '-smp', f'{stream.vcpus},maxcpus={stream.vcpus}', '-m', '16', '-bios', str(rom),
                '-serial', 'null', '-incoming', 'defer']
        if sandbox:
            args += ['-sandbox', SANDBOX]
        # A pipe, for a file's descriptor is no migration to newer ones.
        with subprocess.Popen(['cat', stream.path], stdout=subprocess.PIPE) as cat:
            fd = cat.stdout.fileno()
            qemu = Qemu(command_of(qemu_command, trace_file, environment), args, pass_fds=(fd,))
            cat.stdout.close()
            with qemu:
                try:
                    load(qemu, seen, stream, fd if sandbox else None, again)
                except QmpError as error:
                    # A refusal, or it has ended; what it said then is on its stderr.
                    seen.answers.append(str(error) if qemu.channel.running() else 'ended')
        seen.status = qemu.channel.status()
        said = qemu.stderr().replace(place, '.').split('; ')
        seen.stderr = [line for line in said if not line.startswith(GUARD_SAYS)]
        seen.guard = [line[len(GUARD_SAYS):] for line in said if line.startswith(GUARD_SAYS)]
        for name, calls in ioctls.by_thread(trace_file.read_text()).items():
            seen.threads[name], taken = ioctls.without_guard(calls)
            seen.taken += taken
        if again.exists():
            seen.saved = xstate_bvs(again.read_bytes())
    return seen
