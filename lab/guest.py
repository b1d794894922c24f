# SPDX-License-Identifier: LGPL-2.1-or-later
"""Programs run in a machine one after another, the kernel module loaded or not.

	hook = guest.Hook(module.get(data, 'debian-6.1'), 'mode=trim')
	guest.run(kernel, cpu, place, programs, [('busy', '/busy 1000')],
	          hook=hook, files={'busy': path}).output('busy')

lab/init.c is the machine's first program. It loads KVM, then the module, runs the
programs, unloads the module, and reports what became of each; Report reads that.
"""

import dataclasses
import re
import time

from pathlib import Path

from lab import initramfs
from lab.errors import LabError
from lab.machine import Machine

LIMIT = 60  # seconds for a boot, and for what is quick
# The kernel's flags of a taint that no cell may leave behind: bad page, died, warned, locked up.
TAINTS = {5: 'a bad page', 7: 'an oops', 9: 'a warning', 14: 'a lockup'}


@dataclasses.dataclass(frozen=True)
class Hook:
    """The module as a machine is to load it."""
    path: Path
    parameters: str = ''


def archive(kernel, programs, run, hook=None, files=()):
    """The initramfs. `run` are lines (name, command); `files` programs, as {path: source}."""
    made = initramfs.Archive()
    made.program('init', programs.path('init'))
    for path, source in dict(files).items():
        made.program(path, source)
    for module in kernel.modules:
        made.file(f'lab/{module.name}', module.read_bytes())
    made.file('lab/modules', ''.join(f'/lab/{module.name}\n'
                                     for module in kernel.modules).encode())
    if hook:
        made.file('lab/xferry.ko', hook.path.read_bytes())
        made.file('lab/hook', f'/lab/xferry.ko {hook.parameters}\n'.encode())
    made.file('lab/run', ''.join(f'{name} {command}\n' for name, command in run).encode())
    return made


class Report:
    """What init reported through the second serial port."""

    def __init__(self, text, boot=0.0, seconds=0.0):
        self.text = text
        self.boot = boot
        self.seconds = seconds

    def _line(self, pattern):
        found = re.search(pattern, self.text, re.M)
        return found[1] if found else None

    def kvm(self):
        """"ready", or why there is no KVM; None when init did not come so far."""
        return self._line(r'^== kvm: (.*)$')

    def refusal(self):
        """Why the module did not load; None when it did, or when there was none."""
        return self._line(r'^== hook: refused: (.*)$')

    def unloaded(self):
        """Whether the module was loaded, and could be unloaded behind all that was run."""
        return bool(re.search(r'^== hook: unloaded$', self.text, re.M))

    def taints(self):
        """What the kernel holds against itself, of what must not be."""
        mask = int(self._line(r'^== tainted: (\d+)$') or 0)
        return [word for bit, word in TAINTS.items() if mask >> bit & 1]

    def output(self, name):
        """(what a program printed, how it ended); None when it did not end."""
        found = re.search(rf'^== begin {name}\n(.*?)^== end {name} ([^\n]*)$', self.text,
                          re.M | re.S)
        return (found[1], found[2]) if found else None

    def stats(self):
        """The module's counters, as {name: number}; none where the kernel has no debugfs."""
        text = (self.output('hook-stats') or ('', ''))[0]
        return {name: int(number) for name, number in re.findall(r'^(\w+) (\d+)$', text, re.M)}


def run(kernel, cpu, place, programs, lines, hook=None, files=(), limit=LIMIT, **more):
    """Boots, runs all lines, powers off; the report. Console and report are kept in `place`.

    A kernel that panics, warns or never ends, a KVM or a module that does not load
    and one that does not unload are errors; how a program ended is the caller's matter.
    """
    report = run_any(kernel, cpu, place, programs, lines, hook, files, limit, **more)
    if report.refusal():
        raise LabError(f'the module does not load: {report.refusal()}; console kept in '
                       f'{place / "console"}')
    return report


def run_any(kernel, cpu, place, programs, lines, hook=None, files=(), limit=LIMIT,
            boot_limit=LIMIT, may_warn=False, **more):
    """As run, but the module may refuse. A kernel that watches itself is slow to boot.

    `may_warn`: what it warns of is the caller's matter.
    """
    place = Path(place)
    archive(kernel, programs, lines, hook, files).write(place / 'initramfs')
    path = place / 'report'
    path.write_bytes(b'')
    with Machine(kernel, cpu, place / 'initramfs', place / 'console',
                 serials=[f'file:{path}'], **more) as machine:
        machine.wait_for('^== kvm: ', boot_limit, path)
        boot = time.monotonic() - machine.started
        seconds = machine.wait(limit)
        machine.check_cpu()
    (place / 'initramfs').unlink()
    report = Report(path.read_text(encoding='utf-8', errors='replace'), boot, seconds)
    if report.kvm() != 'ready':
        raise machine.error(f'no KVM in the cell: /dev/kvm: {report.kvm()}; the CPU needs SVM, '
                            'the kernel kvm-amd')
    taints = [one for one in report.taints() if not (may_warn and one == TAINTS[9])]
    if taints:
        raise machine.error(f'the kernel reports {" and ".join(taints)}')
    if hook and not report.refusal() and not report.unloaded():
        raise machine.error('the module was loaded, but does not unload')
    return report
