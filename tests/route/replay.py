#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Replays what real hosts did through `xferry route`, which must have foretold it.

    replay.py [RECORDS.json...]

Records are those of the stories (lab/results/story-*.json, if there are any) and those
of tests/route/seen: one load of one saved guest each, what XSTATE_BV was saved and
loaded, and what the guest saw of it: "intact", "lost", "silent" (a vCPU that spins),
"exit" (QEMU left), "keeps" (the PKRU of before the load), "stays" (the filter let no device
pass). The hosts' profiles are in tests/route/hosts.json; a file of records may bring others
("hosts"). What a record says was predicted at the time is not looked at.

Needs in the environment: XFERRY, the command; SOURCE, the source tree.
"""

import itertools
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(os.environ['SOURCE'])
XFERRY = os.environ['XFERRY']
SAMPLE = SOURCE / 'tests/samples/leaky-pc-qemu64.qevm'
PATCH = SOURCE / 'tests/cli/patch-state.py'
ACCEPTED, FINDINGS = 0, 4
PKRU = 0x200
# What may be seen where xferry foretells this.
SIGHTS = {'accepted': ('intact', 'keeps'), 'runs-on': ('lost', 'silent'), 'exits': ('exit',)}


class Disagreement(Exception):
    """What was seen is not what was foretold."""


def mask(text):
    """A mask of the records or of the JSON."""
    return int(text, 16)


class Replay:
    """The command, and files for it in a directory of their own."""

    def __init__(self, place):
        self.place = place
        self.profiles = json.loads((SOURCE / 'tests/route/hosts.json').read_text('utf-8'))

    def host(self, name, qemu):
        """The path of a host's profile, with the version of its QEMU."""
        if name not in self.profiles:
            raise Disagreement(f'tests/route/hosts.json has no host "{name}"')
        path = self.place / f'{name.replace("/", "-")}-{qemu}.json'
        path.write_text(json.dumps({**self.profiles[name], 'qemu': qemu}), 'utf-8')
        return str(path)

    def state(self, record, key):
        """A stream with the XSTATE_BV that a record has under that key, and its XCR0."""
        values = {'xstate_bv': record[key], 'xcr0': record.get('xcr0', '0x1')}
        path = self.place / '-'.join(['state', *values.values()])
        if not path.exists():
            shutil.copyfile(SAMPLE, path)
            subprocess.run([sys.executable, str(PATCH), str(path),
                            *(f'{field}={value}' for field, value in values.items())],
                           check=True)
        return str(path)

    def route(self, start, cpu, hosts, *options):
        """What the command says; a run that fails is no answer."""
        done = subprocess.run([XFERRY, 'route', *options, '--cpu', cpu, start, *hosts],
                              capture_output=True, text=True, check=False)
        if done.returncode not in (ACCEPTED, FINDINGS) or done.stderr:
            raise Disagreement(f'status {done.returncode}: {done.stderr.strip()}')
        return done.stdout

    def journey(self, start, cpu, hosts):
        """The journey as the JSON has it."""
        return json.loads(self.route(start, cpu, hosts, '--json'))


def foretold(hop, way):
    """The word for what a way over a hop leads to: accepted, runs-on or exits."""
    outcome = hop[way]['outcome']
    if outcome == 'refused':
        return hop['refusal']
    return outcome


def hold_sight(hop, way, record):
    """What the guest saw must be what comes of the outcome."""
    word = foretold(hop, way)
    if record['seen'] == 'stays':
        # What the target's QEMU would have made of it was not to be seen.
        if hop[way]['outcome'] != 'refused':
            raise Disagreement(f'the filter stopped it, and foretold is {word}')
        return
    if record['seen'] not in SIGHTS.get(word, ()):
        raise Disagreement(f'seen "{record["seen"]}", foretold {word}')
    wiped = hop[way]['vcpus'][0]['wiped']
    # Repaired, nobody goes where the state is refused all the same; the lab does, to see.
    if way == 'as_saved' and wiped != (record['seen'] in ('lost', 'silent')):
        raise Disagreement(f'seen "{record["seen"]}", and route says wiped: {wiped}')


def hold_within(what, seen, vcpu, key):
    """A mask that was seen must lie between the two that were foretold."""
    least, most = mask(vcpu[key]), mask(vcpu[f'{key}_most'])
    if least & ~mask(seen) or mask(seen) & ~most:
        raise Disagreement(f'{what} {seen}, foretold {least:#x} to {most:#x}')


