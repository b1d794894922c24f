# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where the lab keeps what it fetched and built: whole things under names that tell what they are.

A thing is made in a directory beside its place and renamed when it is whole, so a
kill leaves nothing half done that would be taken for whole. One process at a time
makes things; those who only use them need no lock.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile

from pathlib import Path

from lab.errors import LabError


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
def locked():
    """Held by whoever makes something. What died while making is swept away."""
    with open(place() / 'lock', 'w', encoding='ascii') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left in place().glob('.making-*'):
            shutil.rmtree(left, ignore_errors=True)
        yield


@contextlib.contextmanager
def making(path):
    """A directory to fill; it becomes `path` when the block ends without an error."""
    path = Path(path)
    made = Path(tempfile.mkdtemp(prefix='.making-', dir=place()))
    made.chmod(0o755)
    try:
        yield made
        if path.exists():
            shutil.rmtree(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        made.rename(path)
    finally:
        shutil.rmtree(made, ignore_errors=True)
