# SPDX-License-Identifier: LGPL-2.1-or-later
"""The journeys as lab/journeys.toml has them."""

import dataclasses
import pathlib
import tomllib

from lab.errors import LabError

FILE = pathlib.Path(__file__).with_name('journeys.toml')
WAYS = ('migrate', 'savevm', 'rollback', 'live')
ENDS = ('accepted', 'refused', 'keeps', 'stays')
MOMENTS = ('start', 'running', 'system_reset')


@dataclasses.dataclass(frozen=True)
class InFlight:
    """What is done to the state of a live migration on its way.

    source, target: the modes of the guards there. filter: at which end it is.
    """
    source: str | None = None
    target: str | None = None
    filter: str | None = None


IN_FLIGHT = {
    None: InFlight(),
    'guard at the source': InFlight(source='trim'),
    'guard at the target': InFlight(target='trim'),
    'guards at both ends': InFlight(source='trim', target='trim'),
    'guards that observe': InFlight(source='observe', target='observe'),
    'filter': InFlight(filter='source'),
    'filter at the target': InFlight(filter='target'),
    'guards and filter': InFlight(source='trim', target='trim', filter='source'),
}


@dataclasses.dataclass(frozen=True)
class Hop:
    """From wherever the guest is to another host."""
    to: str
    repair: str | None = None
    guest: str | None = None

    @property
    def only(self):
        """What `xferry fix --only` is given."""
        return None if self.repair == 'all' else self.repair

    @property
    def in_flight(self):
        """What is done on the way, where that is live."""
        return IN_FLIGHT[self.repair]


@dataclasses.dataclass(frozen=True)
class Journey:
    """One guest's way over some hosts."""
    story: str
    name: str
    guest: str
    start: str
    hops: tuple
    shows: str
    by: str = 'migrate'
    pke: bool = False
    since: str | None = None

    @property
    def hosts(self):
        """The hosts it touches, in order."""
        return [self.start, *(hop.to for hop in self.hops)]


def _wrong(where, what):
    return LabError(f'{where}: {what}')


def _keys(where, table, needed, other):
    for key in needed:
        if key not in table:
            raise _wrong(where, f'"{key}" is missing')
    for key, value in table.items():
        kind = (needed | other).get(key)
        if kind is None:
            raise _wrong(where, f'unknown key "{key}"')
        if not isinstance(value, kind):
            raise _wrong(where, f'"{key}": expected {kind.__name__}')


def _one_of(where, key, value, known):
    if value not in known:
        raise _wrong(where, f'"{key}": expected one of: {" ".join(known)}')


def _hop(where, table):
    _keys(where, table, {'to': str}, {'repair': str, 'guest': str})
    return Hop(**table)


def _check_host(where, name, matrix):
    if '/' not in name:
        raise _wrong(where, f'"{name}": expected KERNEL/CPU or KERNEL/CPU+HOOK')
    cell, = matrix.cell(name)
    if matrix.kernel(cell.kernel).take == 'all':
        raise _wrong(where, f'"{name}": a host is made of one kernel, and that is many')


def _live(where, journey):
    """Both ends run at once, so they are two hosts; the guest is shown the same at both."""
    hop, = journey.hops
    if hop.repair:
        _one_of(where, 'repair', hop.repair, [word for word in IN_FLIGHT if word])
    if hop.to == journey.start:
        raise _wrong(where, f'"{hop.to}": expected another host than the first')
    if hop.guest:
        raise _wrong(where, '"guest": of no use on a live way')


def _journey(where, table, matrix):
    _keys(where, table, {'story': str, 'name': str, 'guest': str, 'from': str, 'shows': str},
          {'by': str, 'hops': list, 'pke': bool, 'since': str})
    where = f'{where} ("{table["story"]}: {table["name"]}")'
    fields = {key: value for key, value in table.items() if key != 'from'}
    fields['hops'] = tuple(_hop(where, hop) for hop in table.get('hops', []))
    journey = Journey(start=table['from'], **fields)
    _one_of(where, 'by', journey.by, WAYS)
    _one_of(where, 'shows', journey.shows, ENDS)
    if journey.by == 'rollback':
        _one_of(where, 'since', journey.since, MOMENTS)
    if (journey.by == 'rollback') == bool(journey.hops) or \
            (journey.by in ('savevm', 'live') and len(journey.hops) != 1):
        raise _wrong(where, f'"hops": {len(journey.hops)} are too few or too many')
    if journey.by == 'live':
        _live(where, journey)
    for host in journey.hosts:
        _check_host(where, host, matrix)
    return journey


def _read(path):
    try:
        with open(path, 'rb') as file:
            document = tomllib.load(file)
    except OSError as error:
        raise _wrong(path, error.strerror) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _wrong(path, error) from error
    _keys(path, document, {'story': dict, 'journey': list}, {})
    return document


def titles(path=FILE):
    """{letter: title and text} of the stories."""
    stories = _read(path)['story']
    for letter, table in stories.items():
        _keys(f'{path}: story.{letter}', table, {'title': str, 'text': str}, {})
    return stories


def load(matrix, path=FILE):
    """All journeys; whatever is wrong with the file is one line."""
    known = titles(path)
    journeys = [_journey(f'{path}: journey {number}', table, matrix)
                for number, table in enumerate(_read(path)['journey'], 1)]
    for journey in journeys:
        _one_of(path, 'story', journey.story, known)
    names = [(journey.story, journey.name) for journey in journeys]
    for name in names:
        if names.count(name) > 1:
            raise _wrong(path, f'two journeys are called "{name[0]}: {name[1]}"')
    return journeys
