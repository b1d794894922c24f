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
XF_ALL = '0xffffffffffffffff'
BEGIN = '<!-- made by "script/lab table --write" from lab/results.json -->'
BEGIN_HOOK = BEGIN.replace('results.json', 'results.json: the module')
END = '<!-- end of what is made -->'
HEAD = ('kernel', 'version', 'CPU', 'holds', 'GET', 'SET', 'besides', 'states', 'accepted',
        'refused', 'unexplained')
HEAD_HOOK = ('kernel', 'version', 'CPU', 'module', 'SET', 'clears in SET', 'in GET', 'states',
             'accepted', 'refused', 'unexplained', 'trimmed')


def record(result):
    """What is kept of a cell: no time and nothing of the machine it ran on."""
    profile, differ = result.profile, result.differ
    loaded = {}
    if result.hook:
        loaded = {'loaded': result.hook, 'refusal': result.refusal, 'stats': result.stats}
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
        return {Cell(one['kernel'], one['cpu'], one.get('loaded')): one for one in records}
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


def _all(mask):
    """A mask that has every component, in a word."""
    if not int(mask, 16):
        return '-'
    return 'all' if mask == XF_ALL else mask


def hook_row(one):
    """A record with the module as a row of its table."""
    module = one.get('module') or {'set': '0x0', 'get': '0x0'}
    stats = one['stats']
    trimmed = f'{stats["set_trimmed"] + stats["get_trimmed"]:,}' if stats else '-'
    loaded = 'refuses to load' if one['refusal'] else one['loaded']
    return (one['kernel'], one['version'], one['cpu'], loaded, one.get('set') or '-',
            _all(module['set']), _all(module['get']), f'{one["states"]:,}',
            f'{one["accepted"]:,}', f'{sum(one["refused"].values()):,}',
            str(one['differences']), trimmed)


def table(head, rows):
    """Rows in columns that line up, as Markdown."""
    rows = [head, *rows]
    widths = [max(len(line[i]) for line in rows) for i in range(len(head))]
    lines = ['| ' + ' | '.join(cell.ljust(width) for cell, width in zip(line, widths)) + ' |'
             for line in rows]
    lines.insert(1, '|' + '|'.join('-' * (width + 2) for width in widths) + '|')
    return '\n'.join(lines) + '\n'


def both_tables(records):
    """A table of the cells without the module, and one of those with it, where there are any."""
    made = [table(head, [row_of(one) for one in some]) for head, row_of, some in (
        (HEAD, row, [one for one in records if 'loaded' not in one]),
        (HEAD_HOOK, hook_row, [one for one in records if 'loaded' in one])) if some]
    return '\n'.join(made)


def _records(matrix, kept, group):
    """The records of a group; a cell without one is an error."""
    cells = matrix.group(group).cells
    missing = [str(cell) for cell in cells if cell not in kept]
    if missing:
        raise LabError(f'{KEPT}: no result of {" ".join(missing)}: script/lab run --save')
    return [kept[cell] for cell in cells]


def full_tables(matrix, kept):
    """All that docs/lab.md shows: {mark: table}."""
    return {BEGIN: both_tables(_records(matrix, kept, 'long')),
            BEGIN_HOOK: both_tables(_records(matrix, kept, 'hook'))}


def documents(matrix, kept):
    """Path: text, of the documents with their made parts as these results make them."""
    text = DOCUMENT.read_text(encoding='utf-8')
    for mark, made in full_tables(matrix, kept).items():
        text = document(DOCUMENT, made, mark, text)
    return {DOCUMENT: text,
            CONTRACT: document(CONTRACT, clauses.table(_records(matrix, kept, 'long'),
                                                         _records(matrix, kept, 'hook')))}


def document(path, made, begin=BEGIN, text=None):
    """A document's text with one of its made parts replaced."""
    text = path.read_text(encoding='utf-8') if text is None else text
    before, mark, rest = text.partition(begin)
    old, end, after = rest.partition(END)
    if not end or begin in rest or '<!-- made by' in old:
        raise LabError(f'{path}: the marks around the table are not there')
    return f'{before}{mark}\n\n{made}\n{end}{after}'


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
