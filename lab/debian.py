# SPDX-License-Identifier: LGPL-2.1-or-later
"""Debian's packages, through apt with a private state: no root, nothing of the system changed.

The mirrors are those apt has been set up with, and signatures and hashes are
checked by apt. Each suite has an index of its own, so one that is gone stops no
other. An index is used for a week; `fetch` renews it. Whoever runs apt holds the
cache: apt itself would not wait for another one, but fail.
"""

import functools
import json
import re
import sys
import time

from lab import cache, process
from lab.errors import Gone, LabError
from lab.held import replace

WEEK = 7 * 24 * 3600
KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'
KERNEL = re.compile(r'linux-(image|binary|modules)-[0-9][^_]*-amd64(-unsigned)?$')
OTHER_FLAVOUR = re.compile(r'-(cloud|rt)-')
WANTED = re.compile(r'linux-(image|binary|modules|source)-')
_failed = {}  # why an index could not be fetched: not tried for each cell anew


def _run(command, log, **more):
    """Runs a program, its words kept in `log`; whether it succeeded."""
    with open(log, 'a', encoding='utf-8') as out:
        return process.run(command, stdout=out, stderr=out, **more).returncode == 0


def _apt_targets(field, label):
    """A field of what apt has been set up with."""
    done = process.ask(['apt-get', 'indextargets', '--format', f'$({field})',
                        'Created-By: Packages', f'Label: {label}'])
    return [line for line in done.stdout.splitlines() if line]


def _mirror(suite):
    label = 'Debian-Security' if suite.endswith('-security') else 'Debian'
    found = _apt_targets('REPO_URI', label)
    if not found:
        raise LabError(f'apt knows no mirror of "{label}", which {suite} is on')
    return found[0]


def _keyring():
    for named in _apt_targets('SIGNED_BY', 'Debian') + [KEYRING]:
        if named.startswith('/'):
            return named
    raise LabError('apt names no keyring for Debian')


@functools.cache
def compare(a, b):
    """-1, 0 or 1: two versions in dpkg's order."""
    for word, value in (('lt', -1), ('eq', 0)):
        if process.ask(['dpkg', '--compare-versions', a, word, b]).returncode == 0:
            return value
    return 1


by_version = functools.cmp_to_key(compare)


def upstream(version):
    """"6.1.192" of "6.1.192-2~deb11u1"; "7.3~rc7" keeps its tail, which sorts it first."""
    return version.split(':')[-1].rsplit('-', 1)[0]


def base(suite):
    """The suite that has what one of updates or backports stands on."""
    suite = suite.removesuffix('-security').removesuffix('-backports')
    return 'sid' if suite == 'experimental' else suite


