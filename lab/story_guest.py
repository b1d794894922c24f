# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest of the stories: a QEMU with our ROM, run on one of the hosts."""

import dataclasses
import itertools
import re
import time

from lab.payload import Sight
from lab.story_host import Monitor, QmpError

PROGRAM = 'qemu-system-x86_64'
MEMORY = '16'
GUARD = 'libxferry-guard.so'    # in the share
# A round of the guest takes 30 to 50 ms when nobody else wants the CPU.
ROUNDS = 10
SILENCE_SECONDS = 10
LOAD_SECONDS = 60
# The start of a line of strace: the thread, then a call that puts state into KVM, or the end
# of one begun earlier. The TSC's frequency is no state, and this CPU cannot set it.
TRACED = re.compile(r'(\d+) +(?:ioctl\(\d+, (KVM_SET_(?!TSC_KHZ)\w+)|<\.\.\. ioctl resumed)(.*)')


@dataclasses.dataclass(frozen=True)
class Build:
    """A QEMU as it is installed somewhere: the root to run it in, None for this machine's own."""
    version: str
    root: str | None


@dataclasses.dataclass
class Loaded:
    """What became of a guest whose state was loaded."""
    sight: Sight | None = None      # None: QEMU did not come to run it
    said: str = ''                  # QEMU's last words
    status: int | None = None       # its exit status, if it has ended by itself
    refused: list = dataclasses.field(default_factory=list)     # ioctls, with their errno
    guard: str = ''                 # the lines of its guard

    @property
    def word(self):
        """intact, lost, silent; exit or crash when QEMU did not come to run it."""
        if self.sight:
            return self.sight.word
        return 'exit' if self.status == 1 else 'crash'


class Guest(Monitor):
    """One guest. A context manager; its QEMU has ended when the block does.

    guard: the mode of the guard that its QEMU is started with, if any.
    """

    numbers = itertools.count(1)

    def __init__(self, host, build, cpu, rom, args=(), traced=False, guard=None):
        self.host = host
        number = next(Guest.numbers)
        self.console = host.share / f'guest-{number}'
        self.trace = host.share / f'trace-{number}'
        self.guard_log = host.share / f'guard-{number}'
        (host.share / f'rom-{number}').write_bytes(rom)
        argv = self._before(build, traced, guard) + [
            PROGRAM, '-accel', 'kvm', '-machine', 'pc', '-cpu', cpu, '-m', MEMORY,
            '-bios', f'/mnt/rom-{number}', '-serial', f'file:/mnt/{self.console.name}',
            '-display', 'none', '-nodefaults', '-qmp', 'stdio', *args]
        self.program = host.run(argv, build.root)
        try:
            super().__init__(self.program, LOAD_SECONDS)
        except QmpError as error:
            self.program.kill()
            raise host.failed(f'QEMU {build.version}: {error}') from None

    def _before(self, build, traced, guard):
        """What QEMU is run by: strace to hear what KVM answers, chroot to its own root, env."""
        strace = ['strace', '-f', '-qq', '-e', 'trace=ioctl', '-o', f'/mnt/{self.trace.name}']
        env = ['env', f'LD_PRELOAD=/mnt/{GUARD}', f'XFERRY_GUARD={guard}',
               f'XFERRY_GUARD_LOG=/mnt/{self.guard_log.name}']
        return (strace if traced else []) + (['chroot', build.root] if build.root else []) + \
            (env if guard else [])

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        """Ends QEMU, politely if it still listens."""
        if self.program.status is not None:
            return
        try:
            self.send({'execute': 'quit'})
            self.program.wait(10)
        except (OSError, TimeoutError):
            self.program.kill()

    def said(self):
        """The guest's console so far."""
        return self.console.read_text(encoding='latin-1') if self.console.exists() else ''

    def watch(self, since=0, rounds=ROUNDS):
        """Waits until the guest has said something more, but not for ever."""
        deadline = time.monotonic() + SILENCE_SECONDS
        while len(self.said()) < since + rounds and time.monotonic() < deadline:
            time.sleep(0.05)
        return Sight(self.said()[since:])

    def start(self):
        """Lets it run; what it saw."""
        since = len(self.said())
        self.cmd('cont')
        return self.watch(since)

    def press_p(self):
        """Has it set PKRU to another value; what it saw from then on."""
        since = len(self.said())
        self.cmd('send-key', keys=[{'type': 'qcode', 'data': 'p'}])
        deadline = time.monotonic() + SILENCE_SECONDS
        while 'k' not in self.said()[since:]:
            if time.monotonic() > deadline:
                raise self.host.failed('the guest did not see the key')
            time.sleep(0.05)
        return self.watch(self.said().index('k', since) + 1)

    def said_in_monitor(self, line):
        """Runs a command of the human monitor that says nothing when it succeeds."""
        said = self.hmp(line).strip()
        if said:
            raise QmpError(f'{line}: {said}')

    def guard_said(self):
        """The lines of its guard."""
        return self.guard_log.read_text(errors='replace') if self.guard_log.exists() else ''

    def refused(self):
        """The ioctls by which state is put into KVM that were answered with an error."""
        return refusals(self.trace.read_text(errors='replace') if self.trace.exists() else '')


