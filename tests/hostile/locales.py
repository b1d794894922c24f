#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the command says and does is the same in every locale.

Where numbers have commas, where text is not UTF-8, where the small letter of I is no i, and where
the locale is not installed. The locales are made here, out of the machine's sources of them.
"""

import os
import pathlib
import shutil
import subprocess
import sys

import tour

# Name, charset, why.
LOCALES = (
    ('de_DE', 'ISO-8859-15', 'a comma in numbers, one byte a character'),
    ('tr_TR', 'ISO-8859-9', 'another small I'),
    ('tr_TR', 'UTF-8', 'another small I'),
    ('zh_CN', 'GB18030', 'characters of several bytes, some of them ASCII'),
)
MISSING = ('xx_XX.UTF-8', 'C.bogus', '../../../etc', 'x' * 5000)


def made(name, charset, place):
    """Makes a locale, gives what LC_ALL is called then."""
    called = f'{name}.{charset}'
    # Warnings are of the locale's own source.
    done = subprocess.run(['localedef', '-c', '--no-archive', '-i', name, '-f', charset,
                           place / called], check=False, capture_output=True)
    tour.require((place / called / 'LC_CTYPE').exists(), f'localedef: {done.stderr!r}')
    return called


def main():
    """0: all the same."""
    if not shutil.which('localedef') or not pathlib.Path('/usr/share/i18n/locales/tr_TR').exists():
        print('skipped: no sources of locales: apt-get install locales')
        return tour.SKIPPED
    with tour.Stage() as stage:
        usual = {key: value for key, value in os.environ.items()
                 if not key.startswith(('LC_', 'LANG', 'LOCPATH'))}
        expected = stage.tour(tour.Manner('C', env={**usual, 'LC_ALL': 'C'}))
        tour.require_normal(expected)
        for name, charset, why in LOCALES:
            called = made(name, charset, stage.place)
            env = {**usual, 'LOCPATH': str(stage.place), 'LC_ALL': called, 'LANGUAGE': name}
            told = subprocess.run(['locale', 'charmap'], check=True, env=env,
                                  capture_output=True, text=True).stdout.strip()
            tour.require(told == charset, f'{called} is not in use: charmap {told}')
            tour.same(expected, stage.tour(tour.Manner(called, env=env)), f'{called} ({why})')
        for name in MISSING:
            env = {**usual, 'LC_ALL': name, 'LANG': name}
            tour.same(expected, stage.tour(tour.Manner(name, env=env)), f'LC_ALL={name[:20]}')
    return 0


sys.exit(main())
