# SPDX-License-Identifier: LGPL-2.1-or-later
"""A compiler that this machine has not: a suite's own, in a root of unpacked packages.

Nothing is installed, no package's script is run and no root is needed: apt fetches the
compiler with all that it needs, dpkg-deb unpacks it, and a build runs there in a
namespace of its own, with this machine's /dev and /proc (objtool reads its limits
there) and the directories that it is given, by their usual names.
"""

import hashlib

from lab import cache, debian, kernels, process
from lab.errors import LabError

TOOLS = ('base-files', 'bash', 'coreutils', 'dash', 'diffutils', 'findutils', 'grep', 'gzip',
         'libc6-dev', 'make', 'mawk', 'sed', 'xz-utils')
# In a mount namespace: what is bound is seen by what runs there alone.
ENTER = '''
root=$1
shift
for own in /dev /proc; do
	mount --rbind "$own" "$root$own"
done
while [ "$1" != -- ]; do
	mount --bind "$1" "$root$1"
	shift
done
shift
exec chroot "$root" "$@"
'''


def _unpack(debs, made):
    """base-files first: it says whether /bin is a link."""
    for deb in sorted(debs, key=lambda one: not one.name.startswith('base-files_')):
        done = process.ask(['dpkg-deb', '-x', deb, made])
        if done.returncode:
            raise LabError(f'{deb.name}: not a whole package: {process.last_line(done)}')
        deb.unlink()


def _links(made):
    """What packages' scripts would have linked."""
    for link, target in (('bin/sh', 'dash'), ('usr/bin/awk', 'mawk')):
        if not (made / link).exists():
            (made / link).symlink_to(target)


def root(suite, compiler, needs):
    """The root of a suite's compiler and of the packages that are needed beside it."""
    names = sorted({compiler, *TOOLS, *needs})
    key = hashlib.sha256(' '.join(names).encode()).hexdigest()[:12]
    path = cache.place() / 'toolchains' / f'{suite}-{compiler}-{key}'

    def fill(made):
        debs = made / 'debs'
        debs.mkdir()
        _unpack(debian.Suite(suite).download_whole(names, debs), made)
        for left in (debs / 'partial', debs / 'lock'):
            left.rmdir() if left.is_dir() else left.unlink(missing_ok=True)
        debs.rmdir()
        _links(made)
        for name in ('dev', 'proc', 'tmp'):
            (made / name).mkdir(exist_ok=True)
        return {'suite': suite, 'compiler': compiler, 'packages': names}

    kernels.make(path, f'{compiler} of {suite}', fill)
    return path


def check():
    """That there is a namespace to build in: a machine may not allow it."""
    done = process.ask(['unshare', '--user', '--map-root-user', '--mount', 'true'])
    if done.returncode:
        raise LabError(f'no namespace for another compiler: {process.last_line(done)}')


def command(path, binds, words):
    """A command that runs in a root, seeing directories of this machine by their usual names."""
    for bind in binds:
        (path / str(bind).lstrip('/')).mkdir(parents=True, exist_ok=True)
    return ['unshare', '--user', '--map-root-user', '--mount', 'sh', '-euc', ENTER, 'enter', path,
            *binds, '--', *words]
