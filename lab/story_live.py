# SPDX-License-Identifier: LGPL-2.1-or-later
"""A live migration: two hosts run at once, and the guest goes from one to the other by a line.

It runs while its memory is sent. The guards are in the QEMUs and the filter is in the pipe
at one end of the line; what the line carried is kept, so that xferry can be asked of it.
"""

import dataclasses
import json
import pathlib
import shutil

from lab import story_guard, story_guest
from lab.errors import LabError
from lab.payload import Sight
from lab.story_guest import GUARD, Guest
from lab.story_link import RECEIVE, SEND, Link

FILTER = 'xferry-filter'
# The line carries less than 100 kB a second, and the guest never stops to write: without
# a pause that it is allowed, memory is sent for ever.
PAUSE_MS = 3000


@dataclasses.dataclass
class Live:
    """What came of it."""
    loaded: story_guest.Loaded = None   # at the target
    stream: bytes = b''                 # as the target was given it
    left: str = ''                      # what the source's QEMU made of it
    ran: int = 0                        # rounds of the guest while it was sent
    behind: Sight = None                # all that it saw at the source
    stays: bool = False                 # it goes on there
    guard: str = ''                     # the lines of the guard there
    filtered: dict | None = None        # the filter's report


class Way:
    """One live migration, with what is done to the state on it."""

    def __init__(self, hosts, build, journey, rom, report):
        self.hosts, self.build, self.journey, self.rom = hosts, build, journey, rom
        self.hop, = journey.hops
        self.done = self.hop.in_flight
        self._report = report
        self._live = Live()

    def go(self, profile):
        """Makes it; profile: what the filter is told of the target."""
        profile = pathlib.Path(shutil.copy(profile, self.hosts.share))
        live = self._live
        with self.hosts.use_both(self.journey.start, self.hop.to) as (source, target):
            with Guest(source, self.build, self.journey.guest, self.rom, ['-S'],
                       guard=self.done.source) as guest:
                expect_intact(source, guest.start())
                with Link(source, target) as link:
                    live.loaded = self._load(guest, target, profile)
                live.stream = link.stream()
                self._look_behind(guest)
            live.guard = guest.guard_said()
        if self.done.filter:
            live.filtered = json.loads(self._report.read_text(encoding='utf-8'))
        return live

    def _load(self, guest, target, profile):
        """What comes of the guest at the target."""
        return story_guest.load(
            target, self.build, self.journey.guest, self.rom, ['-S', '-incoming', 'defer'],
            lambda other: self._carry(guest, other, profile), guard=self.done.target)

    def _carry(self, guest, other, profile):
        command = self._filter(profile)
        receive, send = RECEIVE, SEND
        if self.done.filter == 'target':
            receive = f'{RECEIVE} | {command}'
        elif self.done.filter:
            send = f'{command} | {SEND}'
        other.cmd('migrate-incoming', uri=f'exec:{receive}')
        guest.cmd('migrate-set-parameters', downtime_limit=PAUSE_MS)
        before = len(guest.said())
        guest.cmd('migrate', uri=f'exec:{send}')
        self._live.left = story_guest.migration_end(guest)['status']
        self._live.ran = len(guest.said()) - before
        story_guest.wait_for_migration(other)
        return 0

    def _filter(self, profile):
        return (f'/mnt/{FILTER} filter --cpu {self.journey.guest} --to /mnt/{profile.name} '
                f'--json /mnt/{self._report.name}')

    def _look_behind(self, guest):
        """What the guest saw at the source. Where nothing came of it at the target, it goes on."""
        live = self._live
        said = guest.said()
        if self.done.filter and not live.loaded.sight:
            if not guest.cmd('query-status')['running']:
                guest.cmd('cont')
            live.stays = guest.watch(len(said)).word == 'intact'
        live.behind = Sight(guest.said())


def bring(share, command, guard):
    """Puts the programs of the way where the hosts see them."""
    for path, name in ((f'{command}-static', FILTER), (guard, GUARD)):
        try:
            shutil.copy(path, share / name)
        except OSError as error:
            raise LabError(f'{error.filename}: {error.strerror}; live stories need it') from None


def expect_intact(host, sight):
    """Before anything is saved the guest must be well, or the story shows nothing."""
    if sight.word != 'intact':
        raise host.failed(f'the guest is not intact before it is saved: {sight.text!r}')


def saved(live, done, carried):
    """XSTATE_BV as the source's KVM gave it, as whoever saw it first tells."""
    if done.source:
        for line in story_guard.parse(live.guard)[0]:
            if line['direction'] == 'get':
                return line['xstate_bv']
    if live.filtered:
        return live.filtered['vcpus'][0]['xstate_bv']
    return carried


def on_the_way(first, exposed, done):
    """XSTATE_BV as (the filter is given it, the line carries it, the target's QEMU loads it)."""
    given = first & exposed if done.source == 'trim' else first
    return (given, given & exposed if done.filter == 'source' else given,
            given & exposed if done.filter else given)


def wrong(live, done, record, carried):
    """What is not as it must be of a way, whatever came of the guest; carried: by the line."""
    exposed, first = int(record.exposed, 16), int(record.saved, 16)
    given, passed, loaded = on_the_way(first, exposed, done)
    found = []
    if live.behind.word != 'intact':
        found.append(f'the guest was {live.behind.word} at the source: {live.behind.short()}')
    if not live.ran:
        found.append('the guest did not run while it was sent')
    if live.left != 'completed' and not live.stays:
        found.append(f'the migration is {live.left} at the source')
    if done.filter:
        found += _wrong_filter(live, given, loaded)
    if carried not in (passed, None):
        found.append(f'the line carried {carried:#x}, not {passed:#x}')
    if done.source:
        found += story_guard.complaints('source', live.guard, {
            'get': story_guard.expected(done.source, 'get', first, exposed)})
    if done.target and carried is not None:
        result = 'EINVAL' if record.outcome == 'refused' else '0'
        found += story_guard.complaints('target', live.loaded.guard, {
            'set': story_guard.expected(done.target, 'set', loaded, exposed, result),
            'get': None})
    return found


def _wrong_filter(live, given, passed):
    """What the filter told of what it was given, and did."""
    seen, way = live.filtered['vcpus'][0]['xstate_bv'], live.filtered['filter']['passage']
    wanted = 'stopped' if live.stays else 'repaired' if given != passed else 'passed'
    found = []
    if int(seen, 16) != given:
        found.append(f'the filter saw {seen}, not {given:#x}')
    if way != wanted:
        found.append(f'the filter says "{way}", not "{wanted}"')
    return found
