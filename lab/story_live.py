# SPDX-License-Identifier: LGPL-2.1-or-later
"""A live migration: two hosts run at once, and the guest goes from one to the other by a line.

It runs while its memory is sent. The guards are in the QEMUs and the filter is in the pipe
before the line; what the line carried is kept, so that xferry can be asked of it.
"""

import dataclasses
import json

from lab import story_guest
from lab.payload import Sight
from lab.story_guest import Guest
from lab.story_link import RECEIVE, SEND, Link

FILTER = 'xferry-filter'
# The line carries some 50 kB a second, and the guest never stops to write: without a
# pause that it is allowed, memory is sent for ever.
PAUSE_MS = 3000


@dataclasses.dataclass
class Live:
    """What came of it."""
    loaded: story_guest.Loaded = None   # at the target
    stream: bytes = b''                 # as the target was given it
    left: dict = dataclasses.field(default_factory=dict)    # query-migrate of the source's QEMU
    ran: int = 0                        # rounds of the guest while it was sent
    stays: bool = False                 # it goes on at the source
    behind: Sight = None    # all that it saw there
    guard: str = ''                     # the lines of the guard there
    filtered: dict | None = None        # the filter's report


class Way:
    """One live migration, with what is done to the state on it."""

    def __init__(self, hosts, build, journey, rom):
        self.hosts, self.build, self.journey, self.rom = hosts, build, journey, rom
        self.hop, = journey.hops
        self.done = self.hop.in_flight
        self.live = Live()

    def go(self, profile, report):
        """Makes it; profile: what the filter is told of the target, report: what it writes."""
        with self.hosts.use_both(self.journey.start, self.hop.to) as (source, target):
            with Guest(source, self.build, self.journey.guest, self.rom, ['-S'],
                       guard=self.done.source) as guest:
                sight = guest.start()
                if sight.word != 'intact':
                    raise source.failed(f'the guest is not intact before it leaves: {sight.text}')
                self._send(guest, target, profile, report)
            self.live.guard = guest.guard_said()
        if report.exists():
            self.live.filtered = json.loads(report.read_text(encoding='utf-8'))
        return self.live

    def _send(self, guest, target, profile, report):
        """From the guest's QEMU into one at the target, while both run."""
        with Link(guest.host, target) as link:
            self.live.loaded = story_guest.load(
                target, self.build, self.journey.guest, self.rom, ['-S', '-incoming', 'defer'],
                lambda other: self._carry_over(guest, other, profile, report),
                guard=self.done.target)
        self.live.stream = link.stream()
        self.live.stays = guest.cmd('query-status')['running']
        since = len(guest.said())
        self.live.behind = Sight(guest.said()[:since] + guest.watch(since).text) \
            if self.live.stays else Sight(guest.said())

    def _carry_over(self, guest, other, profile, report):
        other.cmd('migrate-incoming', uri=f'exec:{RECEIVE}')
        guest.cmd('migrate-set-parameters', downtime_limit=PAUSE_MS)
        before = len(guest.said())
        guest.cmd('migrate', uri=f'exec:{self._filter(profile, report)}{SEND}')
        self.live.left = story_guest.migration_end(guest)
        self.live.ran = len(guest.said()) - before
        story_guest.wait_for_migration(other)
        return 0

    def _filter(self, profile, report):
        """The command before the line. It ends with 1 when it has repaired something."""
        if not self.done.filter:
            return ''
        return (f'/mnt/{FILTER} filter --cpu {self.journey.guest} --to /mnt/{profile.name} '
                f'--json /mnt/{report.name} | ')
