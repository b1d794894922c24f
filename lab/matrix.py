# SPDX-License-Identifier: LGPL-2.1-or-later
"""The matrix as lab/kernels.toml has it: kernels, CPUs, hooks, and the groups made of them."""

import dataclasses
import re
import tomllib

from pathlib import Path
from typing import NamedTuple

from lab.errors import LabError, Unknown

TREE = Path(__file__).resolve().parent.parent
FILE = TREE / 'lab' / 'kernels.toml'
CLAUSE = re.compile(r'[GSCXH]\d+')
NAME = re.compile(r'[a-z0-9][a-z0-9.+~_-]*')
TAKES = ('newest', 'oldest', 'all')


@dataclasses.dataclass(frozen=True)
class Row:
    """A kernel as the matrix asks for it; which one that is, apt or the build knows."""
    name: str
    preset: str
    patches: tuple | None = None     # a kernel of our own
    carries: str | None = None       # and a series of kmod/patches on top of them
    words: str = ''                  # for its command line
    config: str | None = None        # and lab/config-NAME, on top of lab/config
    memory: int = 384                # MiB that a machine with it has
    suites: tuple = ()               # else one of Debian's
    series: str | None = None
    since: str | None = None
    below: str | None = None
    take: str | None = None
    on: dict = dataclasses.field(default_factory=dict, hash=False)  # {CPU: {key: value}}
    refuses: str | None = None       # what the module says when it does not load there

    @property
    def own(self):
        """Whether the lab builds it."""
        return self.patches is not None


@dataclasses.dataclass(frozen=True)
class Cpu:
    """An emulated CPU."""
    name: str
    cpu: str
    holds: int
    qemu: str | None = None
    gives: dict = dataclasses.field(default_factory=dict)
    breaks: tuple = ()               # clauses of docs/contract.md that no KVM keeps there
    unlearned: tuple = ()


@dataclasses.dataclass(frozen=True)
class Hook:
    """The kernel module, loaded with some parameters."""
    name: str
    parameters: str
    set: int                         # what of it changes a KVM_SET_XSAVE
    get: int                         # and a KVM_GET_XSAVE
    breaks: tuple = ()               # clauses of docs/contract.md that no KVM keeps with it


class Cell(NamedTuple):
    """A kernel on a CPU, with the module or without: names of the matrix."""
    kernel: str
    cpu: str
    hook: str | None = None

    def __str__(self):
        return f'{self.kernel}/{self.cpu}' + (f'+{self.hook}' if self.hook else '')


@dataclasses.dataclass(frozen=True)
class Group:
    """Cells that are run together."""
    states: int
    cells: tuple                     # each once


@dataclasses.dataclass(frozen=True)
class Matrix:
    """All of the file."""
    source: str
    source_suites: tuple
    kernels: dict
    cpus: dict
    groups: dict
    hooks: dict = dataclasses.field(default_factory=dict)
    # Preset: clauses of docs/contract.md that its kernels do not keep.
    breaks: dict = dataclasses.field(default_factory=dict)

    def kernel(self, name):
        """The row of that name."""
        return self._named(self.kernels, 'kernel', name)

    def cpu(self, name):
        """The CPU of that name."""
        return self._named(self.cpus, 'CPU', name)

    def hook(self, name):
        """The hook of that name."""
        return self._named(self.hooks, 'hook', name)

    def cell(self, word, default_cpus=('pku', 'nopku')):
        """The cells that KERNEL, KERNEL/CPU or KERNEL/CPU+HOOK names; all of it must be known."""
        name, slash, where = word.partition('/')
        cpu, plus, hook = where.partition('+')
        self.kernel(name.partition('=')[0])
        if slash:
            self.cpu(cpu)
        if plus:
            self.hook(hook)
        return [Cell(name, one, hook or None) for one in ([cpu] if slash else default_cpus)]

    def group(self, name):
        """The group of that name."""
        return self._named(self.groups, 'group', name)

    @staticmethod
    def _named(table, what, name):
        if name not in table:
            raise Unknown(f'unknown {what} "{name}"; there are: {" ".join(table)}')
        return table[name]


class _Table:
    """One table of the file, whose keys are taken out one by one, so that a rest shows."""

    def __init__(self, where, table):
        if not isinstance(table, dict):
            raise LabError(f'{where}: expected a table')
        self.where = where
        self.rest = dict(table)

    def take(self, key, kind, default=None):
        """A key's value, which must be of that kind; needed when there is no default."""
        if key not in self.rest:
            if default is None:
                raise LabError(f'{self.where}: "{key}" is missing')
            return default
        value = self.rest.pop(key)
        if not isinstance(value, kind):
            raise LabError(f'{self.where}: "{key}": expected {kind.__name__}')
        return value

    def mask(self, key):
        """A mask in hex."""
        value = self.take(key, str)
        if not re.fullmatch('0x[0-9a-f]+', value):
            raise LabError(f'{self.where}: "{key}": expected a mask in hex')
        return int(value, 16)

    def words(self, key, default=None):
        """A list of names."""
        value = self.take(key, list, default)
        if not all(isinstance(word, str) and NAME.fullmatch(word) for word in value):
            raise LabError(f'{self.where}: "{key}": expected a list of names')
        return tuple(value)

    def clauses(self, key):
        """A list of clauses of docs/contract.md."""
        value = self.take(key, list, [])
        if not all(isinstance(word, str) and CLAUSE.fullmatch(word) for word in value):
            raise LabError(f'{self.where}: "{key}": expected a list of clauses')
        return tuple(value)

    def done(self):
        """Nothing may be left: a key that is misspelt must not be passed over."""
        for key in self.rest:
            raise LabError(f'{self.where}: unknown key "{key}"')


