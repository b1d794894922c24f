# SPDX-License-Identifier: LGPL-2.1-or-later
"""Files that two labs may want at once: held while one uses them, replaced as a whole."""

import contextlib
import fcntl
import os

from pathlib import Path


@contextlib.contextmanager
def held(path):
    """A file or directory that is there, held: whoever else wants it waits."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def replace(path, text):
    """Writes a file beside its place, then puts it there: it is never seen half written."""
    part = Path(path).with_name(f'.{Path(path).name}.part')
    try:
        part.write_text(text, encoding='utf-8')
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