class Suite:
    """One suite's index, and what can be had from it."""

    def __init__(self, name):
        self.name = name
        self.dir = cache.place() / 'apt' / name
        self.log = self.dir / 'log'
        self.index = self.dir / 'index.json'

    def _options(self):
        pairs = {'Dir::Etc::sourcelist': self.dir / 'sources.list',
                 'Dir::Etc::sourceparts': '/dev/null', 'Dir::State': self.dir / 'state',
                 'Dir::Cache': self.dir / 'cache', 'Dir::State::status': '/dev/null',
                 'Acquire::Languages': 'none', 'APT::Sandbox::User': '', 'APT::Architecture':
                 'amd64', 'Acquire::Retries': '2', 'APT::Update::Error-Mode': 'any'}
        return [word for key, value in pairs.items() for word in ('-o', f'{key}={value}')]

    def _setup(self):
        for part in ('state/lists/partial', 'cache/archives/partial'):
            (self.dir / part).mkdir(parents=True, exist_ok=True)
        (self.dir / 'state' / 'extended_states').touch()
        self.log.write_text('', encoding='utf-8')
        (self.dir / 'sources.list').write_text(
            f'deb [signed-by={_keyring()} arch=amd64 check-valid-until=no] '
            f'{_mirror(self.name)} {self.name} main\n', encoding='utf-8')

    def _age(self):
        try:
            return time.time() - self.index.stat().st_mtime
        except FileNotFoundError:
            return None

    def update(self):
        """Fetches the index and keeps what it says about kernels."""
        self._setup()
        if not _run(['apt-get', '-q', *self._options(), 'update'], self.log):
            raise LabError(f'suite {self.name}: apt cannot fetch its index (see {self.log})')
        said = process.ask(['apt-cache', *self._options(), 'dumpavail'])
        if said.returncode:
            raise LabError(f'suite {self.name}: apt-cache: {process.last_line(said)}')
        if not said.stdout.strip():  # an apt that knows no Error-Mode calls that a success
            raise LabError(f'suite {self.name}: apt fetched no index (see {self.log})')
        packages = {}
        for paragraph in said.stdout.split('\n\n'):
            fields = dict(line.split(': ', 1) for line in paragraph.splitlines()
                          if not line.startswith(' ') and ': ' in line)
            if WANTED.match(fields.get('Package', '')):
                packages[fields['Package']] = {'version': fields['Version'],
                                               'depends': fields.get('Depends', '')}
        replace(self.index, json.dumps(packages, indent=1))

    def _renew(self, since):
        """Fetches the index, unless another lab has while this one waited."""
        with cache.locked():
            age = self._age()
            if age is not None and time.time() - age > since:
                return
            if self.dir not in _failed:
                try:
                    return self.update()
                except LabError as error:
                    _failed[self.dir] = str(error)
                if age is not None:
                    print(f'lab: {_failed[self.dir]}; the one of {age / 3600:.0f} hours ago is '
                          'used', file=sys.stderr)
            if age is None:
                raise LabError(_failed[self.dir])

    def packages(self, renew=False):
        """Name: version and depends. An index that cannot be renewed is used as it is."""
        age = self._age()
        if renew or age is None or age > WEEK:
            self._renew(time.time())
        try:
            return json.loads(self.index.read_text(encoding='utf-8'))
        except ValueError as error:
            raise LabError(f'{self.index}: damaged ({error}); remove it') from error

    def kernels(self):
        """Every amd64 kernel of this suite: {version: packages}, or a reason instead of packages.

        The kernel and its modules are one package or two, and a suite may still
        name an image whose modules it has dropped.
        """
        packages = self.packages()
        found = {}
        for name, package in packages.items():
            if not KERNEL.match(name) or OTHER_FLAVOUR.search(name):
                continue
            if not name.startswith('linux-image-') or 'linux-image-' in package['depends']:
                continue
            parts = [word for word in re.findall(r'linux-(?:binary|modules)-[^ ,]+',
                                                 package['depends'])]
            gone = [part for part in parts if part not in packages]
            reason = f'{gone[0]} is no longer carried' if gone else None
            if package['version'] not in found or not reason:
                found[package['version']] = reason or [name, *parts]
        return found

    def download(self, name, version, place):
        """One package, checked by apt, in `place`; its path."""
        command = ['apt-get', '-q', *self._options(), 'download', f'{name}={version}']
        with cache.locked():
            self._log_for_use()
            good = _run(command, self.log, cwd=place)
        found = list(place.glob(f'{name}_*.deb'))
        if not good or len(found) != 1:
            raise Gone(f'{name} {version}: apt cannot fetch it from {self.name} '
                       f'(see {self.log})')
        return found[0]

    def download_whole(self, names, place):
        """Packages and all that they need, checked by apt, in `place`: as if nothing were there."""
        command = ['apt-get', '-q', '-y', *self._options(), '-o', f'Dir::Cache::archives={place}',
                   '-o', 'Debug::NoLocking=1', 'install', '--download-only',
                   '--no-install-recommends', *names]
        (place / 'partial').mkdir()
        with cache.locked():
            self.packages()
            self._log_for_use()
            if not _run(command, self.log):
                raise Gone(f'{" ".join(names)}: apt cannot fetch them from {self.name} '
                           f'(see {self.log})')
        return sorted(place.glob('*.deb'))

    def _log_for_use(self):
        if not (self.dir / 'sources.list').exists():
            self._setup()


def candidates(row):
    """The kernels a row may mean, oldest first: [(version, suite, packages or reason)]."""
    found = {}
    for name in row.suites:
        for version, packages in Suite(name).kernels().items():
            if version not in found or isinstance(found[version][1], str):
                found[version] = (name, packages)
    fitting = [version for version in found if _fits(row, upstream(version))]
    return [(version, *found[version]) for version in sorted(fitting, key=by_version)]


def _fits(row, version):
    return not ((row.series and not re.match(re.escape(row.series) + r'([.~]|$)', version))
                or (row.since and compare(version, row.since) < 0)
                or (row.below and compare(version, row.below) >= 0))


def newest_source(name, suites):
    """(version, suite) of the newest source package among suites."""
    found = []
    for suite in suites:
        package = Suite(suite).packages().get(name)
        if package:
            found.append((package['version'], suite))
    if not found:
        raise LabError(f'{name}: not in {" ".join(suites)}')
    return max(found, key=lambda pair: by_version(pair[0]))
