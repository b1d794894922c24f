# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the guard says of a guest's life, and what it has to say."""

import shlex

START = 'xferry-guard: '
NUMBERS = ('xstate_bv', 'shown', 'superfluous', 'dropped')


def parse(text):
    """The lines of a guard's log, as (found, summary, other): dicts, and what is neither."""
    found, summary, other = [], None, []
    for line in text.splitlines():
        words = shlex.split(line.removeprefix(START)) if line.startswith(START) else []
        fields = dict(word.split('=', 1) for word in words if '=' in word)
        if 'direction' in fields:
            found.append(fields)
        elif 'summary' in words:
            summary = fields
        else:
            other.append(line)
    return found, summary, other


def expected(mode, direction, state, exposed, result='0'):
    """The line that a state has to bring about, or None: nothing found, nothing said."""
    superfluous = state & ~exposed
    if not superfluous:
        return None
    return {'vcpu': '0', 'direction': direction, 'mode': mode, 'xstate_bv': hex(state),
            'shown': hex(exposed), 'superfluous': hex(superfluous),
            'dropped': hex(superfluous if mode == 'trim' else 0), 'result': result}


def complaints(where, text, wanted):
    """What a guard's log has that it should not, or lacks. wanted: {direction: line or None}."""
    found, summary, other = parse(text)
    wrong = [f'the guard at the {where} said: {line}' for line in other]
    for direction, line in wanted.items():
        said = [{key: one.get(key) for key in line or one} for one in found
                if one['direction'] == direction]
        if said != ([line] if line else []):
            wrong.append(f'the guard at the {where} was to say of {direction}: '
                         f'{_text(line)}; it said: {"; ".join(map(_text, said)) or "nothing"}')
    if bool(summary) != bool(found):
        wrong.append(f'the guard at the {where} ended {"with" if summary else "without"} a '
                     f'summary after {len(found)} lines')
    return wrong


def short(where, text):
    """What a guard found, for a record."""
    return [f'{where} {one["direction"]} {one["xstate_bv"]} dropped {one["dropped"]}'
            for one in parse(text)[0]]


def _text(line):
    return ' '.join(f'{key}={value}' for key, value in line.items()) if line else 'nothing'
