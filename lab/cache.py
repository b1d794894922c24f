# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where the lab keeps what it fetched and built: whole things under names that tell what they are.

A thing is made in a directory beside its place and renamed when it is whole, so a
kill leaves nothing half done that would be taken for whole. One at a time makes
things, of all labs and of all threads of each; those who only use them need no lock.
"""

import contextlib
import os
import shutil
import tempfile
import threading

from pathlib import Path

from lab.errors import LabError
from lab.held import held

_mine = threading.local()


def place():
    """The lab's part of the cache."""
    base = os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache')
    path = Path(base) / 'xferry' / 'kernels'
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LabError(f'{path}: {error.strerror}') from error
    return path


@contextlib.contextmanager
def locked(part=''):
    """Held by whoever makes something. What died while making is swept away.

    Who holds it may ask for it again: a kernel that is made may need an index. A part
    of the cache may have a lock of its own: what is quickly made there waits for
    nothing that takes minutes.
    """
    mine = _mine.__dict__.setdefault('held', set())
    if part in mine:
        yield
        return
    directory = place() / part
    directory.mkdir(exist_ok=True)
    lock = directory / 'lock'
    lock.touch()
    with held(lock):
        mine.add(part)
        try:
            for left in directory.glob('.making-*'):
                shutil.rmtree(left, ignore_errors=True)
            yield
        finally:
            mine.remove(part)


@contextlib.contextmanager
def making(path, part=''):
    """A directory to fill; it becomes `path` when the block ends without an error."""
    path = Path(path)
    made = Path(tempfile.mkdtemp(prefix='.making-', dir=place() / part))
    made.chmod(0o755)
    try:
        yield made
        if path.exists():
            shutil.rmtree(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        made.rename(path)
    finally:
        shutil.rmtree(made, ignore_errors=True)
