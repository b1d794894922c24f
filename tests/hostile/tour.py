# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every verb of the command, in whatever environment it is started.

A tour runs a list of commands in a directory that is made anew for it, and keeps what each told,
its status, and what is in the files at the end. Two tours can be held against each other.
"""

import dataclasses
import hashlib
import os
import pathlib
import shutil
import stat
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(os.environ['SOURCE'])
XFERRY = os.environ['XFERRY']
SAMPLES = SOURCE / 'tests/samples'
# Tours are about what is told and done, not about disks: those may be slow.
MEMORY = '/dev/shm' if os.access('/dev/shm', os.W_OK) else None
SANITIZED = '-fsanitize' in os.environ.get('FLAGS', '')

REPAIRED, FINDINGS, ERROR, USAGE, FORMAT = 1, 4, 8, 16, 64
SKIPPED = 77

GUEST = '--cpu qemu64'
TARGET = f'{GUEST} --to preset:linux-6.2,-pku'
# A word with '@' is a file of the stage; behind '<' and '>' are standard input and output.
RUNS = f"""
--version
--help
check --help
explain
explain XF101 pkru XTILECFG zmm_hi256 HI16_zmm linux-6.2
check {TARGET} @vm
check --json {TARGET} @vm @two @clean
check {TARGET} --jobs 2 @tree
check --json {TARGET} --jobs 2 @tree
check {TARGET} @lzop
check {TARGET} @zstd
check --json {TARGET} @qcow2#a
check --json --exposed XTILECFG,Hi16_ZMM,PKRU,BNDREGS @vm
check --json --cpu Skylake-Client-v1,-AVX512F,+PKU,pcid=on @vm
check --json --to @profile @vm
check {TARGET} @nowhere
check {TARGET} @tree/letter
check --bogus
check {TARGET} - < @vm
route @vm {GUEST} preset:pve-7 preset:linux-6.6
route --json 0x207 {GUEST} preset:pve-7 preset:linux-6.6
fix {TARGET} -o @copy @vm
fix --json {TARGET} -o @copy2 @two
fix {TARGET} -o @lzop-copy @lzop
fix {TARGET} -o @zstd-copy @zstd
fix {TARGET} --in-place @clean
fix {TARGET} --in-place @vm
undo @vm.xfundo
fix {TARGET} --in-place @qcow2#a
undo @qcow2#a.xfundo
fix {TARGET} --in-place @lzop
undo @lzop.xfundo
filter {TARGET} < @two > @passed
filter {TARGET} < @clean > @passed-clean
filter {TARGET} < @tree/letter > @passed-letter
probe --bogus
"""


def require(true, text):
    """An assertion that no option of Python's takes out."""
    if not true:
        raise AssertionError(text)


@dataclasses.dataclass
class Manner:
    """How the command is started: what is other than usual."""
    name: str
    env: dict = None            # the whole environment
    child: callable = None      # called in the child, before the command is
    argv0: bytes = b'xferry'
    cwd: str = None
    absolute: bool = False      # files are named by absolute paths
    stdin: int = subprocess.DEVNULL
    stdout: int = subprocess.PIPE
    stderr: int = subprocess.PIPE


@dataclasses.dataclass
class Said:
    """What one run said."""
    words: str
    status: int
    out: bytes
    err: bytes


def content(path):
    """What is compared of a file: all; of what lzop has packed, without the time of that."""
    data = path.read_bytes()
    if path.name != 'lzop-copy':
        return data
    at = data.index(b'\x89LZO')
    return data[:at] + subprocess.run(['lzop', '-dc'], input=data[at:], check=True,
                                      capture_output=True).stdout


class Tour:
    """What all runs said, and the files that there were in the end, as name: (mode, hash)."""

    def __init__(self, said, files):
        self.said = said
        self.files = files


