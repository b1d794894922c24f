# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes a journey: real QEMUs on real hosts, and xferry asked at each hop what will come of it."""

import dataclasses
import shutil
import threading

from lab import payload, story_guest, story_qcow2
from lab.errors import LabError
from lab.story_guest import Guest
from lab.story_qcow2 import drive

SNAPSHOT = 's0'


@dataclasses.dataclass
class State:
    """A saved guest, in the share: a stream, or an image with a snapshot."""
    name: str
    image: str | None = None


@dataclasses.dataclass
class Slot:
    """A state that one of several threads saves, and the others wait for."""
    lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)
    state: State | None = None


@dataclasses.dataclass
class Record:
    """One load of one state: what was predicted and what came."""
    story: str
    journey: str
    hop: int
    qemu: str
    source: str
    target: str
    by: str
    guest: str
    guest_there: str
    repaired: str | None
    saved: str = ''             # XSTATE_BV as the source wrote it
    loaded: str = ''            # and as the target was given it
    xcr0: str = ''
    exposed: str = ''
    findings: list = dataclasses.field(default_factory=list)
    outcome: str = ''           # as xferry tells it, of what was loaded
    predicted: str = ''         # intact, lost, exit, keeps
    seen: str = ''              # the same, or silent
    lost: list = dataclasses.field(default_factory=list)
    new_cpu: bool = False
    console: str = ''
    kvm: list = dataclasses.field(default_factory=list)
    said: str = ''

    def complaints(self):
        """What of it is not as it must be, whatever the journey is for."""
        found = []
        # A vCPU that spins is one way of being lost.
        if self.seen != self.predicted and (self.seen, self.predicted) != ('silent', 'lost'):
            found.append(f'predicted {self.predicted}, seen {self.seen}')
        if bool(self.kvm) != (self.outcome == 'refused'):
            found.append(f'xferry says {self.outcome}, KVM refused '
                         f'{", ".join(self.kvm) or "nothing"}')
        if int(self.saved, 16) & int(self.exposed, 16) & ~int(self.loaded, 16):
            found.append(f'a repair dropped what the guest was shown: {self.saved} became '
                         f'{self.loaded}')
        return found


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
        with use as host, Guest(host, self.build, journey.guest, rom, args) as guest:
            expect_intact(host, guest.start())
            if state.image:
                save_snapshot(guest)
            else:
                story_guest.migrate_away(guest, state.name)
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

    # -- hops --

    def travel(self, journey):
        """All hops of a journey; a record of each."""
        if journey.by == 'rollback':
            return [self._roll_back(journey)]
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
            if state.image:
                loaded = story_guest.load_snapshot(host, self.build, record.guest_there, rom,
                                                   drive(state.image), SNAPSHOT)
            else:
                loaded = story_guest.load_stream(host, self.build, record.guest_there, rom,
                                                 state.name, leave)
        note(record, loaded)
        return next_state if (self.share / next_state.name).exists() else None

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


def note(record, loaded):
    """Puts into the record what came of a load."""
    record.seen, record.kvm, record.said = loaded.word, loaded.refused, last_words(loaded.said)
    if loaded.sight:
        record.lost, record.new_cpu = loaded.sight.lost, loaded.sight.new_cpu
        record.console = loaded.sight.short()


def last_words(said):
    """QEMU's own last line, without its name; warnings tell of other things."""
    lines = [text for text in said.split('; ') if 'warning:' not in text]
    return (lines or [said])[-1].rpartition('qemu-system-x86_64: ')[2]


def save_snapshot(guest):
    """savevm, with an error when it says anything."""
    guest.said_in_monitor(f'savevm {SNAPSHOT}')


def expect_intact(host, sight):
    """Before anything is saved the guest must be well, or the story shows nothing."""
    if sight.word != 'intact':
        raise host.failed(f'the guest is not intact before it is saved: {sight.text!r}')
