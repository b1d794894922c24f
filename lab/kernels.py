# SPDX-License-Identifier: LGPL-2.1-or-later
"""The kernels of the matrix, made when they are first asked for.

	kernel = kernels.get(matrix.load(), 'leaky')
	kernel.image, kernel.modules, kernel.version
"""

import dataclasses
import json
import sys
import time

from pathlib import Path

from lab import build, cache, debian, unpack
from lab.errors import Gone, LabError


@dataclasses.dataclass(frozen=True)
class Kernel:
    """A kernel that is there."""
    name: str           # in the matrix
    image: Path
    modules: tuple      # to be loaded in this order; none when KVM is built in
    package: str
    version: str        # of the package, or of the source
    suite: str
    preset: str         # the behaviour that is expected
    words: str = ''     # for its command line
    memory: int = 384   # MiB


def _kernel(name, row, path):
    info = json.loads((path / 'info.json').read_text(encoding='utf-8'))
    modules = tuple(path / 'modules' / f'{module}.ko' for module in info['modules'])
    return Kernel(name, path / 'kernel', modules, info['package'], info['version'],
                  info['suite'], row.preset, row.words, row.memory)


def make(path, what, fill, part=''):
    """The directory `path`, filled by fill(directory) -> info when it is not there; that info."""
    if not (path / 'info.json').exists():
        _make(path, what, fill, part)
    return json.loads((path / 'info.json').read_text(encoding='utf-8'))


def _make(path, what, fill, part):
    with cache.locked(part):
        if (path / 'info.json').exists():
            return
        print(f'lab: making {what}', file=sys.stderr)
        start = time.monotonic()
        with cache.making(path, part) as made:
            info = fill(made)
            (made / 'info.json').write_text(json.dumps(info, indent=1) + '\n', encoding='utf-8')
        print(f'lab: made {what} in {time.monotonic() - start:.0f} s', file=sys.stderr)


# What a Debian kernel needs to see files of this machine.
SHARES = ('virtio-pci', '9pnet-virtio', '9p')


def _fetch(suite, version, packages, others, made):
    debs = [debian.Suite(suite).download(name, version, made) for name in packages]
    modules = unpack.kernel(debs, made, others)
    for deb in debs:
        deb.unlink()
    return {'package': packages[0], 'version': version, 'suite': suite, 'modules': modules}


def _own(matrix, row):
    version, suite = debian.newest_source(matrix.source, matrix.source_suites)
    path = cache.place() / 'own' / f'{row.name}-{build.key(row, version)}'
    make(path, f'kernel {row.name} ({matrix.source} {version})',
         lambda made: build.kernel(matrix, row, version, suite, made))
    return _kernel(row.name, row, path)


def _debian(row, name, version, suite, packages, shares):
    if isinstance(packages, str):
        raise LabError(f'kernel {name}: {packages}')
    path = cache.place() / ('debian-9p' if shares else 'debian') / f'{packages[0]}_{version}'
    make(path, f'kernel {name} ({packages[0]} {version})',
         lambda made: _fetch(suite, version, packages, SHARES if shares else (), made))
    return _kernel(name, row, path)


def expand(row):
    """The names a row stands for: one, or NAME=VERSION for each kernel there is."""
    if row.own or row.take != 'all':
        return [row.name]
    return [f'{row.name}={version}' for version, _, packages in debian.candidates(row)
            if not isinstance(packages, str)]


def _choose(row, name):
    found = debian.candidates(row)
    wanted = name.partition('=')[2]
    if wanted:
        chosen = [one for one in found if one[0] == wanted]
    elif row.take == 'all':
        raise LabError(f'kernel {row.name} is many; one is {row.name}=VERSION')
    else:
        whole = [one for one in found if not isinstance(one[2], str)] or found
        chosen = whole[-1:] if row.take == 'newest' else whole[:1]
    if not chosen:
        raise LabError(f'kernel {name}: no such kernel in {" ".join(row.suites)}')
    return chosen[0]


def _get(matrix, row, name, shares):
    if row.own:
        return _own(matrix, row)
    return _debian(row, name, *_choose(row, name), shares)


def get(matrix, name, shares=False):
    """The kernel of that name; it is fetched or built when it is not there.

    `shares`: with what it needs to mount a Machine's shares; our own always can.
    """
    row = matrix.kernel(name.partition('=')[0])
    try:
        return _get(matrix, row, name, shares)
    except Gone:
        for suite in matrix.source_suites if row.own else row.suites:
            debian.Suite(suite).packages(renew=True)
        return _get(matrix, row, name, shares)