def _own_row(name, table):
    return Row(name, preset=table.take('preset', str), patches=table.words('patches'),
               carries=table.take('carries', str, '') or None,
               words=table.take('words', str, ''),
               config=table.take('config', str, '') or None,
               memory=table.take('memory', int, Row.memory), on=table.take('on', dict, {}),
               refuses=table.take('refuses', str, '') or None)


def _debian_row(name, table):
    row = Row(name, preset=table.take('preset', str), suites=table.words('suites'),
              series=table.take('series', str, '') or None,
              since=table.take('from', str, '') or None,
              below=table.take('below', str, '') or None, take=table.take('take', str),
              on=table.take('on', dict, {}), refuses=table.take('refuses', str, '') or None)
    if row.take not in TAKES:
        raise LabError(f'{table.where}: "take": expected one of: {" ".join(TAKES)}')
    if not row.suites:
        raise LabError(f'{table.where}: "suites" is empty')
    return row


def _kernel(where, name, raw):
    table = _Table(f'{where}: kernel.{name}', raw)
    row = (_own_row if 'patches' in table.rest else _debian_row)(name, table)
    table.done()
    return row


def _cpu(where, name, raw):
    table = _Table(f'{where}: cpu.{name}', raw)
    cpu = Cpu(name, table.take('cpu', str), table.mask('holds'),
              table.take('qemu', str, '') or None, table.take('gives', dict, {}),
              table.clauses('breaks'), table.words('unlearned'))
    table.done()
    return cpu


def _hook(where, name, raw):
    table = _Table(f'{where}: hook.{name}', raw)
    hook = Hook(name, table.take('parameters', str), table.mask('set'), table.mask('get'),
                table.clauses('breaks'))
    table.done()
    return hook


def _block(where, raw, known):
    """All kernels of a block on all its CPUs, with all its hooks where it has any."""
    table = _Table(where, raw)
    named = {'kernel': table.words('kernels'), 'CPU': table.words('cpus'),
             'hook': table.words('hooks', [])}
    table.done()
    for what, names in named.items():
        for name in names:
            if name not in known[what]:
                raise LabError(f'{where}: unknown {what} "{name}"')
    return [Cell(kernel, cpu, hook) for kernel in named['kernel'] for cpu in named['CPU']
            for hook in named['hook'] or (None,)]


def _group(where, name, raw, known):
    table = _Table(f'{where}: group.{name}', raw)
    states = table.take('states', int)
    if states < 1:
        raise LabError(f'{table.where}: "states": expected a number from 1')
    cells = [cell for block in table.take('block', list)
             for cell in _block(table.where, block, known)]
    table.done()
    return Group(states, tuple(dict.fromkeys(cells)))


def _breaks(where, raw, kernels):
    """What the kernels of a preset do not keep; a preset that none has is a misspelt one."""
    table = _Table(f'{where}: breaks', raw)
    known = {row.preset for row in kernels.values()}
    for preset in raw:
        if preset not in known:
            raise LabError(f'{table.where}: no kernel has the preset "{preset}"')
    return {preset: table.clauses(preset) for preset in raw}


def _all_of(where, document, key, make, default=None):
    made = {}
    for name, raw in document.take(key, dict, default).items():
        if not NAME.fullmatch(name):
            raise LabError(f'{where}: {key}: "{name}" is no name')
        made[name] = make(where, name, raw)
    return made


def load(path=FILE):
    """Reads the matrix; whatever is wrong with the file is one line."""
    try:
        with open(path, 'rb') as file:
            document = _Table(str(path), tomllib.load(file))
    except OSError as error:
        raise LabError(f'{path}: {error.strerror}') from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LabError(f'{path}: {error}') from error
    own = _Table(f'{path}: own', document.take('own', dict))
    kernels = _all_of(path, document, 'kernel', _kernel)
    cpus = _all_of(path, document, 'cpu', _cpu)
    for row in kernels.values():
        for name in row.on:
            if name not in cpus:
                raise LabError(f'{path}: kernel.{row.name}: "on": unknown CPU "{name}"')
    hooks = _all_of(path, document, 'hook', _hook, {})
    known = {'kernel': kernels, 'CPU': cpus, 'hook': hooks}
    groups = _all_of(path, document, 'group', lambda *args: _group(*args, known))
    matrix = Matrix(own.take('source', str), own.words('suites'), kernels, cpus, groups, hooks,
                    _breaks(path, document.take('breaks', dict, {}), kernels))
    own.done()
    document.done()
    return matrix
