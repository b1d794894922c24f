# SPDX-License-Identifier: LGPL-2.1-or-later
"""How a target is run for a while: by libFuzzer, and by AFL++ as a second opinion.

Each engine has `build`, which gives a program of its own for the next build not to change, and
`turn`, which runs it until it has had its CPU seconds. Time is what the kernel has counted for the
fuzzer and all it has started, whatever else the machine did meanwhile.
"""

import collections
import ctypes
import hashlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

CACHE = pathlib.Path(os.environ.get('XDG_CACHE_HOME') or pathlib.Path.home() / '.cache')
PLACE = CACHE / 'xferry' / 'fuzz'
SOURCE, CORPUS = PLACE / 'source', PLACE / 'corpus'
GROWN = 1.5  # times the size at which a corpus is shrunk
SMALL = 200  # files, of which none is shrunk
SLOW = 120   # seconds, for a busy machine makes any input slow by the clock

Made = collections.namedtuple('Made', 'program options places')
Outcome = collections.namedtuple('Outcome', 'cpu runs edges')


def lowly():
    """A child makes way for all else, and ends when this does."""
    os.nice(19)
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def compile_target(target, engine, build):
    """What fuzz/build makes of SOURCE."""
    env = os.environ | {'BUILD': str(build), 'ENGINE': engine}
    subprocess.run(['fuzz/build', target], cwd=SOURCE, env=env, preexec_fn=lowly, check=True,
                   text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    program = PLACE / 'programs' / f'{engine}-{target}'
    program.parent.mkdir(exist_ok=True)
    program.unlink(missing_ok=True)
    shutil.copy2(build / f'fuzz-{target}', program)
    args = (build / f'fuzz-{target}.args').read_text().splitlines()
    return Made(program, [arg for arg in args if arg.startswith('-')],
                [str(SOURCE / arg) for arg in args if not arg.startswith('-')])


def stats():
    """Of each process its parent, and its CPU time with that of those it has waited for."""
    for stat in pathlib.Path('/proc').glob('[0-9]*/stat'):
        try:
            words = stat.read_text().rpartition(')')[2].split()
        except OSError:
            continue
        yield int(stat.parent.name), int(words[1]), sum(map(int, words[11:15]))


def family_seconds(pid):
    """CPU time so far of a process and all below it: AFL++'s have sessions of their own."""
    parents, ticks = {}, {}
    for child, parent, taken in stats():
        parents[child], ticks[child] = parent, taken
    total = 0
    for child, taken in ticks.items():
        above = child
        while above and above != pid:
            above = parents.get(above)
        total += taken if above == pid else 0
    return total / os.sysconf('SC_CLK_TCK')


def run(command, log, seconds, stopping, gently, **options):
    """Runs a fuzzer until it ends, or is told to, after its CPU seconds; returns what it took."""
    taken = 0
    with log.open('w') as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, preexec_fn=lowly,
                                   cwd=PLACE, **options)
    while True:
        pid, _, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = 0  # it is waited for
            return max(taken, usage.ru_utime + usage.ru_stime)
        taken = max(taken, family_seconds(process.pid))
        if stopping.is_set() or taken >= seconds:
            process.send_signal(gently)
        time.sleep(3)


def number(pattern, text):
    found = re.findall(pattern, text)
    return int(found[-1]) if found else 0


def log_of(engine, target):
    log = PLACE / 'logs' / f'{engine}-{target}'
    log.parent.mkdir(exist_ok=True)
    return log


