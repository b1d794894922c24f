#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The stories end to end: real QEMUs on real kernels, a guest that notices what it lost.

    story.py a b                     the journeys of these stories (lab/journeys.toml)
    story.py all --qemu all          every story with every QEMU
    story.py a --qemu 7.2,10.0       with these QEMUs
    story.py a --record lab/results  also keeps the records there, one file a story; those
                                     of other journeys and QEMUs stay
    story.py --list                  names the journeys
    story.py --document lab/results  prints docs/stories.md, made of such records

Each line of the table is one load of a saved guest: what xferry predicted and what
the guest saw. Exit status: 0 all as predicted; 4 something was not, or a journey
did not show what it is there to show; 8 the lab could not do it; 16 usage.
"""

import argparse
import concurrent.futures
import dataclasses
import json
import pathlib
import re
import shutil
import signal
import sys
import tempfile
import time

sys.dont_write_bytecode = True
TREE = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TREE))

from lab import (matrix, process, story_document, story_guest, story_live,  # noqa: E402
                 story_plan, story_table)
from lab.errors import EXPECTED, LabError, one_line  # noqa: E402
from lab.payload import PayloadError  # noqa: E402
from lab.story_guest import Build  # noqa: E402
from lab.story_hosts import Hosts  # noqa: E402
from lab.story_run import Traveller  # noqa: E402
from lab.story_xferry import Xferry  # noqa: E402

NOT_AS_PREDICTED, FAILED, USAGE = 4, 8, 16
# Versions, and the suites of script/qemu-root that have them; None is this machine's own.
QEMUS = {'5.2': 'bullseye', '7.2': None, '10.0': 'trixie', '11.1': 'sid'}
DEFAULT_QEMUS = '7.2,10.0'
WORKERS = 2


class Parser(argparse.ArgumentParser):
    """Says what is wrong on one line, and ends with 16 as all of xferry does."""

    def error(self, message):
        raise ValueError(message)


def arguments():
    """What was asked for."""
    parser = Parser(prog='story.py', description='The stories, end to end.')
    parser.add_argument('stories', nargs='*', metavar='STORY')
    parser.add_argument('--qemu', default=DEFAULT_QEMUS, metavar='VERSION,...')
    parser.add_argument('--xferry', type=pathlib.Path, default=TREE / 'build/gcc/cli/xferry',
                        metavar='COMMAND')
    parser.add_argument('--guard', type=pathlib.Path, metavar='LIBRARY',
                        help='the guard, for live journeys; else that of the same build')
    parser.add_argument('--journey', action='append', metavar='NAME',
                        help='only this one of the stories (may be repeated)')
    parser.add_argument('--keep', type=pathlib.Path, metavar='DIR',
                        help='where states and consoles are left; else only on failure')
    parser.add_argument('--record', type=pathlib.Path, metavar='DIR')
    parser.add_argument('--list', action='store_true')
    parser.add_argument('--document', type=pathlib.Path, metavar='DIR')
    return parser.parse_args()


def wanted_qemus(words):
    """The QEMUs asked for, as {version: suite}."""
    versions = list(QEMUS) if words == 'all' else words.split(',')
    for version in versions:
        if version not in QEMUS:
            raise ValueError(f'unknown QEMU "{version}"; there are: all {" ".join(QEMUS)}')
    return {version: QEMUS[version] for version in versions}


def wanted_journeys(journeys, stories, names):
    """The journeys asked for."""
    known = sorted({journey.story for journey in journeys})
    for story in stories:
        if story != 'all' and story not in known:
            raise ValueError(f'unknown story "{story}"; there are: all {" ".join(known)}')
    found = [j for j in journeys if (j.story in stories or 'all' in stories)
             and (not names or j.name in names)]
    if not found:
        raise ValueError('no such journey' if names else 'which story? (see --list)')
    return found


def said_by(*command):
    """What a command prints; an error if it does not succeed."""
    done = process.ask(command)
    if done.returncode:
        raise LabError(f'{" ".join(command)}: {done.stderr.strip() or "failed"}')
    return done.stdout.strip()


def find_build(wanted, suite):
    """The QEMU that was asked for; its root is built when it is not there.

    Suites move on, and another machine has another QEMU: it is called what it is.
    """
    root, run_in = None, []
    if suite:
        qemu_root = str(TREE / 'script/qemu-root')
        root, run_in = said_by(qemu_root, suite), [qemu_root, suite, '--run']
    text = said_by(*run_in, 'qemu-system-x86_64', '--version')
    found = re.search(r'version (\d+\.\d+)', text)
    if not found:
        raise LabError(f'QEMU {wanted}: no version in {text[:80]!r}')
    if found[1] != wanted:
        print(f'story.py: {suite or "this machine"} has QEMU {found[1]}, not {wanted}',
              file=sys.stderr)
    return Build(found[1], root)


def travel_all(hosts, journeys, builds, xferry):
    """Makes all journeys with all QEMUs; yields the records of each in their order."""
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        travellers = [Traveller(hosts, build, xferry) for build in builds]
        tasks = [(journey, pool.submit(traveller.travel, journey))
                 for journey in journeys for traveller in travellers]
        try:
            for journey, task in tasks:
                yield journey, task.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            hosts.close()   # what still travels ends at once
            raise


def tell(hosts, journeys, builds, xferry):
    """Makes the journeys and prints the table; the records, and whether all came as it had to."""
    since = time.monotonic()
    complaints, records = [], []
    print(story_table.HEAD, flush=True)
    for journey, made in travel_all(hosts, journeys, builds, xferry):
        for record in made:
            print(story_table.line(record), flush=True)
        complaints += story_table.complaints(journey, made)
        records += made
    for complaint in complaints:
        print(f'FAILED {complaint}')
    print(f'{len(records)} loads, {len(complaints)} complaints, '
          f'{time.monotonic() - since:.0f} s')
    return records, not complaints


def kept(path, plan, made):
    """What a file of records has of journeys that were not made now, and are still planned."""
    if not path.exists():
        return [], {}
    now = {(record.journey, record.qemu) for record in made}
    try:
        document = json.loads(path.read_text(encoding='utf-8'))
        records = [record for record in document['records']
                   if record['journey'] in plan and (record['journey'], record['qemu']) not in now]
        return records, document['hosts']
    except (ValueError, KeyError, TypeError) as error:
        raise LabError(f'{path}: no records of a story ({error!r})') from error


def write_records(records, profiles, where, journeys):
    """One file a story: the loads, in the order of the plan, and the profiles of their hosts."""
    where.mkdir(parents=True, exist_ok=True)
    for story in sorted({record.story for record in records}):
        path = where / f'story-{story}.json'
        plan = [journey.name for journey in journeys if journey.story == story]
        mine = [record for record in records if record.story == story]
        others, known = kept(path, plan, mine)
        every = others + [dataclasses.asdict(record) for record in mine]
        every.sort(key=lambda one: (plan.index(one['journey']),
                                    [int(part) for part in one['qemu'].split('.')]))
        hosts = sorted({host for record in every for host in (record['source'], record['target'])})
        document = {'schema': 1, 'story': story,
                    'hosts': {host: (known | profiles)[host] for host in hosts
                              if host in known | profiles},
                    'records': every}
        path.write_text(json.dumps(document, indent=1) + '\n', encoding='utf-8')


def run(args, journeys, qemus):
    """Does what was asked for; whether all came as it had to."""
    xferry = Xferry(args.xferry)
    builds = [find_build(*one) for one in qemus.items()]
    place = pathlib.Path(tempfile.mkdtemp(prefix='xferry-story-'))
    good = False
    try:
        with Hosts(place, matrix.load(), xferry) as hosts:
            if any(journey.by == 'live' for journey in journeys):
                story_live.bring(hosts.share, args.xferry, args.guard or args.xferry.parent.parent
                                 / 'guard' / story_guest.GUARD)
            records, good = tell(hosts, journeys, builds, xferry)
            if args.record:
                for name in {journey.start for journey in journeys}:
                    hosts.profile(name, None)
                write_records(records, hosts.profiles, args.record, story_plan.load(matrix.load()))
    finally:
        leave(place, args.keep, good)
    return good


def leave(place, keep, good):
    """States and consoles stay where they were asked for, or where they are when it went wrong."""
    if keep:
        shutil.copytree(place, keep, dirs_exist_ok=True)
    if keep or good:
        shutil.rmtree(place, ignore_errors=True)
    if keep or not good:
        print(f'story.py: states and consoles are left in {keep or place}', file=sys.stderr)


def main():
    """The command."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    process.end_on_signals()
    try:
        args = arguments()
        journeys = story_plan.load(matrix.load())
        if args.list:
            for journey in journeys:
                print(f'{journey.story}: {journey.name}: {" -> ".join(journey.hosts)}')
            return 0
        if args.document:
            print(story_document.markdown(story_plan.titles(),
                                          story_document.load(args.document)), end='')
            return 0
        journeys = wanted_journeys(journeys, args.stories, args.journey)
        return 0 if run(args, journeys, wanted_qemus(args.qemu)) else NOT_AS_PREDICTED
    except ValueError as error:
        print(f'story.py: {error}', file=sys.stderr)
        return USAGE
    except PayloadError as error:
        print(f'story.py: {error}', file=sys.stderr)
        return FAILED
    except EXPECTED as error:
        print(f'story.py: {one_line(error)}', file=sys.stderr)
        return FAILED


if __name__ == '__main__':
    sys.exit(main())
