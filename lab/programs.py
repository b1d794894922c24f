# SPDX-License-Identifier: LGPL-2.1-or-later
"""The programs that go into a cell, and the presets' profiles, out of a build of the tree."""

import json

from pathlib import Path

from lab import process
from lab.errors import LabError

# Targets of the build, and the names the lab has for them.
TARGETS = {'xferry': 'cli/xferry-static', 'differ': 'lab/differ',
           'contract': 'lab/contract', 'init': 'lab/init',
           'preset-json': 'lab/preset-json'}


class Programs:
    """Programs of one build directory."""

    def __init__(self, build):
        self.build = Path(build)

    def make(self):
        """Builds what is out of date."""
        if not (self.build / 'build.ninja').exists():
            raise LabError(f'{self.build}: not a build directory; make one: '
                           f'meson setup {self.build}')
        done = process.ask(['ninja', '-C', self.build, *TARGETS.values()])
        if done.returncode:
            raise LabError(f'{self.build}: does not build: '
                           f'{process.last_line(done)}')

    def check(self):
        """That all are there, before anything takes long."""
        for name in TARGETS:
            self.path(name)

    def path(self, name):
        """The file of a program."""
        path = self.build / TARGETS[name]
        if not path.is_file():
            raise LabError(f'{path} is not there; make it: ninja -C {self.build} {TARGETS[name]}')
        return path

    def preset(self, name):
        """The profile of a preset."""
        done = process.ask([self.path('preset-json'), name])
        if done.returncode:
            raise LabError(done.stderr.strip())
        return json.loads(done.stdout)
