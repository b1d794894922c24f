#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Seeds for fuzz/undo.c: a byte that chooses, an undo file's line, a state; and repairs to make.

    undo.py DIR
"""

import json
import pathlib
import sys
import zlib

STATE = bytes(at * 31 % 251 for at in range(512))
OLD, NEW = '0000000000000207', '0000000000000007'


def edit(at, state, bound=0):
    """One that is done in the state, with what lies beside it."""
    return {'offset': at, 'old': OLD, 'new': NEW, 'before': state[max(at - 32, bound):at].hex(),
            'after': state[at + 8:at + 40].hex()}


def repaired(*places):
    state = bytearray(STATE)
    for at in places:
        state[at:at + 8] = bytes.fromhex(NEW)
    return bytes(state)


def in_place(*places, **more):
    state = repaired(*places)
    edits, bound = [], 0
    for at in places:
        edits.append(edit(at, state, bound))
        bound = at + 8
    return {'xferry_undo': 1, 'state': 'state', 'size': len(state), 'around': '00000000', **more,
            'edits': edits}, state


def replaced():
    state = repaired(100)
    return {'xferry_undo': 2, 'state': 'state', 'size': len(state), 'crc32': '00000000',
            'original': 'state.xforig', 'original_size': len(state),
            'original_crc32': '00000000', 'edits': [edit(100, state)]}, state


def main():
    place = pathlib.Path(sys.argv[1])
    place.mkdir(parents=True, exist_ok=True)
    # AS_IT_IS = 2, SUMS = 4, ORIGINAL = 8, as the target counts them.
    lines = {'one': (4, in_place(100)), 'two': (4, in_place(100, 300)),
             'piece': (4, in_place(160, piece=64)), 'grows': (4, in_place(100, grows=True)),
             'replaced': (12, replaced()), 'sums-wrong': (0, in_place(100))}
    for name, (choice, (undo, state)) in lines.items():
        line = json.dumps(undo, separators=(',', ':')).encode()
        (place / name).write_bytes(bytes([choice]) + line + b'\n' + state)
    whole = json.dumps(in_place(100)[0], separators=(',', ':')).encode()
    (place / 'sum').write_bytes(bytes([2]) + whole + b'\ncrc32 %08x\n' % zlib.crc32(whole))
    for choice in range(0, 16, 3):
        (place / f'made-{choice}').write_bytes(
            bytes([1, choice, 5 * choice, 255, 2, 7, 25, 0]) + bytes(8) + bytes([7, 50, 1]) + STATE)


main()
