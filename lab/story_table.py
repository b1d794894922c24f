# SPDX-License-Identifier: LGPL-2.1-or-later
"""The table of the stories: a line for each load, and what is wrong with it, if anything."""

COLUMNS = (('', 1), ('QEMU', 4), ('from', 16), ('to', 18), ('by', 8), ('guest shown', 19),
           ('repair', 19), ('saved', 5), ('loaded', 6), ('xferry', 8), ('predicted', 9),
           ('seen', 6), ('the guest, or QEMU, says; what KVM refused', 0))


def _cells(cells):
    return '  '.join(f'{cell:{width}}' for cell, (_, width) in zip(cells, COLUMNS)).rstrip()


HEAD = _cells([name for name, _ in COLUMNS])


def line(record):
    """One load."""
    says = record.console or record.said
    if record.kvm:
        says += f'  [{", ".join(record.kvm)}]'
    return _cells([record.story, record.qemu, record.source, record.target, record.by,
                   record.guest_there, record.repaired or '-', record.saved, record.loaded,
                   record.outcome, record.predicted, record.seen, says])


def complaints(journey, records):
    """What did not come as predicted, and whether the journey shows what it is there for."""
    found = []
    for record in records:
        wrong = record.complaints()
        if record.hop < len(journey.hops):
            if record is records[-1]:
                wrong.append(f'the guest was to go on, and was {record.seen}')
        elif not shows(journey, record):
            wrong.append(f'is there to show "{journey.shows}", got {record.outcome}, '
                         f'{record.seen}')
        found += [f'{journey.story}: {journey.name}: QEMU {record.qemu}, hop {record.hop}: {what}'
                  for what in wrong]
    return found


def shows(journey, last):
    """What the guest came to must be what the journey is told for, whatever was predicted."""
    if journey.shows == 'refused':
        return last.outcome == 'refused' and last.seen in ('lost', 'silent', 'exit')
    if journey.shows == 'stays':
        return last.outcome == 'refused' and last.seen == 'stays'
    if journey.shows == 'keeps':
        return last.outcome == 'accepted' and last.seen == 'keeps'
    return last.outcome == 'accepted' and last.seen == 'intact'
