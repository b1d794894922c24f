#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real QEMU while what the guard calls fails for ever.

    qemu-faults.py XFERRY GUARD FAIL

Whatever fails, QEMU does one of two things, to the last ioctl: what it does without the
guard with the stream as it is, or what it does with the repaired stream.
"""

import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from faults import WRAPPED  # noqa: E402
from incoming import run  # noqa: E402
from same import SKIP, environment, make_streams, repair, same, set_up  # noqa: E402


def counted(path):
    """The functions that the guard called for itself, not for QEMU."""
    return sorted({line.split()[0] for line in path.read_text().splitlines()} - WRAPPED)


def is_same(seen, bare):
    """None, or where QEMU did something else."""
    try:
        same(seen, bare, seen.taken)
    except AssertionError as error:
        return str(error)
    return None


def try_fault(setup, stream, name, leaky, repaired):
    """One function fails for ever; whether the guard did its work nevertheless."""
    settings = environment(setup, 'trim', '{guard}:{second}')
    settings.update(FAIL=name, FAIL_BY='guard', FAIL_AT='1', FAIL_EVER='1')
    seen = run(setup.qemu, stream, settings)
    differs = is_same(seen, repaired)
    if not differs:
        return True
    kept_out = is_same(seen, leaky)
    assert not kept_out, (name, differs, kept_out)
    return False


def main():
    setup = set_up()
    if not setup:
        return SKIP
    with tempfile.TemporaryDirectory() as name:
        place = pathlib.Path(name)
        stream = make_streams(setup, place)[1]
        leaky = run(setup.qemu, stream, {})
        repaired = run(setup.qemu, repair(setup, stream, place), {})
        counts = place / 'counts'
        settings = environment(setup, 'trim', '{guard}:{second}')
        same(run(setup.qemu, stream, {**settings, 'FAIL_BY': 'guard', 'FAIL_COUNTS': str(counts)}),
             repaired, stream.vcpus)
        names = counted(counts)
        assert 'ioctl' in names and 'dlsym' in names, names
        worked = [name for name in names if try_fault(setup, stream, name, leaky, repaired)]
    print('fails, and the guard does its work:', *worked)
    print('fails, and the guard keeps out of the way:', *sorted(set(names) - set(worked)))
    # Without knowing what was shown, nothing is dropped.
    assert 'ioctl' not in worked
    return 0


if __name__ == '__main__':
    sys.exit(main())
