# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which kernel keeps which clause of docs/contract.md, as the table at its end.

Kernels that keep the same clauses share a column. What a kernel does is put together
from its cells: a clause that is broken on one CPU is broken, one that cannot be tried on one may
hold on another. A CPU without XSAVE is a case of its own: there KVM has another code. The clauses
of the kernel module are told by what it is loaded with, all kernels put together.
"""

WITHOUT_XSAVE = 'noxsave'
OF_MODULE = 'H'
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
    """(kernels as (name, version), {clause: (verdict, why)}) of each column, in order."""
    kernels = {}
    for record in records:
        kernels.setdefault(record['kernel'], []).append(record)
    found = []
    for kernel, own in kernels.items():
        verdicts = _put_together(own)
        for names, known in found:
            if known == verdicts:
                names.append((kernel, own[0]['version']))
                break
        else:
            found.append(([(kernel, own[0]['version'])], verdicts))
    return found


def _table(records, where):
    """A table of clauses and behaviours, and what each behaviour is."""
    made = columns(records)
    lines = ['| clause | ' + ' | '.join(names[0][0] for names, _ in made) + ' |',
             '|---' * (len(made) + 1) + '|']
    for clause in made[0][1]:
        row = ' | '.join(SHOWN[verdicts[clause][0]] for _, verdicts in made)
        lines.append(f'| {clause} | {row} |')
    lines.append('')
    for names, verdicts in made:
        lines.append(f'- **{names[0][0]}**{where}: '
                     + ', '.join(f'{name} ({version})' for name, version in names) + '.')
        broken = [f'{clause}: {why}' for clause, (verdict, why) in verdicts.items()
                  if verdict == 'broken']
        if broken:
            lines[-1] += ' ' + '; '.join(broken) + '.'
    return '\n'.join(lines) + '\n'


def _module_table(records):
    """What the module promises, by what it is loaded with."""
    loaded = {}
    for record in records:
        if not record['refusal']:
            loaded.setdefault(record['loaded'], []).append(record)
    verdicts = {name: {clause: verdict for clause, (verdict, _) in _put_together(own).items()
                       if clause.startswith(OF_MODULE)} for name, own in loaded.items()}
    clauses = list(dict.fromkeys(clause for own in verdicts.values() for clause in own))
    lines = ['| clause | ' + ' | '.join(verdicts) + ' |', '|---' * (len(verdicts) + 1) + '|']
    for clause in clauses:
        row = ' | '.join(SHOWN[own.get(clause, 'untried')] for own in verdicts.values())
        lines.append(f'| {clause} | {row} |')
    return '\n'.join(lines) + '\n'


def _without_module(record):
    """A record without the clauses that are untried wherever the module is not."""
    kept = {clause: one for clause, one in record['contract'].items()
            if not clause.startswith(OF_MODULE)}
    return record | {'contract': kept}


def table(records, hooked):
    """The made part of docs/contract.md: of cells without the module, and of those with it."""
    records = [_without_module(one) for one in records]
    with_xsave = [one for one in records if one['cpu'] != WITHOUT_XSAVE]
    without = [one for one in records if one['cpu'] == WITHOUT_XSAVE]
    return (_table(with_xsave, '') + '\nOn a CPU without XSAVE:\n\n'
            + _table(without, ' without XSAVE')
            + '\nWith the kernel module, by what it is loaded with (`lab/kernels.toml`):\n\n'
            + _module_table(hooked))
