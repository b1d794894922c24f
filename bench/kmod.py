#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the kernel module costs KVM_SET_XSAVE and KVM_GET_XSAVE, in machines of the lab.

usage: kmod.py SOURCE BUILD [KERNEL…]

QEMU's emulation has no time of its own: how long a call takes there says how QEMU is
made. But it can count instructions, and their number is a property of the code. So
each kernel is measured twice: in instructions (exact, the same on any machine), and
in this machine's time beside them. An instruction count knows nothing of what an
exception costs a real CPU: see docs/measurements.md.
"""

import sys

from pathlib import Path

SOURCE, BUILD = (Path(word).resolve() for word in sys.argv[1:3])
sys.dont_write_bytecode = True
sys.path.insert(0, str(SOURCE))

from lab import guest, kernels, matrix, module, process, programs  # noqa: E402
from lab.errors import EXPECTED, LabError, one_line  # noqa: E402
from lab.held import held  # noqa: E402

KERNELS = ('leaky', 'debian-6.1', 'debian-7.2')
CPU = 'pku'
COUNTED = {'accel': 'tcg,thread=single', 'more': ('-icount', 'shift=0,sleep=off')}
TIMED = {}
LIMIT = 600


def measure(data, built, name, how):
    """The lines of one machine."""
    kernel = kernels.get(data, name)
    ko = module.get(data, kernel)
    place = BUILD / 'lab' / 'bench-kmod' / name
    place.mkdir(parents=True, exist_ok=True)
    with held(place):
        report = guest.run(kernel, data.cpu(CPU), place, built,
                           [('bench', '/bench-kmod /lab/xferry.ko')], limit=LIMIT,
                           files={'bench-kmod': BUILD / 'bench' / 'bench-kmod',
                                  'lab/xferry.ko': ko}, **how)
    text, end = report.output('bench') or ('', 'did not end')
    if end != 'exit 0':
        raise LabError(f'{name}: {end}; console kept in {place / "console"}')
    return text.strip().splitlines()


def main():
    """Prints a table a kernel."""
    process.end_on_signals()
    try:
        data, built = matrix.load(), programs.Programs(BUILD)
        for name in sys.argv[3:] or KERNELS:
            for what, how in (('instructions', COUNTED), ('time of the emulation', TIMED)):
                print(f'# {name}, {what}: median; ratio to without: median, least, most',
                      flush=True)
                print('\n'.join(measure(data, built, name, how)), flush=True)
    except EXPECTED as error:
        print(one_line(error), file=sys.stderr)
        return 8
    return 0


if __name__ == '__main__':
    sys.exit(main())