class Stage:
    """The files that tours begin with, and where they are made."""

    def __init__(self):
        self.place = pathlib.Path(tempfile.mkdtemp(prefix='xferry-tour.', dir=MEMORY))
        self.stage = self.place / 'stage'
        self.play = self.place / 'play'
        self.stage.mkdir()
        self._make()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.place)

    def _generate(self, script, *words):
        subprocess.run([sys.executable, SOURCE / 'tests/formats' / script, *words], check=True)

    def _make(self):
        stage = self.stage
        (stage / 'tree/deep').mkdir(parents=True)
        for name, sample in (('vm', 'leaky-pc-qemu64'), ('two', 'leaky-q35-qemu64-smp2'),
                             ('clean', 'clean-pc-qemu64'), ('tree/leaky', 'leaky-pc-qemu64'),
                             ('tree/deep/clean', 'clean-pc-qemu64')):
            (stage / name).write_bytes((SAMPLES / f'{sample}.qevm').read_bytes())
        (stage / 'vm').chmod(0o640)
        (stage / 'tree/letter').write_text('a letter')
        (stage / 'profile').write_bytes((SOURCE / 'tests/host/data/epyc.json').read_bytes())
        for name in ('lzop', 'zstd'):
            require(shutil.which(name), f'{name} is not installed')
            self._generate('libvirt.py', 'make', stage / name, stage / 'vm', '--pack', name)
        self._generate('qcow2.py', 'make', stage / 'qcow2', f'--state=a={stage / "vm"}')

    def fresh(self):
        """The directory of the tours, as they begin."""
        if self.play.exists():
            shutil.rmtree(self.play)
        shutil.copytree(self.stage, self.play)

    def files(self):
        """What is in it now."""
        found = {}
        for path in sorted(self.play.rglob('*')):
            if path.is_file():
                digest = hashlib.sha256(content(path)).hexdigest()
                found[str(path.relative_to(self.play))] = (stat.S_IMODE(path.stat().st_mode),
                                                           digest)
        return found

    def run(self, line, manner):
        """One run in this manner. Its files are those of the play."""
        words = [f'{self.play}/{word[1:]}' if manner.absolute and word.startswith('@')
                 else word.removeprefix('@') for word in line.split()]
        ends = {'<': manner.stdin, '>': manner.stdout}
        opened = []
        while len(words) > 2 and words[-2] in '<>':
            flags = os.O_RDONLY if words[-2] == '<' else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            opened.append(os.open(self.play / words[-1], flags, 0o600))
            ends[words[-2]] = opened[-1]
            del words[-2:]
        done = subprocess.run(
            [manner.argv0, *words], executable=XFERRY, check=False, stdin=ends['<'],
            stdout=ends['>'], stderr=manner.stderr, cwd=manner.cwd or self.play,
            env=manner.env, preexec_fn=manner.child, restore_signals=False, timeout=120)
        for fd in opened:
            os.close(fd)
        return Said(line, done.returncode, done.stdout or b'', done.stderr or b'')

    def tour(self, manner, runs=RUNS):
        """All runs, one after the other."""
        self.fresh()
        said = [self.run(line, manner) for line in runs.strip().split('\n')]
        return Tour(said, self.files())


def hold_line(said, how):
    """An error is one line, and none that steers a terminal."""
    require(said.err.count(b'\n') == 1 and said.err.endswith(b'\n'),
            f'{how}: xferry {said.words}: not one line on stderr: {said.err[:300]!r}')
    require(said.err.startswith(b'xferry'), f'{how}: xferry {said.words}: {said.err!r}')
    require(all(byte >= 32 or byte == 10 for byte in said.err),
            f'{how}: xferry {said.words}: control characters: {said.err!r}')


def same(expected, got, how, skip=lambda words: False):
    """Holds a tour against another: it is the same."""
    for one, other in zip(expected.said, got.said):
        if skip(one.words):
            continue
        for part in ('status', 'out', 'err'):
            require(getattr(one, part) == getattr(other, part),
                    f'{how}: xferry {one.words}: {part}: {getattr(other, part)!r}\n'
                    f'expected {getattr(one, part)!r}\nstderr {other.err!r}')
    hold_files(expected, got, how)
    print(f'ok {how}: {len(got.said)} runs, {len(got.files)} files')


def hold_files(expected, got, how):
    """The files of two tours are the same."""
    names = set(expected.files) | set(got.files)
    other = [f'{name}: {expected.files.get(name)}, {got.files.get(name)}'
             for name in sorted(names) if expected.files.get(name) != got.files.get(name)]
    require(not other, f'{how}: other files (expected, got): ' + '; '.join(other))


def require_normal(tour):
    """The tour that others are held against is itself what it should be."""
    status = {said.words.replace(TARGET, 'G'): said.status for said in tour.said}
    for words, due in (('check G @vm', FINDINGS), ('check G @lzop', FINDINGS),
                       ('check G @nowhere', ERROR), ('check --bogus', USAGE),
                       ('fix G -o @zstd-copy @zstd', REPAIRED), ('undo @lzop.xfundo', 0),
                       ('undo @vm.xfundo', 0), ('undo @qcow2#a.xfundo', 0),
                       ('filter G < @two > @passed', REPAIRED), ('--version', 0),
                       ('check G - < @vm', FINDINGS), ('explain', 0),
                       ('explain XF101 pkru XTILECFG zmm_hi256 HI16_zmm linux-6.2', 0),
                       ('check --json --to @profile @vm', FINDINGS)):
        require(status[words] == due, f'xferry {words}: status {status[words]}, expected {due}: '
                + str([s for s in tour.said if s.words.replace(TARGET, 'G') == words]))
