# SPDX-License-Identifier: LGPL-2.1-or-later
"""What came out: kept as JSON, shown as a table, as TAP and as JUnit."""

import json
import xml.etree.ElementTree as ElementTree

from lab import clauses
from lab.cell import BEHAVIOUR
from lab.errors import LabError
from lab.held import held, replace
from lab.matrix import TREE, Cell

KEPT = TREE / 'lab' / 'results.json'
DOCUMENT = TREE / 'docs' / 'lab.md'
CONTRACT = TREE / 'docs' / 'contract.md'
BEGIN = '<!-- made by "script/lab table --write" from lab/results.json -->'
END = '<!-- end of what is made -->'
HEAD = ('kernel', 'version', 'CPU', 'holds', 'GET', 'SET', 'besides', 'states', 'accepted',
        'refused', 'unexplained')


def record(result):
    """What is kept of a cell: no time and nothing of the machine it ran on."""
    profile, differ = result.profile, result.differ
    loaded = {'module': result.hook} if result.hook else {}
    return {'kernel': result.kernel, 'cpu': result.cpu, **loaded, 'package': result.package,
            'version': result.version, 'holds': profile['supported'],
            **{key: profile[key] for key in BEHAVIOUR if key not in profile['not_learned']},
            'states': differ['states'], 'accepted': differ['accepted'],
            'refused': differ['refused'], 'differences': differ['differences'],
            'contract': result.contract,
            'explained': {row['name']: row['states'] for row in differ['explained']}}


def load(path=KEPT):
    """The kept records, by cell."""
    try:
        records = json.loads(path.read_text(encoding='utf-8'))
        return {Cell(one['kernel'], one['cpu'], one.get('module')): one for one in records}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError) as error:
        raise LabError(f'{path}: not the lab\'s results: {error}') from error


def save(matrix, results, path=KEPT):
    """Adds cells that passed to those kept, in the order of the matrix; a line a cell."""
    order = [cell for group in matrix.groups.values() for cell in group.cells]
    with held(path.parent):
        kept = load(path)
        kept |= {one.cell: record(one) for one in results if one.passed}
        lines = [json.dumps(kept[cell]) for cell in dict.fromkeys(order) if cell in kept]
        replace(path, '[\n' + ',\n'.join(lines) + '\n]\n')


def _besides(one):
    """What is worth a word beside GET and SET: where a kernel is not as most are today."""
    words = []
    if not one.get('header_checked', True):
        words.append('header not checked')
    if one.get('mxcsr_always'):
        words.append('MXCSR always checked')
    if one.get('get_after_cpuid'):
        words.append('GET leaks before CPUID')
    if one.get('hook'):
        words.append(f'hook: {one["hook"]}')
    return ', '.join(words) or '-'


def row(one):
    """A record as a row of the table."""
    return (one['kernel'], one['version'], one['cpu'], one['holds'], one.get('get') or '-',
            one.get('set') or '-', _besides(one), f'{one["states"]:,}', f'{one["accepted"]:,}',
            f'{sum(one["refused"].values()):,}', str(one['differences']))


def table(records):
    """Rows in columns that line up, as Markdown."""
    rows = [HEAD, *(row(one) for one in records)]
    widths = [max(len(line[i]) for line in rows) for i in range(len(HEAD))]
    lines = ['| ' + ' | '.join(cell.ljust(width) for cell, width in zip(line, widths)) + ' |'
             for line in rows]
    lines.insert(1, '|' + '|'.join('-' * (width + 2) for width in widths) + '|')
    return '\n'.join(lines) + '\n'


def full_table(matrix, kept):
    """The document's part: every cell of the long group; one without a result is an error."""
    cells = matrix.group('long').cells
    missing = [str(cell) for cell in cells if cell not in kept]
    if missing:
        raise LabError(f'{KEPT}: no result of {" ".join(missing)}: script/lab run --save')
    return table([kept[cell] for cell in cells])


def documents(matrix, kept):
    """Path: text, of the documents with their made parts as these results make them."""
    cells = matrix.group('long').cells
    return {DOCUMENT: document(DOCUMENT, full_table(matrix, kept)),
            CONTRACT: document(CONTRACT, clauses.table([kept[cell] for cell in cells]))}


def document(path, made):
    """A document's text with its made part replaced."""
    text = path.read_text(encoding='utf-8')
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise LabError(f'{path}: the marks around the table are not there')
    return (text[:text.index(BEGIN) + len(BEGIN)] + '\n\n' + made + '\n'
            + text[text.index(END):])


def tap(number, result):
    """A cell's line of TAP, and why it failed."""
    word = 'ok' if result.passed else 'not ok'
    lines = [f'{word} {number} - {result.name} # time={result.seconds * 1000:.0f}ms']
    return '\n'.join(lines + [f'# {reason}' for reason in result.reasons])


def line(result):
    """A cell's line for people."""
    word = 'ok    ' if result.passed else 'FAILED'
    said = '; '.join(result.reasons)
    if result.passed:
        said = (f'{result.version}: {result.differ["states"]:,} states, '
                f'{result.seconds:.1f} s, of which {result.boot:.1f} s to boot')
    return f'{word} {result.name}: {said}'


def junit(path, results):
    """All cells as a JUnit file."""
    failures = sum(not one.passed for one in results)
    suite = ElementTree.Element('testsuite', name='lab', tests=str(len(results)),
                                failures=str(failures))
    for one in results:
        case = ElementTree.SubElement(suite, 'testcase', classname=f'lab.{one.cpu}',
                                      name=one.name, time=f'{one.seconds:.3f}')
        if not one.passed:
            ElementTree.SubElement(case, 'failure', message=one.reasons[0]).text = \
                '\n'.join(one.reasons)
    try:
        ElementTree.ElementTree(suite).write(path, encoding='utf-8', xml_declaration=True)
    except OSError as error:
        raise LabError(f'{path}: {error.strerror}') from error
