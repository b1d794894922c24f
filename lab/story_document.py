# SPDX-License-Identifier: LGPL-2.1-or-later
"""docs/stories.md, made of the records that a run of all stories left."""

import json
import pathlib
import textwrap

from lab.errors import LabError

HEAD = '''\
# The stories

<!-- Made by lab/story.py --document lab/results; do not edit. -->

Real QEMUs on real Linux kernels with real KVM, on an emulated CPU, and in them a guest that
notices what it lost (`lab/payload.S`): it fills x87, XMM, the upper halves of YMM and PKRU with
known values and looks at them for ever. Each row is one load of its saved state. xferry was asked
before each, with the profile that `xferry probe` made on that very host; what it foretold is what
was seen, in every row, or `lab/story.py` fails.

Hosts are named kernel/CPU, or kernel/CPU+hook where the kernel module is loaded, as in
`lab/kernels.toml`; CPUs of QEMU 10's emulation serve where the
guest is shown XSAVE (QEMU 7.2's does not tell a host that its guest sets XCR0). The masks
are XSTATE_BV: as the source's KVM gave it, and as the target's was given it where a repair came
between. What is seen:

- **intact**: all registers are as they were; "new CPU": but CPUID is not
- **lost**: QEMU ignores the refusal and runs the guest on without these: F x87, S SSE, A AVX,
  P PKRU; "!" an exception
- **exit**: QEMU ends, and names what was refused
- **keeps**: all is there, and PKRU has the value of before the load
- **stays**: the filter has let no device pass, the target's QEMU ends, and the guest goes on at
  the source, all intact. It has to be told to (`cont`): the QEMU there takes its own migration
  for completed

'''


def load(directory):
    """The records of all stories that are there, {letter: records}."""
    paths = sorted(pathlib.Path(directory).glob('story-*.json'))
    if not paths:
        raise LabError(f'{directory}: no records of stories')
    found = {}
    for path in paths:
        try:
            document = json.loads(path.read_text(encoding='utf-8'))
            found[document['story']] = document['records']
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise LabError(f'{path}: no records of a story ({error!r})') from error
    return found


def sight(record):
    """One cell: what came of the load with one QEMU."""
    if record['seen'] != 'lost':
        return record['seen'] + (', new CPU' if record['new_cpu'] else '')
    letters = ''.join(letter for letter in 'FSAP!' if letter in record['console'])
    return f'**lost {letters}**'


def masks(record):
    """As saved, and as loaded if that is something else."""
    if record['saved'] == record['loaded']:
        return record['saved']
    return f'{record["saved"]} → {record["loaded"]}'


def guest(record):
    """QEMU's -cpu, and that of the target if it is another."""
    there = record['guest_there']
    return f'`{record["guest"]}`' + (f', `{there}` there' if there != record['guest'] else '')


def refused(record):
    """What KVM answered with -EINVAL."""
    return ', '.join(call.removesuffix(': EINVAL') for call in record['kvm']) or '–'


def found(record):
    """What the guards said, on a live way, or the kernel modules."""
    return ', '.join(record.get('guard', []) + record.get('module', [])) or '–'


def same(records, make):
    """What make gives for all QEMUs; a row tells of all of them at once."""
    cells = list(dict.fromkeys(make(record) for record in records))
    return ' / '.join(cells)


def rows(records, qemus):
    """One row for each hop of each journey, one column for each QEMU."""
    finder = finders(records)
    hops = {}
    for record in records:
        hops.setdefault((record['journey'], record['hop']), {})[record['qemu']] = record
    for (journey, hop), by_qemu in hops.items():
        made = list(by_qemu.values())
        first = made[0]
        way = first['source'] if first['by'] == 'rollback' else \
            f'{first["source"]} → {first["target"]}'
        yield (journey if hop == 1 else '… and on', guest(first), way, same(made, masks),
               same(made, lambda record: record['outcome']), same(made, refused),
               *([same(made, found)] if finder else []),
               *(sight(by_qemu[qemu]) if qemu in by_qemu else '' for qemu in qemus))


def finders(records):
    """Who had anything to say of a state, as the head of a column; None if there was nobody."""
    if any(record['by'] == 'live' for record in records):
        return 'guards found'
    return 'module said' if any('+' in record[end] for record in records
                                for end in ('source', 'target')) else None


def markdown(titles, stories):
    """The whole document."""
    qemus = sorted({record['qemu'] for records in stories.values() for record in records},
                   key=lambda version: [int(part) for part in version.split('.')])
    out = [HEAD]
    for letter, records in stories.items():
        head = ['journey', 'guest shown', 'way', 'XSTATE_BV', 'xferry', 'KVM refused',
                *filter(None, [finders(records)]),
                *(f'QEMU {qemu}' for qemu in qemus)]
        title, text = titles[letter]['title'], titles[letter]['text']
        out.append(f'## {letter}: {title}\n\n{textwrap.fill(text, 99)}\n\n')
        for cells in [head, ['---'] * len(head), *rows(records, qemus)]:
            out.append('| ' + ' | '.join(cells) + ' |\n')
        out.append('\n')
    return ''.join(out).rstrip() + '\n'
