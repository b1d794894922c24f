#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Odd arguments and odd names of files: one line, a status of the list, and valid JSON.

No name of its own, no argument at all, empty ones, ones as long as the kernel lets pass, and names
that would steer a terminal.
"""

import json
import os
import subprocess
import sys

import tour

# The longest that Linux takes is 32 pages, with the '\0'.
LONG = 32 * 4096 - 1
VALUES = ('--cpu', '--xml', '--qm', '--cpuid', '--exposed', '--from', '--to', '--only', '--layout',
          '--relay', '--jobs')
ODD = {
    'empty': b'',
    'a newline': b'a\nb',
    'what a terminal obeys': b'\x1b[2J\x1b]0;title\x07',
    'C1 of Latin-1': b'\x9b2J\x90q\x9c',
    'C1 of UTF-8': b'\xc2\x9b2J',
    'no UTF-8': b'\xff\xfe\xc3(\xed\xa0\x80\xf4\x90\x80\x80\xc0\xaf',
    'backspaces': b'vm\b\b\b\b\x7f',
    'a format': b'%s%n%99999d',
    'an option': b'--',
    'blanks': b' \t ',
    'quotes': b'"\'\\"}],',
    'beyond the BMP': '\U0001f600\u202e\ufeff'.encode(),
}
STATUSES = {0, 1, 4, 5, 8, 12, 16, 64, 68}


def start(arguments, argv0=b'xferry', cwd=None):
    """One run: what subprocess tells of it."""
    return subprocess.run([argv0, *arguments], executable=tour.XFERRY, check=False, cwd=cwd,
                          capture_output=True, stdin=subprocess.DEVNULL, timeout=60)


def hold(done, what):
    """It has not crashed, and nothing that it said steers a terminal."""
    what = f'{what}: {str(done)[:600]}'
    tour.require(done.returncode in STATUSES, f'{what}: status')
    # JSON has the name as it is, but for what JSON itself escapes.
    for_people = done.stderr + (b'' if b'--json' in done.args or '--json' in done.args
                                else done.stdout)
    tour.require(not any(byte < 32 and byte != 10 for byte in done.stdout + done.stderr) and
                 b'\x7f' not in for_people and b'\xc2\x9b' not in for_people,
                 f'{what}: control characters')
    if done.returncode & (tour.ERROR | tour.USAGE | tour.FORMAT):
        lines = done.stderr.count(b'\n')
        tour.require(lines == 1 and done.stderr.startswith(b'xferry'),
                     f'{what}: {lines} lines on stderr')


def check_names_of_its_own(play):
    """argv[0] is whatever the caller likes, or nothing at all."""
    usual = start(['check', *tour.TARGET.split(), 'vm'], cwd=play)
    for name in (b'', b'/', b'\x1b[2J', b'x' * LONG, b'--json'):
        done = start(['check', *tour.TARGET.split(), 'vm'], argv0=name, cwd=play)
        tour.require((done.returncode, done.stdout, done.stderr) ==
                     (usual.returncode, usual.stdout, usual.stderr), f'argv[0]: {done}')
    # No argument at all: Linux puts an empty one there, older ones do not.
    done = subprocess.run([sys.executable, '-c', 'import ctypes, sys; '
                           'libc = ctypes.CDLL(None); '
                           'none = (ctypes.c_char_p * 1)(None); '
                           'libc.execv(sys.argv[1].encode(), none)', tour.XFERRY],
                          check=False, capture_output=True)
    tour.require(done.returncode == tour.USAGE and done.stderr.startswith(b'usage: xferry'),
                 f'argv is empty: {done}')
    print('ok argv[0]')


def check_values(play):
    """Each option's value, and each verb's argument."""
    count = 0
    odd = {**ODD, 'long': b'a' * (LONG - 2), 'many words': b'a,+b,' * (LONG // 5 - 1),
           'many digits': b'0x' + b'1' * (LONG - 4), 'a long path': b'a/' * (LONG // 2 - 2)}
    for name, value in odd.items():
        for option in VALUES:
            hold(start(['check', option, value, 'vm'], cwd=play), f'{option} with {name}')
            count += 1
        for arguments in ([value], ['check', value], ['fix', '--in-place', value],
                          ['fix', '-o', value, *tour.GUEST.split(), 'clean'], ['undo', value],
                          ['fix', '--in-place', '--undo-file', value, *tour.GUEST.split(),
                           'clean'],
                          ['explain', value], ['route', value, 'preset:linux-6.2'],
                          ['route', '0x7', value, value], ['filter', '--max-tail', value],
                          ['check', '--json', value], ['probe', value]):
            if arguments in ([b''], [b'--']):  # as good as no verb: an overview
                continue
            hold(start(arguments, cwd=play), f'{arguments[0]} with {name}')
            count += 1
    many = start(['check', *['vm#'] * 2000], cwd=play)
    tour.require(many.returncode in STATUSES, f'2,000 files: {str(many)[:300]}')
    print(f'ok {count} odd arguments')


def check_names(play):
    """States with odd names: judged, repaired, taken back; in JSON the name is text."""
    count = 0
    state = (play / 'vm').read_bytes()
    longest = os.pathconf(play, 'PC_NAME_MAX')
    odd = {**ODD, 'long': b'a' * (longest - len('.xfundo'))}
    for name, path in odd.items():
        if not path or b'/' in path:
            continue
        place = play / f'odd-{count}'
        place.mkdir()
        whole = os.fsencode(place) + b'/' + path
        with open(whole, 'wb') as file:
            file.write(state)
        named = b'./' + path
        target = tour.TARGET.split()
        done = start(['check', *target, named], cwd=place)
        hold(done, f'check {name}')
        tour.require(done.returncode == tour.FINDINGS, f'check {name}: {done}')
        for what in ([named], [b'.']):
            done = start(['check', '--json', *target, *what], cwd=place)
            told = [json.loads(line) for line in done.stdout.decode('utf-8').splitlines()]
            tour.require(len(told) == 1 and told[0]['outcome'] == 'refused',
                         f'check --json {name}: {told}')
        done = start(['check', *target, b'.'], cwd=place)
        hold(done, f'check . with {name}')
        for words, due in ((['fix', *target, '--in-place', named], tour.REPAIRED),
                           (['undo', named + b'.xfundo'], 0)):
            done = start(words, cwd=place)
            hold(done, f'{words[0]} {name}')
            tour.require(done.returncode == due, f'{words[0]} {name}: {done}')
        with open(whole, 'rb') as file:
            tour.require(file.read() == state, f'{name}: not as before')
        tour.require(len(os.listdir(place)) == 1, f'{name}: {os.listdir(place)}')
        count += 1
    print(f'ok {count} odd names')


def main():
    """0: all as it should be."""
    with tour.Stage() as stage:
        stage.fresh()
        before = stage.files()
        check_names_of_its_own(stage.play)
        check_values(stage.play)
        tour.require(stage.files() == before, 'odd arguments have written something')
        check_names(stage.play)
    return 0


sys.exit(main())
