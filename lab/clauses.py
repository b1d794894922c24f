# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which kernel keeps which clause of docs/contract.md, as the table at its end.

Kernels that keep the same clauses share a column. What a kernel does is put together
from its cells: a clause that is broken on one CPU is broken, one that cannot be tried on one may
hold on another. A CPU without XSAVE is a case of its own: there KVM has another code.
"""

WITHOUT_XSAVE = 'noxsave'
SHOWN = {'holds': 'yes', 'broken': '**no**', 'untried': '-'}
RANK = {'untried': 0, 'holds': 1, 'broken': 2}


def _put_together(records):
    """Clause: (verdict, why), of one kernel's cells."""
    verdicts = {}
    for record in records:
        for clause, one in record['contract'].items():
            known = verdicts.get(clause)
            if not known or RANK[one['verdict']] > RANK[known[0]]:
                verdicts[clause] = (one['verdict'], one.get('why'))
    return verdicts


def columns(records):
    """(kernels' names, {clause: (verdict, why)}) of each column, in the records' order."""
    cells = {}
    for record in records:
        bare = record['cpu'] == WITHOUT_XSAVE
        cells.setdefault((bare, record['kernel']), []).append(record)
    found = []
    for (bare, kernel), own in sorted(cells.items(), key=lambda item: item[0][0]):
        name = f'{kernel} ({own[0]["version"]})' + (' without XSAVE' if bare else '')
        verdicts = _put_together(own)
        for names, known in found:
            if known == verdicts:
                names.append(name)
                break
        else:
            found.append(([name], verdicts))
    return found


def table(records):
    """The made part of docs/contract.md."""
    made = columns(records)
    clauses = list(made[0][1])
    lines = ['| clause | ' + ' | '.join(str(i + 1) for i in range(len(made))) + ' |',
             '|---' * (len(made) + 1) + '|']
    for clause in clauses:
        row = ' | '.join(SHOWN[verdicts[clause][0]] for _, verdicts in made)
        lines.append(f'| {clause} | {row} |')
    lines.append('')
    for i, (names, verdicts) in enumerate(made):
        lines.append(f'{i + 1}. {", ".join(names)}')
        broken = [f'{clause}: {why}' for clause, (verdict, why) in verdicts.items()
                  if verdict == 'broken']
        if broken:
            lines[-1] += '. ' + '; '.join(broken) + '.'
    return '\n'.join(lines) + '\n'
