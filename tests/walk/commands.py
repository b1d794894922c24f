# SPDX-License-Identifier: LGPL-2.1-or-later
"""The commands that the documents tell a person to type, in the order in which they stand.

In Markdown: lines that are indented by four blanks, and in fenced blocks those behind "$ ". In
the manual: the section EXAMPLES. In examples: lines of a comment that begin with a tab, or the
blanks of one. A program or a profile in an example of the manual is one thing, whole. What else
stands there (output, what belongs into a configuration) is found as well; whoever goes by
this must name it and say what it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

# What stands behind a command, far to the right, tells a person what it does.
REMARK = re.compile(r'(?<=\S)\s{3,}\S.*$')


@dataclass
class Command:
    """One, with what is said to come of it: None where nothing is shown."""

    document: str
    line: int
    text: str
    due: str | None = None


def joined(lines: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Lines that end with a backslash go on in the next one."""
    made: list[tuple[int, str]] = []
    for number, line in lines:
        if made and made[-1][1].endswith('\\'):
            first, text = made[-1]
            made[-1] = (first, text[:-1].rstrip() + ' ' + line.strip())
        else:
            made.append((number, line))
    return made


def console(name: str, block: list[tuple[int, str]]) -> list[Command]:
    """A block in which commands stand behind "$ ", and what they print below them."""
    made: list[Command] = []
    for number, line in block:
        if line.startswith('$ '):
            made.append(Command(name, number, line[2:], ''))
        elif made:
            made[-1].due += line + '\n'
    for command in made:
        command.due = command.due.strip('\n') or None
    return made


def plain(name: str, block: list[tuple[int, str]]) -> list[Command]:
    """Lines that are commands each, perhaps with a remark behind them."""
    return [Command(name, number, REMARK.sub('', line).strip())
            for number, line in joined(block) if line.strip()]


def of_block(name: str, block: list[tuple[int, str]]) -> list[Command]:
    if block and block[0][1].startswith(('#include', '{')):  # a program, a profile: one thing
        return [Command(name, block[0][0], '\n'.join(line for _, line in block))]
    if any(line.startswith('$ ') for _, line in block):
        return console(name, block)
    return plain(name, block)


def of_markdown(name: str, text: str) -> list[Command]:
    made: list[Command] = []
    fenced: list[tuple[int, str]] | None = None
    kind = ''
    indented: list[tuple[int, str]] = []
    for number, line in enumerate(text.splitlines() + [''], 1):
        if line.startswith('```'):
            if fenced is None:
                fenced, kind = [], line[3:]
            else:
                if kind == 'console':
                    made += console(name, fenced)
                fenced = None
        elif fenced is not None:
            fenced.append((number, line))
        elif line.startswith('    '):
            indented.append((number, line[4:]))
        elif indented:
            made += plain(name, indented)
            indented = []
    return made


def of_page(name: str, text: str) -> list[Command]:
    """A page of the manual, in scdoc's language."""
    made: list[Command] = []
    section, block = '', None
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith('# '):
            section = line[2:].strip()
        elif line.startswith('```'):
            if block is not None and section in ('EXAMPLES', 'EXAMPLE'):
                made += of_block(name, block)
            block = [] if block is None else None
        elif block is not None:
            block.append((number, line))
    return made


def of_example(name: str, text: str) -> list[Command]:
    """What a comment says at the beginning of a file that one copies."""
    lines = []
    for number, line in enumerate(text.splitlines(), 1):
        found = re.match(r'(?:#|\s\*)(?:\t|   )(\S.*)$', line)
        if found:
            lines.append((number, found[1]))
    return plain(name, lines)


READERS = {'.md': of_markdown, '.scd': of_page}


def all_of(root: Path) -> list[Command]:
    """Of the README first, as a person does."""
    files = [root / 'README.md', root / 'SECURITY.md', *sorted((root / 'docs/man').glob('*.scd')),
             root / 'docs/live.md', root / 'docs/formats.md',
             *sorted(path for path in (root / 'examples').rglob('*') if path.is_file())]
    made = []
    for path in files:
        if not path.exists():
            continue
        name = str(path.relative_to(root))
        read = READERS.get(path.suffix, of_example)
        made += read(name, path.read_text(encoding='utf-8'))
    return made