class LibFuzzer:
    """In this process, mutated with what the target knows of its input."""

    name = 'libfuzzer'

    @staticmethod
    def is_there():
        return shutil.which('clang')

    def build(self, target):
        return compile_target(target, self.name, PLACE / 'build')

    def turn(self, target, made, finds, seconds, stopping):
        corpus = CORPUS / target
        corpus.mkdir(parents=True, exist_ok=True)
        self.shrink(target, made)
        log = log_of(self.name, target)
        cpu = run([made.program, *made.options, f'-timeout={SLOW}', f'-report_slow_units={SLOW}',
                   '-print_final_stats=1', '-reload=0',
                   # Comparisons count as well every other time: slower, and another way in.
                   f'-use_value_profile={int(time.time()) % 2}',
                   f'-artifact_prefix={finds}/', corpus, *made.places],
                  log, seconds, stopping, signal.SIGUSR1)
        text = log.read_text(errors='replace')
        runs = (number(r'stat::number_of_executed_units:\s+(\d+)', text) or
                number(r'(?m)^#(\d+)', text))
        return Outcome(cpu, runs, number(r' cov: (\d+)', text))

    def shrink(self, target, made):
        """Leaves of a corpus that has grown what is needed for what it reaches."""
        corpus, less = CORPUS / target, CORPUS / f'.{target}'
        count = PLACE / 'shrunk' / target
        count.parent.mkdir(exist_ok=True)
        size = sum(1 for _ in corpus.iterdir())
        if size < SMALL or (count.exists() and size < GROWN * int(count.read_text())):
            return
        shutil.rmtree(less, ignore_errors=True)
        less.mkdir()
        if merge(made, less, [corpus]) and any(less.iterdir()):
            shutil.rmtree(corpus)
            less.rename(corpus)
            count.write_text(str(sum(1 for _ in corpus.iterdir())))


def merge(made, into, places, *options):
    """Adds to a directory what of the others reaches more; whether that was done."""
    done = subprocess.run([made.program, *made.options, '-merge=1', f'-timeout={SLOW}', *options,
                           into, *places], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          preexec_fn=lowly, check=False)
    return done.returncode == 0


class AflPlusPlus:
    """The same function, by another's mutations and another's measure of what is new."""

    name = 'afl'

    @staticmethod
    def is_there():
        return shutil.which('afl-fuzz') and shutil.which('afl-clang-fast')

    def build(self, target):
        return compile_target(target, self.name, PLACE / 'build-afl')

    def gather(self, target, made):
        """What it starts from: all that libFuzzer has come to."""
        start = PLACE / 'afl' / f'{target}.start'
        shutil.rmtree(start, ignore_errors=True)
        start.mkdir(parents=True)
        for place in [CORPUS / target, *map(pathlib.Path, made.places)]:
            for path in place.glob('*'):
                data = path.read_bytes()
                if data:
                    (start / hashlib.sha1(data).hexdigest()).write_bytes(data)
        return start

    def turn(self, target, made, finds, seconds, stopping):
        start, out = self.gather(target, made), PLACE / 'afl' / target
        shutil.rmtree(out, ignore_errors=True)
        env = os.environ | {'AFL_NO_UI': '1', 'AFL_SKIP_CPUFREQ': '1', 'AFL_NO_AFFINITY': '1',
                            'AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES': '1',
                            'AFL_SKIP_CRASHES': '1', 'AFL_FORKSRV_INIT_TMOUT': '100000'}
        cpu = run(['afl-fuzz', '-i', start, '-o', out, '-m', 'none', '-t', f'{SLOW * 1000}', '--',
                   made.program], log_of(self.name, target), seconds, stopping, signal.SIGINT,
                  env=env)
        stats = out / 'default' / 'fuzzer_stats'
        text = stats.read_text() if stats.exists() else ''
        self.hand_over(target, out / 'default', finds)
        return Outcome(cpu, number(r'execs_done\s*: (\d+)', text),
                       number(r'edges_found\s*: (\d+)', text))

    def hand_over(self, target, out, finds):
        """What it has come to is libFuzzer's to start from; what it has found is a find."""
        corpus = CORPUS / target
        corpus.mkdir(parents=True, exist_ok=True)
        for pattern, place, prefix in [('queue/id:*,op:*', corpus, ''),
                                       ('crashes/id:*', finds, 'crash-'),
                                       ('hangs/id:*', finds, 'timeout-')]:
            for path in out.glob(pattern):
                data = path.read_bytes()
                (place / (prefix + hashlib.sha1(data).hexdigest())).write_bytes(data)
