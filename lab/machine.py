# SPDX-License-Identifier: LGPL-2.1-or-later
"""An emulated machine: one kernel, one initramfs, one CPU, started in QEMU without KVM.

	with Machine(kernel, cpu, initrd, console=place / 'console') as machine:
		machine.wait()

leaves the block only when QEMU has ended. A kernel that panics, a QEMU that cannot
start and a machine that does not end in time are errors that name the console's
file and its last lines.
"""

import os
import re
import signal
import subprocess
import time

from pathlib import Path

from lab import process
from lab.errors import LabError
from lab.matrix import TREE

SHOWN = 5     # lines of a console in an error
# panic=-1 restarts at once, which -no-reboot turns into the end. nokaslr: one thing
# less that differs between two runs. The rest makes boots short: no waiting for
# clocks to agree, and none of what takes longest of a distribution's kernel and does
# not matter here. On a busy machine the frequency of the TSC may be measured wrong,
# five times was seen: clocksource=acpi_pm is true, and slow to read.
KERNEL_WORDS = ('console=ttyS0 quiet panic=-1 nokaslr tsc=reliable no_timer_check nowatchdog '
                'mitigations=off random.trust_cpu=on init_on_alloc=0 initcall_blacklist='
                'load_system_certificate_list,jent_mod_init,bpf_tcp_ca_kfunc_init,'
                'bpf_dummy_struct_ops_init,inet6_init,scx_init')
NO_DEVICES = ('-nodefaults', '-display', 'none', '-no-reboot')
LACKS = re.compile("doesn't support requested feature: .*")
END = re.compile(r'Kernel panic - not syncing: (.*)')


def qemu_command(suite=None):
    """The QEMU of this machine, or of a suite of script/qemu-root."""
    if suite:
        return [str(TREE / 'script' / 'qemu-root'), suite, '--run', 'qemu-system-x86_64']
    return ['qemu-system-x86_64']


def _text(path):
    """A file that is being written to."""
    return Path(path).read_text(encoding='utf-8', errors='replace').replace('\r', '')


class Machine:
    """A machine that runs from the start of a `with` block to its end.

    serials: what QEMU's -serial takes ('file:PATH', 'unix:PATH,server=on,wait=off'),
    for ttyS1 and on. shares: (tag, directory) by 9p, for reading only. Of several CPUs,
    accel says whether they run at once. QEMU 7.2 may then miss that code was changed under
    another CPU, which goes on with what it was (seen: 10.0 does not), as kprobes change it.
    """

    def __init__(self, kernel, cpu, initrd, console, words='', memory=None, serials=(),
                 shares=(), more=(), accel='tcg,thread=multi'):
        self.console = Path(console)
        self.command = [
            *qemu_command(cpu.qemu), '-accel', accel, '-cpu', cpu.cpu,
            '-m', str(memory or kernel.memory), *NO_DEVICES,
            '-kernel', str(kernel.image), '-initrd', str(initrd),
            '-append', ' '.join(filter(None, [KERNEL_WORDS, kernel.words, words])),
            '-serial', f'file:{self.console}']
        for serial in serials:
            self.command += ['-serial', serial]
        for tag, directory in shares:
            self.command += ['-virtfs', f'local,path={directory},mount_tag={tag},readonly=on,'
                             'security_model=none,multidevs=remap']
        self.command += more
        self._process = None
        self._said = None
        self.started = None

    def __enter__(self):
        self.console.write_bytes(b'')
        self._said = open(self.console.with_name(self.console.name + '.qemu'), 'w+b')
        try:
            self._process = process.start(self.command, signal.SIGKILL, stdin=subprocess.DEVNULL,
                                          stdout=self._said, stderr=self._said)
        except BaseException:
            self._said.close()
            raise
        self.started = time.monotonic()
        return self

    def __exit__(self, *_):
        self.stop()
        self._said.close()
        if os.path.getsize(self._said.name) == 0:
            os.unlink(self._said.name)

    def running(self):
        """Whether QEMU still runs."""
        return self._process.poll() is None

    def stop(self):
        """Ends QEMU, whatever it does."""
        if self.running():
            self._process.kill()
        self._process.wait()

    def check_cpu(self):
        """That the CPU is the one asked for: QEMU only warns of a feature that it lacks."""
        said = Path(self._said.name).read_text(encoding='utf-8', errors='replace')
        lacks = LACKS.search(said)
        if lacks:
            raise LabError(f'the CPU is not what the matrix asks for: QEMU says: {lacks[0]}')

    def text(self):
        """What the console has said so far."""
        return _text(self.console)

    def wait(self, limit=60, fine_panic=None):
        """Until the machine has powered itself off; how long it has run, in seconds.

        A kernel whose first program ends panics: where that is the end that is
        wanted, `fine_panic` is what it must say.
        """
        try:
            status = self._process.wait(max(0.0, self.started + limit - time.monotonic()))
        except subprocess.TimeoutExpired as error:
            self.stop()
            raise self.error(f'not at its end after {limit} s') from error
        if status:
            raise self.error(f'QEMU ended with status {status}')
        ran = time.monotonic() - self.started
        panic = END.search(self.text())
        if panic and not (fine_panic and re.match(fine_panic, panic[1])):
            raise self.error(f'the kernel panicked: {panic[1]}')
        return ran

    def wait_for(self, pattern, limit=60, source=None):
        """Until the console, or another file, says what matches; the match."""
        while True:
            ended = not self.running()
            late = time.monotonic() - self.started > limit
            found = re.search(pattern, self.text() if source is None else _text(source), re.M)
            if found:
                return found
            if ended:
                self.wait()
            if ended or late:
                raise self.error(f'"{pattern}" did not come' + (f' within {limit} s' if late
                                                                else ''))
            time.sleep(0.02)

    def error(self, what):
        """An error with the last lines of the console, or of QEMU when that said nothing."""
        said = Path(self._said.name)
        lines = self.text().strip().splitlines()
        if not lines and said.exists():
            lines = said.read_text(encoding='utf-8', errors='replace').strip().splitlines()
        last = ' | '.join(line.strip() for line in lines[-SHOWN:]) or 'nothing'
        return LabError(f'{what}; console kept in {self.console}; it ends: {last}')
