# SPDX-License-Identifier: LGPL-2.1-or-later
"""One operation on a state, and the judgement of what is left when it went wrong.

The rule: the directory is as before or as wanted, or `xferry undo`, without a fault, makes it as
before, to the name and the byte. What a second `fix` then does needs no look: it begins with what
the first one began with, and that one is the reference.
"""

import os
import re
import subprocess

import place as places
from scenarios import MODE

# The status of each kind when nothing goes wrong. -elsewhere: the undo file lies in another
# directory; -cut: a repair is taken back that was killed in its middle.
DONE = {'in-place': 1, 'in-place-elsewhere': 1, 'copy': 1, 'filter': 1, 'filter-pipe': 1,
        'undo': 0, 'undo-elsewhere': 0, 'undo-cut': 0, 'undo-cut-elsewhere': 0}
ERROR = 8
KILLED = -9
OUT = 'out'
HIDDEN = re.compile(r'(^|/)\.xferry-\w{6}$')


class Lost(Exception):
    """What must not be: with the words for it."""


class Operation:
    """What is run, what there was before and what is wanted."""

    def __init__(self, scenario, kind, command, work, cut):
        self.scenario, self.kind, self.xferry, self.work = scenario, kind, command, work
        self.elsewhere = kind.endswith('elsewhere')
        self.undo_file = 'kept/undo' if self.elsewhere else scenario.undo
        self.name = f'{scenario.name} {kind}'
        self.judged = set()
        self.recoveries = 0
        self.prepare(cut)

    # ---- The two ends ----

    def prepare(self, cut):
        """The directory before, and what it is when nothing goes wrong.

        `cut` runs a repair, and kills it in its middle.
        """
        places.clear(self.work)
        self.scenario.make(self.work)
        (self.work / self.scenario.file).chmod(MODE)
        if self.elsewhere:
            (self.work / 'kept').mkdir()
        self.directories = [str(path.relative_to(self.work)) for path in self.work.iterdir()
                            if path.is_dir()]
        self.pristine = places.look(self.work)
        if '-cut' in self.kind:
            cut(self)
            self.sweep()
        elif self.kind.startswith('undo'):
            self.run(self.fix_in_place(), 1)
        self.start = places.look(self.work)
        self.run(self.arguments(), DONE[self.kind])
        self.wanted = places.look(self.work)
        self.reset()
        if self.start == self.wanted:
            raise AssertionError(f'{self.name}: nothing changes')
        if self.kind.startswith('undo') and self.wanted != self.pristine:
            raise AssertionError(f'{self.name}: undo does not restore')

    def sweep(self):
        """Without the names that a kill is documented to leave."""
        if not self.scenario.has_tmpfile:
            for name in filter(HIDDEN.search, places.look(self.work)):
                (self.work / name).unlink()

    def fix_in_place(self):
        """The words of a repair in place."""
        undo = ['--undo-file', self.undo_file] if self.elsewhere else []
        return ['fix', *self.scenario.guest, '--in-place', *undo, self.scenario.argument]

    def arguments(self):
        """The words of this operation."""
        guest = self.scenario.guest
        return {'in': self.fix_in_place(),
                'copy': ['fix', *guest, '-o', 'copy', self.scenario.argument],
                'undo': ['undo', self.undo_file],
                'filter': ['filter', *guest]}[self.kind.split('-', maxsplit=1)[0]]

    def run(self, arguments, due=None):
        """Without a fault, by the very command, with all its habits (broken.c)."""
        sound = {name: value for name, value in os.environ.items() if name != 'BROKEN'}
        with self.ends() as ends:
            got = subprocess.run([self.xferry, *arguments], cwd=self.work, env=sound, timeout=60,
                                 check=False, **ends.files)
            ends.finish()
        if due is not None and got.returncode != due:
            raise Lost(f'xferry {" ".join(arguments)}: status {got.returncode}, expected {due}: '
                       f'{self.said()}')
        return got.returncode

    def ends(self):
        """Standard input and output: of a filter, streams."""
        return Ends(self)

    def said(self):
        """What the last run has said on standard error."""
        return (self.work.parent / 'said').read_text(errors='replace').strip()

    def reset(self):
        """Back to where the operation begins."""
        if places.look(self.work) != self.start:
            places.put(self.work, self.start, self.directories)

    def look(self, hidden=False):
        """What there is; hidden names, too, or as documented not those that may be left."""
        entries = places.look(self.work)
        if hidden or self.scenario.has_tmpfile:
            return entries
        return places.without(entries, HIDDEN.search)

    # ---- Judgement ----

    def judge(self, status, said='', may_litter=False):
        """Raises Lost. `status`: that of the command; KILLED; None after a power loss. `said`: on
        standard error; None if that could not be written. `may_litter`: nothing can be removed."""
        ended = status is not None and status != KILLED
        now = self.look(hidden=ended and not may_litter)
        if ended:
            self.judge_status(status, said, now)
        key = tuple(sorted(now.items()))
        if key not in self.judged:
            self.recover(now)
            self.judged.add(key)

    def judge_status(self, status, said, now):
        """What is said must be so, and must help."""
        if status < 0:
            raise Lost(f'died by signal {-status}')
        if status == DONE[self.kind]:
            if now != self.wanted:
                raise Lost(f'status {status}, and there is {self.differences(now)}')
            return
        if status & ~DONE[self.kind] != ERROR:
            raise Lost(f'status {status}: {said}')
        if said is not None:
            self.judge_words(said, now)

    def judge_words(self, said, now):
        """One line; of a file that has changed, with the way on."""
        lines = said.split('\n')
        if self.kind.startswith('filter'):  # its report goes there, too
            lines = [line for line in lines if line.startswith('xferry')]
        if len(lines) != 1 or not re.match(r'xferry( [a-z]+)?: .', lines[0]):
            raise Lost(f'{len(lines)} lines: {said!r}')
        changed = self.content(now) != self.content(self.start)
        if changed and self.undo_file in now and f'xferry undo {self.undo_file}' not in said:
            raise Lost(f'the state was changed, and not a word of undo: {said}')

    def content(self, entries):
        """What is in the state, if it is there."""
        entry = entries.get(self.scenario.file)
        return entry.content if entry else None

    def differences(self, now):
        """How the directory differs from the one that is wanted."""
        return '; '.join(f'{name}: {"not " if now.get(name) is None else "other "}there'
                         for name in sorted(now.keys() | self.wanted.keys())
                         if now.get(name) != self.wanted.get(name))

    def recover(self, now):
        """By the documented way alone."""
        if self.kind.startswith('filter'):
            out = now[OUT].content if OUT in now else b''
            if not self.wanted[OUT].content.startswith(out):
                raise Lost('what came out is no start of the wanted stream')
            return
        if self.kind == 'copy':
            copy = now.pop('copy', None)
            if copy and copy != self.wanted['copy']:
                raise Lost('half a copy')
        elif self.undo_file in now:
            self.recoveries += 1
            self.run(['undo', self.undo_file], 0)
            now = self.look()
        if now != self.pristine:
            lost = self.content(now) != self.content(self.pristine)
            raise Lost(f'{"the state is lost" if lost else "not as before"}: there is '
                       f'{places.describe(now)}')


class Ends:
    """Standard files of a run. What is said goes beside the directory."""

    def __init__(self, operation):
        self.operation, self.opened, self.feeder = operation, [], None

    def open(self, path, mode):
        """Closed at the end."""
        self.opened.append(open(path, mode))
        return self.opened[-1]

    def __enter__(self):
        work, kind = self.operation.work, self.operation.kind
        self.files = {'stderr': self.open(work.parent / 'said', 'wb'),
                      'stdout': self.open(work.parent / 'told', 'wb'),
                      'stdin': subprocess.DEVNULL}
        if kind.startswith('filter'):
            self.files['stdin'] = self.open(work / 'vm', 'rb')
            self.files['stdout'] = self.open(work / OUT, 'wb')
        if kind == 'filter-pipe':
            self.feeder = subprocess.Popen(['cat'], stdin=self.files['stdin'],
                                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            self.files['stdin'] = self.feeder.stdout
        return self

    def finish(self):
        """Whoever feeds learns that nobody reads any more."""
        if self.feeder:
            self.feeder.stdout.close()
            self.feeder.wait()
            self.feeder = None

    def __exit__(self, *_):
        self.finish()
        for file in self.opened:
            file.close()
