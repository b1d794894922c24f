#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Without the places and variables that programs are used to: nothing changes.

No environment at all, no home, no place for temporary files, an odd time zone, a working directory
that is gone, other masks for the modes of new files.
"""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile

import tour


def variables(stage):
    """Environments to be tried."""
    unwritable = stage.place / 'unwritable'
    unwritable.mkdir(mode=0o555)
    usual = dict(os.environ)
    no_home = {key: value for key, value in usual.items() if key not in ('HOME', 'USER')}
    return {
        'nothing': {},
        'no HOME': no_home,
        'HOME may not be written': {**usual, 'HOME': str(unwritable)},
        'TMPDIR may not be written': {**usual, 'TMPDIR': str(unwritable)},
        'TZ is odd': {**usual, 'TZ': '<\x1b[2J>25:61:61<' + 'X' * 300},
        'odd terminal': {**usual, 'TERM': 'x' * 4096, 'COLUMNS': '-1', 'LINES': '0'},
        'xml catalogs': {**usual, 'XML_CATALOG_FILES': '/nowhere', 'XML_DEBUG_CATALOG': '',
                         'SGML_CATALOG_FILES': '/nowhere'},
        'options of programs': {**usual, 'LZOP': '-9', 'GZIP': '-1', 'ZSTD_CLEVEL': '3'},
    }


def check_modes(stage):
    """A copy has the state's mode, less the mask; a state keeps its own, also where it is
    replaced; an undo file has no wider one."""
    for mask in 0o000, 0o027, 0o077, 0o777:
        for mode in 0o600, 0o640, 0o644:
            stage.fresh()
            for name in ('vm', 'lzop'):
                (stage.play / name).chmod(mode)
            manner = tour.Manner('mask', child=lambda mask=mask: os.umask(mask))
            for words in ('-o @copy @vm', '--in-place @vm', '--in-place @lzop'):
                said = stage.run(f'fix {tour.TARGET} {words}', manner)
                tour.require(said.status == tour.REPAIRED, f'mask {mask:o}: {said}')
            modes = {name: what[0] for name, what in stage.files().items()}
            tour.require(modes['copy'] == mode & ~mask and modes['vm'] == modes['lzop'] == mode
                         and modes['vm.xfundo'] & ~mode == 0,
                         f'mask {mask:o}: of a state of mode {mode:o}: {modes}')
            said = stage.run('undo @vm.xfundo', tour.Manner('usual'))
            tour.require(said.status == 0, f'mask {mask:o}: {said}')
    print('ok masks for modes')


def check_no_directory(stage):
    """The working directory is gone: files that are named from the root are found."""
    expected = stage.tour(tour.Manner('absolute', absolute=True))
    with tempfile.TemporaryDirectory() as place:
        gone = pathlib.Path(place, 'gone')
        gone.mkdir()

        def child():
            os.chdir(gone)
            os.rmdir(gone)
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)

        runs = []
        stage.fresh()
        for one in expected.said:
            gone.mkdir(exist_ok=True)
            runs.append(stage.run(one.words, tour.Manner('gone', child=child, absolute=True)))
        gone.mkdir(exist_ok=True)
    tour.same(expected, tour.Tour(runs, stage.files()), 'the working directory is gone')


def check_unprivileged(stage):
    """Nothing needs root, nor a user that has a name."""
    if os.getuid():
        return
    nobody = 64999
    expected = stage.tour(tour.Manner('usual'))

    def child():
        os.setgroups([])
        os.setgid(nobody)
        os.setuid(nobody)

    stage.place.chmod(0o755)
    stage.fresh()
    subprocess.run(['chown', '-R', f'{nobody}:{nobody}', stage.play], check=True)
    manner = tour.Manner('nobody', child=child)
    try:
        said = [stage.run(one.words, manner) for one in expected.said]
    except PermissionError:
        print('the command lies where only root may go: nobody else has run it')
        return
    tour.same(expected, tour.Tour(said, stage.files()), 'a user without a name')


def main():
    """0: all the same."""
    with tour.Stage() as stage:
        expected = stage.tour(tour.Manner('usual'))
        tour.require_normal(expected)
        for name, env in variables(stage).items():
            tour.same(expected, stage.tour(tour.Manner(name, env=env)), name)
        check_modes(stage)
        check_no_directory(stage)
        check_unprivileged(stage)
    return 0


sys.exit(main())