def hold_load(replay, record):
    """The one load by itself: the state as it was given to the target."""
    hosts = [replay.host(record[end], record['qemu']) for end in ('source', 'target')]
    cpu = record['guest_there']
    start = replay.state(record, 'loaded')
    hop = replay.journey(start, cpu, hosts)['hops'][0]
    hold_sight(hop, 'as_saved', record)
    hold_within('loaded', record['loaded'], hop['as_saved']['vcpus'][0], 'sent')
    told = 'a vCPU keeps' in replay.route(start, cpu, hosts)
    if record['seen'] == 'keeps' and not told:
        raise Disagreement('the guest keeps its PKRU, and route does not tell')
    if told and mask(record['loaded']) & PKRU:
        raise Disagreement('route tells of a PKRU that is kept, and the state has it')


def hold_leak(replay, record):
    """The host's own PKRU, which a leaky host is said to save for certain."""
    hosts = [replay.host(record[end], record['qemu']) for end in ('source', 'target')]
    running = f'{mask(record["saved"]) & 0x3:#x}'
    hop = replay.journey(running, record['guest'], hosts)['hops'][0]
    if mask(hop['as_saved']['vcpus'][0]['saved']) & ~mask(record['saved']):
        raise Disagreement(f'from {running}, saved {record["saved"]}, foretold at least '
                           f'{hop["as_saved"]["vcpus"][0]["saved"]}')


def hold_journey(replay, records):
    """All of a journey in one: what each host saved, and what came of each load."""
    first = records[0]
    hosts = [replay.host(name, first['qemu'])
             for name in [first['source'], *(record['target'] for record in records)]]
    way = 'repaired' if any(record['repaired'] for record in records) else 'as_saved'
    told = replay.journey(replay.state(first, 'saved'), first['guest'], hosts)
    for record, hop in zip(records, told['hops']):
        if hop[way] is None:
            raise Disagreement(f'hop {record["hop"]} was made, and route ends before')
        hold_within(f'hop {record["hop"]}: saved', record['saved'], hop[way]['vcpus'][0], 'saved')
        if hop[way]['repaired'] == bool(record['repaired']):
            hold_within(f'hop {record["hop"]}: loaded', record['loaded'],
                        hop[way]['vcpus'][0], 'sent')
        hold_sight(hop, way, record)


def follows_route(records):
    """Whether the journey was made as route would: all dropped or nothing, one CPU model."""
    return all(record['repaired'] in (None, 'all') and record['guest'] == record['guest_there']
               for record in records)


def replay_one(replay, records):
    """One journey with one QEMU."""
    for record in records:
        hold_load(replay, record)
    if records[0]['by'] != 'rollback':
        hold_leak(replay, records[0])
        if follows_route(records):
            hold_journey(replay, records)


def is_noticed(replay, records):
    """A record that says the opposite must not pass: else the replay holds nothing."""
    last = dict(records[-1])
    last['seen'] = 'exit' if last['seen'] in ('intact', 'keeps') else 'intact'
    try:
        replay_one(replay, [*records[:-1], last])
    except Disagreement:
        return True
    return False


def journeys_of(path, replay):
    """The records of a file, one list a journey and QEMU."""
    document = json.loads(path.read_text('utf-8'))
    if document.get('schema') != 1 or not document.get('records'):
        sys.exit(f'FAILED {path}: expected "schema": 1 and "records"')
    replay.profiles.update(document.get('hosts', {}))
    return [list(group) for _, group in itertools.groupby(
        document['records'], key=lambda r: (r['story'], r['journey'], r['qemu']))]


def main():
    """Replays all; complains of each that disagrees."""
    paths = [pathlib.Path(word) for word in sys.argv[1:]] or \
        sorted((SOURCE / 'tests/route/seen').glob('*.json')) + \
        sorted((SOURCE / 'lab/results').glob('story-*.json'))
    count = failed = 0
    with tempfile.TemporaryDirectory(prefix='xferry-test.') as place:
        replay = Replay(pathlib.Path(place))
        for path in paths:
            for records in journeys_of(path, replay):
                name = f'{records[0]["story"]}: {records[0]["journey"]}: ' \
                       f'QEMU {records[0]["qemu"]}'
                count += len(records)
                try:
                    replay_one(replay, records)
                    if not is_noticed(replay, records):
                        raise Disagreement('its opposite would pass too')
                    print(f'ok {name}')
                except Disagreement as wrong:
                    failed += 1
                    print(f'FAILED {name}: {wrong}')
    print(f'{count} loads replayed, {failed} journeys not as foretold')
    return 1 if failed or not count else 0


if __name__ == '__main__':
    sys.exit(main())
