# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes a journey: real QEMUs on real hosts, and xferry asked at each hop what will come of it."""

import dataclasses
import shutil
import threading

from lab import payload, story_guard, story_guest, story_live, story_plan, story_qcow2
from lab.errors import LabError
from lab.story_guest import Guest
from lab.story_live import expect_intact
from lab.story_qcow2 import drive
from lab.story_record import Record, module_short, note

SNAPSHOT = 's0'
FORCED = 'x-force-features=on'


@dataclasses.dataclass
class State:
    """A saved guest, in the share: a stream, or an image with a snapshot."""
    name: str
    image: str | None = None
    module: list = dataclasses.field(default_factory=list)  # what the module said when it was saved


@dataclasses.dataclass
class Slot:
    """A state that one of several threads saves, and the others wait for."""
    lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)
    state: State | None = None


class Traveller:
    """Makes journeys with one QEMU; what several of them have in common is done once."""

    def __init__(self, hosts, build, xferry):
        self.hosts = hosts
        self.build = build
        self.xferry = xferry
        self.share = hosts.share
        self._saved = {}
        self._lock = threading.Lock()
        self._number = 0

    def _new_name(self, kind):
        with self._lock:
            self._number += 1
            return f'{kind}-{self.build.version}-{self._number}'

    # -- the first host --

    def _start(self, journey, image=None):
        rom = payload.build(payload.SETS_PKE if journey.pke else 0)
        args = ['-S', *(drive(image) if image else [])]
        return self.hosts.use(journey.start), rom, args

    def _first_state(self, journey):
        """The guest of a journey saved at its first host, once for all journeys that begin so."""
        key = (journey.start, journey.guest, journey.pke, journey.by)
        with self._lock:
            slot = self._saved.setdefault(key, Slot())
        with slot.lock:
            slot.state = slot.state or self._save_first(journey)
            return slot.state

    def _save_first(self, journey):
        state = State(self._new_name('state'))
        if journey.by == 'savevm':
            state.image = story_qcow2.new_image(self.share / f'{state.name}.qcow2')
        use, rom, args = self._start(journey, state.image)
        with use as host:
            host.module_said()
            with Guest(host, self.build, journey.guest, rom, args) as guest:
                expect_intact(host, guest.start())
                if state.image:
                    save_snapshot(guest)
                else:
                    story_guest.migrate_away(guest, state.name)
            state.module = module_short('source', host.module_said())
        if state.image:
            self._extract(state)
        return state

    def _extract(self, state):
        snapshot = story_qcow2.find(self.share / state.image, SNAPSHOT)
        (self.share / state.name).write_bytes(snapshot.read())

    # -- what xferry says and does --

    def _note_saved(self, record, state):
        """Fills in what the source wrote."""
        vcpu = self.xferry.vcpu(self.share / state.name)
        record.saved, record.xcr0 = vcpu['xstate_bv'], vcpu['xcr0']
        record.module = list(state.module)

    def _repair(self, hop, state, guest):
        """The state as the target is given it."""
        if not hop.repair:
            return state
        fixed = State(self._new_name('fixed'))
        if not self.xferry.fix(self.share / state.name, guest, self.share / fixed.name, hop.only):
            return state    # nothing in it may be dropped
        if state.image:
            self._repair_image(hop, state, guest, fixed)
        return fixed

    def _repair_image(self, hop, state, guest, fixed):
        """The edits go where the bytes are in the image; what is read back must be the repair."""
        fixed.image = f'{fixed.name}.qcow2'
        shutil.copyfile(self.share / state.image, self.share / fixed.image)
        edits = self.xferry.edits(self.share / state.name, guest, hop.only)
        story_qcow2.find(self.share / fixed.image, SNAPSHOT).apply(edits)
        done = story_qcow2.find(self.share / fixed.image, SNAPSHOT).read()
        if done != (self.share / fixed.name).read_bytes():
            raise LabError(f'{fixed.image}: not what xferry fix made of the state')
        story_qcow2.check_image(self.share / fixed.image)

    def _predict(self, record, state):
        """Fills in what xferry says of the state as it is loaded."""
        profile = self.hosts.profile(record.target, self.build.version)
        verdict = self.xferry.check(self.share / state.name, record.guest_there, profile)
        record.loaded, record.exposed = verdict.xstate_bv, verdict.exposed
        record.findings, record.outcome = verdict.codes, verdict.outcome
        record.predicted = verdict.consequence
        record.cpuid = self._shown_there(record)

    def _shown_there(self, record):
        """QEMU leaves out of CPUID what the host's KVM lacks, and only warns, unless it is told."""
        if FORCED in record.guest_there:
            return record.exposed
        held = self.hosts.profiles[record.target]['supported']
        return f'{int(record.exposed, 16) & int(held, 16):#x}'

    # -- hops --

    def travel(self, journey):
        """All hops of a journey; a record of each."""
        if journey.by == 'rollback':
            return [self._roll_back(journey)]
        if journey.by == 'live':
            return [self._go_live(journey)]
        state, records, source = self._first_state(journey), [], journey.start
        for number, hop in enumerate(journey.hops, 1):
            record = self._record(journey, number, source, hop)
            self._note_saved(record, state)
            onward = number < len(journey.hops)
            state = self._hop(journey, hop, state, record, onward)
            records.append(record)
            source = hop.to
            if state is None:
                break
        return records

    def _record(self, journey, number, source, hop):
        return Record(journey.story, journey.name, number, self.build.version, source,
                      hop.to if hop else source, journey.by, journey.guest,
                      hop.guest or journey.guest if hop else journey.guest,
                      hop.repair if hop else None)

    def _hop(self, journey, hop, state, record, onward):
        """Loads the state at the next host; the state saved there again if the way goes on."""
        given = self._repair(hop, state, journey.guest)
        if hop.repair and given is state:
            record.repaired = 'none'
        state = given
        self._predict(record, state)
        next_state = State(self._new_name('state'))

        def leave(guest, sight):
            if onward and sight.word == 'intact':
                story_guest.migrate_away(guest, next_state.name)

        rom = payload.build(payload.SETS_PKE if journey.pke else 0)
        with self.hosts.use(hop.to) as host:
            host.module_said()
            if state.image:
                loaded = story_guest.load_snapshot(host, self.build, record.guest_there, rom,
                                                   drive(state.image), SNAPSHOT)
            else:
                loaded = story_guest.load_stream(host, self.build, record.guest_there, rom,
                                                 state.name, leave)
            record.module += module_short('target', host.module_said())
        note(record, loaded)
        return next_state if (self.share / next_state.name).exists() else None

    # -- live --

    def _go_live(self, journey):
        """From host to host while both run."""
        record = self._record(journey, 1, journey.start, journey.hops[0])
        rom = payload.build(payload.SETS_PKE if journey.pke else 0)
        way = story_live.Way(self.hosts, self.build, journey, rom,
                             self.share / self._new_name('report'))
        live = way.go(self.hosts.profile(record.target, self.build.version))
        self._predict_live(record, journey, way.done, live)
        note(record, live.loaded)
        record.left, record.behind = live.left, live.behind.short()
        record.guard = (story_guard.short('source', live.guard)
                        + story_guard.short('target', live.loaded.guard))
        if live.stays:
            record.seen = 'stays'
        return record

    def _predict_live(self, record, journey, done, live):
        """What xferry says of what the line carried, and of what a guard makes of that."""
        given = State(self._new_name('stream'))
        (self.share / given.name).write_bytes(live.stream)
        stopped = done.filter and not live.loaded.sight
        if stopped:
            given = self._first_state(journey)  # what the line carried has no end
        state = given
        if done.target == 'trim' or done.filter == 'target' or stopped:
            state = self._repair(story_plan.Hop(record.target, 'all'), given, journey.guest)
        self._predict(record, state)
        vcpu = self.xferry.vcpu(self.share / given.name)
        carried, record.xcr0 = vcpu['xstate_bv'], vcpu['xcr0']
        record.saved = story_live.saved(live, done, carried)
        if done.filter and record.outcome == 'refused':
            record.predicted = 'stays'
        record.wrong = story_live.wrong(live, done, record,
                                        None if stopped else int(carried, 16))

    def _roll_back(self, journey):
        """savevm, a change of PKRU, loadvm: in one QEMU that runs all the time."""
        record = self._record(journey, 1, journey.start, None)
        state = State(self._new_name('state'))
        state.image = story_qcow2.new_image(self.share / f'{state.name}.qcow2')
        use, rom, args = self._start(journey, state.image)
        with use as host:
            loaded = story_guest.load(host, self.build, journey.guest, rom, args,
                                      lambda guest: live(host, guest, journey.since))
        self._extract(state)
        self._note_saved(record, state)
        self._predict(record, state)
        pkru = 0x200
        if record.outcome == 'accepted' and int(record.exposed, 16) & pkru and \
                not int(record.loaded, 16) & pkru:
            # The contract, not xferry: what is not in the state keeps its value, if it is PKRU.
            record.predicted = 'keeps'
        note(record, loaded)
        if record.lost and set(record.lost) <= {'pkru', 'pkru-at-reset'}:
            record.seen = 'keeps'
        return record


def live(host, guest, moment):
    """A guest's life up to where it goes back; the place in its console from which to look."""
    if moment == 'start':
        save_snapshot(guest)
    expect_intact(host, guest.start())
    if moment == 'running':
        save_snapshot(guest)
    expect_intact(host, guest.press_p())
    since = len(guest.said())
    if moment == 'system_reset':
        guest.cmd('stop')
        since = len(guest.said())
        guest.cmd('system_reset')
        save_snapshot(guest)
    else:
        guest.said_in_monitor(f'loadvm {SNAPSHOT}')
    return since


def save_snapshot(guest):
    """savevm, with an error when it says anything."""
    guest.said_in_monitor(f'savevm {SNAPSHOT}')
