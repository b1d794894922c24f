#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The patches of kmod/patches against the kernels that they are for.

    sources.py SOURCE SERIES PACKAGE [compile]

SERIES applies to the source of the newest PACKAGE that a suite of Debian's carries, the
documentation too; checkpatch has nothing to say of it; with "compile", what it changes
compiles there without a warning, in the configuration of the lab. With "style", checkpatch
is all that is asked: Debian carries no strict kernel. 77: no suite has it.
"""

import os
import pathlib
import shutil
import sys
import tempfile

SOURCE = pathlib.Path(sys.argv[1]).resolve()
sys.dont_write_bytecode = True
sys.path.insert(0, str(SOURCE))

from lab import build, debian, process  # noqa: E402
from lab.errors import EXPECTED, one_line  # noqa: E402

SUITES = ('sid', 'trixie-backports', 'trixie-security', 'bookworm-security')
OBJECT = 'arch/x86/kvm/x86.o'
# What git alone can tell, and no message type can be told not to: there is no git here.
UNKNOWN = '--ignore=UNKNOWN_COMMIT_ID'
SKIP = 77


def call(place, *command):
    """Runs a program there; what it says is shown only when it fails."""
    done = process.run(command, cwd=place, stdout=-1, stderr=-2, text=True,
                       env=build.environment())
    if done.returncode:
        sys.exit(f'FAILED {" ".join(map(str, command))}: status {done.returncode}:\n'
                 f'{done.stdout[-4000:]}')
    return done.stdout


def unpack(package, place):
    """The source, documentation included; its version."""
    version, suite = debian.newest_source(package, SUITES)
    deb = debian.Suite(suite).download(package, version, place)
    excludes = [f'--exclude={pattern}' for pattern in build.UNUSED
                if 'Documentation' not in pattern]
    call(place, 'bash', '-o', 'pipefail', '-c',
         'dpkg-deb --fsys-tarfile "$0" | tar -xO --wildcards "./usr/src/*.tar.xz" | '
         'tar -xJ --strip-components=1 "$@"', deb, *excludes)
    deb.unlink()
    return version


def apply(tree, patch):
    """With patch, which puts up with another place, but leaves nothing rejected."""
    said = call(tree, 'patch', '-p1', '--forward', '-i', patch)
    print(f'ok {patch.name} applies' + (', with fuzz' if 'fuzz' in said else ''))


def check(tree, patch):
    """The kernel's own judge of style."""
    said = call(tree, 'perl', 'scripts/checkpatch.pl', '--strict', '--no-tree', UNKNOWN, patch)
    if 'total: 0 errors, 0 warnings, 0 checks' not in said:
        sys.exit(f'FAILED checkpatch:\n{said}')
    print(f'ok {patch.name}: checkpatch is content')


def compile_changed(tree):
    """The one file that changes anything, and warnings are errors."""
    config = tree / 'lab-config'
    config.write_text(build.CONFIG.read_text(encoding='utf-8') + 'CONFIG_WERROR=y\n',
                      encoding='utf-8')
    call(tree, 'make', f'KCONFIG_ALLCONFIG={config}', 'allnoconfig')
    call(tree, 'make', f'-j{os.cpu_count()}', OBJECT)
    if b'trim_xsave' not in (tree / OBJECT).read_bytes():
        sys.exit(f'FAILED {OBJECT}: has no parameter trim_xsave')
    print(f'ok {OBJECT} compiles')


def main():
    """All of it, in a directory that goes."""
    series, package, more = sys.argv[2], sys.argv[3], sys.argv[4:]
    patches = sorted((SOURCE / 'kmod' / 'patches' / series).glob('*.patch'))
    if not patches:
        sys.exit(f'FAILED kmod/patches/{series}: no patches')
    if not shutil.which('perl'):
        print('SKIP: checkpatch needs perl')
        return SKIP
    with tempfile.TemporaryDirectory(prefix='xferry-test.') as place:
        try:
            version = unpack(package, pathlib.Path(place))
        except EXPECTED as error:
            print(f'SKIP: {one_line(error)}')
            return SKIP
        print(f'{package} {version}')
        for patch in patches:
            if 'style' not in more:
                apply(pathlib.Path(place), patch)
            check(pathlib.Path(place), patch)
        if 'compile' in more:
            compile_changed(pathlib.Path(place))
    return 0


if __name__ == '__main__':
    sys.exit(main())
