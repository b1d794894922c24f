#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The module under torture: one machine, its scenes one after another, then the kernel's log.

usage: run.py SOURCE BUILD PLAN [KERNEL…]

A plan passes when every scene does (torture.c tells what they are), when the machine
ends by itself, and when nothing in the kernel's log reports a fault of the kernel.
What was counted is printed. What the consoles said is kept in BUILD/lab/torture/.
"""

import dataclasses
import re
import sys

from pathlib import Path

SOURCE, BUILD = (Path(word).resolve() for word in sys.argv[1:3])
sys.dont_write_bytecode = True
sys.path.insert(0, str(SOURCE))

from lab import guest, kernels, matrix, module, process, programs, splats  # noqa: E402
from lab.errors import EXPECTED, LabError, one_line  # noqa: E402
from lab.held import held  # noqa: E402

CPUS = 4  # of the machine: calls are inside on some while another one unloads
# Each report of a warning ends the machine, so that none is followed by more. A busy
# machine holds a CPU of this one still for longer than the 21 s after which RCU complains.
WORDS = 'panic_on_warn=1 log_buf_len=8M rcupdate.rcu_cpu_stall_timeout=240'
COMMON = '--profile /lab/out/probe --module /lab/xferry.ko --twin /lab/xferrz.ko'
# CPUs in turns: on QEMU 7.2, code that is changed under a CPU that runs is missed.
IN_TURNS = 'tcg,thread=single'
AT_ONCE = 'tcg,thread=multi'


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is done on which kernels and CPU."""
    kernels: tuple
    cpu: str
    scenes: tuple
    accel: str
    limit: int          # seconds
    words: str = ''
    known: str = ''     # warnings that are the kernel's own, by the place they name


ALL = ('ride', 'bad', 'twice', 'muted')
PLANS = {
    # In a boot: all that needs no other kernel, each as short as it can be and still tell.
    'quick': Plan(('leaky',), 'nopku', (
        'ride --states 480', 'bad', 'twice', 'hostile --states 480 --rounds 80',
        'churn --rounds 25 --flips', 'leaks --rounds 20'), IN_TURNS, 900),
    # The same kernel has no debugfs, tracepoint or switch: here they are.
    'quick-debian': Plan(('debian-6.1',), 'nopku', (
        'muted', 'twice', 'churn --rounds 8 --flips'), IN_TURNS, 900),
    'refused': Plan(('renamed',), 'nopku', ('refused',), IN_TURNS, 600),
    'foreign': Plan(('foreign-front', 'foreign-middle', 'foreign-back'), 'nopku',
                    ('foreign --states 1600',), IN_TURNS, 600),
    # 1,000 loads, on CPUs that run at once.
    'loads': Plan(('leaky',), 'nopku-qemu10', (
        'churn --rounds 1000 --states 100000', 'leaks --rounds 100'), AT_ONCE, 1500),
    'flips': Plan(('leaky',), 'pku-qemu10', (
        'churn --rounds 300 --flips --threads 3', 'churn --rounds 100 --threads 12'), AT_ONCE,
        1500),
    'states': Plan(('leaky',), 'pku-qemu10', (
        'ride --states 10000', 'hostile --states 100000 --rounds 2000'), AT_ONCE, 1500),
    # Kprobes that sit on ftrace, in a kernel as people have it.
    'debian': Plan(('debian-6.1',), 'nopku-qemu10', (
        *ALL, 'hostile --states 10000 --rounds 500', 'churn --rounds 100 --flips'), AT_ONCE, 1500),
    # A kernel that watches itself.
    'debug': Plan(('debug',), 'nopku-qemu10', (
        'churn --rounds 20 --flips --threads 3', 'leaks --rounds 10',
        'hostile --states 320 --rounds 40', 'ride --states 160', 'twice', 'muted'), AT_ONCE, 1500),
    # Each allocation of a load fails once. 6.1 warns when it has no memory for an event's
    # fields, before a module's own code is called, and then does without them.
    'starved': Plan(('debug',), 'nopku-qemu10', ('starved',), AT_ONCE, 1500, 'panic_on_warn=0',
                    r' at kernel/trace/trace_events\.c:|vmalloc error: '
                    '|page allocation failure: '),
}


def twin(ko):
    """The same module under another name, of the same length: so nothing in it moves."""
    data = ko.read_bytes()
    for old, new in ((b'name=xferry\0', b'name=xferrz\0'), (b'\0xferry\0', b'\0xferrz\0')):
        if old not in data:
            raise LabError(f'{ko}: its name is not where it is looked for')
        data = data.replace(old, new)
    return data


def lines(plan):
    """What init is to run, and how each is called in its report."""
    run = [('probe', '/xferry probe --json')]
    for number, scene in enumerate(plan.scenes):
        run.append((f'{number}-{scene.split()[0]}', f'/torture {scene} {COMMON}'))
    return [*run, ('kmsg', '/torture kmsg')]


def files(ko, place):
    """What goes into the machine beside what every machine has."""
    (place / 'xferrz.ko').write_bytes(twin(ko))
    return {'xferry': BUILD / 'cli' / 'xferry-static', 'torture': BUILD / 'tests' / 'kmod' /
            'torture' / 'torture', 'lab/xferry.ko': ko, 'lab/xferrz.ko': place / 'xferrz.ko'}


def complaints(report, console, run, known):
    """What was wrong, in lines."""
    for name, _ in run:
        got = report.output(name)
        if not got:
            yield f'{name} did not end'
        elif got[1] != 'exit 0':
            yield f'{name}: {got[1]}'
    log = (report.output('kmsg') or ('', ''))[0]
    if 'Linux version' not in log:
        yield 'the kernel\'s log is not whole'
    text = log + console
    for line in splats.find(splats.without(text, known) if known else text):
        yield f'the kernel reports: {line}'


def play(data, built, plan, name):
    """One kernel; what was wrong."""
    kernel = kernels.get(data, name)
    ko = module.get(data, kernel)
    run = lines(plan)
    place = BUILD / 'lab' / 'torture' / f'{name}@{plan.cpu}'
    place.mkdir(parents=True, exist_ok=True)
    with held(place):
        report = guest.run_any(kernel, data.cpu(plan.cpu), place, built, run,
                               files=files(ko, place), limit=plan.limit,
                               boot_limit=plan.limit, may_warn=bool(plan.known),
                               accel=plan.accel,
                               words=f'{WORDS} {plan.words}'.strip(), more=('-smp', str(CPUS)))
        console = (place / 'console').read_text(encoding='utf-8', errors='replace')
    for scene, _ in run[1:-1]:
        print((report.output(scene) or ('did not end', ''))[0].strip())
    said = re.findall(r'^(torture: .*)$', console.replace('\r', ''), re.M)
    return [*said, *complaints(report, console, run, plan.known)]


def main():
    """Plays the plan; 0 when nothing was wrong."""
    process.end_on_signals()
    plan = PLANS[sys.argv[3]]
    failed = False
    try:
        data = matrix.load()
        built = programs.Programs(BUILD)
        for name in sys.argv[4:] or plan.kernels:
            print(f'# {name} on {plan.cpu}', flush=True)
            for complaint in play(data, built, plan, name):
                print(f'FAILED: {name}: {complaint}')
                failed = True
    except EXPECTED as error:
        print(f'FAILED: {one_line(error)}')
        failed = True
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
