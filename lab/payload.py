# SPDX-License-Identifier: LGPL-2.1-or-later
"""The guest ROM of the stories: how it is built, and what its console says."""

import dataclasses
import pathlib
import re
import subprocess
import tempfile

SOURCE = pathlib.Path(__file__).with_name('payload.S')
SIZE = 65536
CONFIG = 0xffe0
SETS_PKE = 1

LETTERS = {'F': 'x87', 'S': 'sse', 'A': 'avx', 'P': 'pkru'}
OTHERS = {'p': 'pkru-at-reset', '!': 'exception'}


class PayloadError(Exception):
    """The ROM cannot be built."""


def build(config=0):
    """The ROM's bytes. It is assembled each time, which takes 30 ms."""
    with tempfile.TemporaryDirectory(prefix='xferry-') as place:
        obj, rom = f'{place}/payload.o', f'{place}/payload.rom'
        for command in (['as', '--32', '-o', obj, str(SOURCE)],
                        ['ld', '-m', 'elf_i386', '-Ttext=0', '--oformat', 'binary',
                         '-o', rom, obj]):
            try:
                done = subprocess.run(command, capture_output=True, text=True, check=False)
            except OSError as error:
                raise PayloadError(f'{command[0]}: {error.strerror} (binutils are needed)')
            if done.returncode:
                raise PayloadError(f'{SOURCE.name}: {done.stderr.strip()}')
        data = bytearray(pathlib.Path(rom).read_bytes())
    if len(data) != SIZE:
        raise PayloadError(f'{SOURCE.name}: {len(data)} bytes instead of {SIZE}')
    data[CONFIG] = config
    return bytes(data)


@dataclasses.dataclass
class Sight:
    """What the guest saw of itself, from some point of its console on."""

    text: str

    @property
    def lost(self):
        """The components it missed, in the order of XCR0, then what else went wrong."""
        return [name for letter, name in (LETTERS | OTHERS).items() if letter in self.text]

    @property
    def new_cpu(self):
        """Whether CPUID came to show it other features."""
        return 'c' in self.text

    @property
    def word(self):
        """intact, lost or silent."""
        if self.lost:
            return 'lost'
        return 'intact' if '.' in self.text else 'silent'

    def short(self):
        """The console, with what repeats told three times."""
        return re.sub(r'(.{1,4}?)\1{3,}', r'\1\1\1', self.text)[:24]