def refusals(trace):
    """The same, as strace -f wrote it: another thread may come between a call and its answer."""
    found, pending = [], {}
    for line in trace.splitlines():
        match = TRACED.match(line)
        if not match:
            continue
        thread, name, rest = match[1], match[2], match[3]
        if name:
            pending[thread] = name
        error = re.search(r'= -1 (E\w+)', rest)
        if error and thread in pending:
            found.append(f'{pending[thread]}: {error[1]}')
        if '<unfinished' not in rest:
            pending.pop(thread, None)
    return found


def migration_end(guest):
    """Waits until it has come to an end; what QEMU tells of it then."""
    deadline = time.monotonic() + LOAD_SECONDS
    while True:
        info = guest.cmd('query-migrate')
        if info.get('status') in ('completed', 'failed', 'cancelled'):
            return info
        if time.monotonic() > deadline:
            raise QmpError(f'migration is {info.get("status")} after {LOAD_SECONDS} s')
        time.sleep(0.05)


def wait_for_migration(guest):
    """Until it is done; QmpError if it failed."""
    info = migration_end(guest)
    if info['status'] != 'completed':
        raise QmpError(f'migration failed: {info.get("error-desc", "no reason given")}')


def migrate_away(guest, name):
    """Live migration into a file of the share: the guest runs until the last moment."""
    guest.cmd('migrate', uri=f'exec:cat >/mnt/{name}')
    wait_for_migration(guest)
    return guest.host.share / name


def load(host, build, cpu, rom, args, have_loaded, leave=None, guard=None):
    """Starts a QEMU that takes state over, by have_loaded(guest), and watches what comes of it.

    have_loaded gives the place in the console behind which the loaded guest speaks.
    leave(guest, sight) is called while it still runs.
    """
    guest = Guest(host, build, cpu, rom, args, traced=True, guard=guard)
    loaded = Loaded()
    try:
        with guest:
            since = have_loaded(guest)
            guest.cmd('cont')
            loaded.sight = guest.watch(since)
            if leave:
                leave(guest, loaded.sight)
    except QmpError as error:
        if guest.program.status is None or loaded.sight:
            raise host.failed(f'QEMU {build.version}: {error}') from None
        loaded.said, loaded.status = str(error), guest.program.status
    loaded.refused, loaded.guard = guest.refused(), guest.guard_said()
    return loaded


def load_stream(host, build, cpu, rom, name, leave=None):
    """Loads a migration stream from the share."""
    def incoming(guest):
        guest.cmd('migrate-incoming', uri=f'exec:cat /mnt/{name}')
        wait_for_migration(guest)
        return 0
    return load(host, build, cpu, rom, ['-S', '-incoming', 'defer'], incoming, leave)


def load_snapshot(host, build, cpu, rom, args, name):
    """Loads a snapshot of an image of the share into a QEMU that has not run yet."""
    def incoming(guest):
        guest.said_in_monitor(f'loadvm {name}')
        return 0
    return load(host, build, cpu, rom, ['-S', *args], incoming)
