#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""kmod/patches are patches as one could post them, and both series do the same to KVM.

    form.py SOURCE
"""

import pathlib
import re
import subprocess
import sys

PATCHES = pathlib.Path(sys.argv[1]).resolve() / 'kmod' / 'patches'
CODE = 'arch/x86/kvm/x86.c'
WIDTH = 75      # of a message, as checkpatch has it


def complain(path, what):
    """The first thing wrong ends it."""
    sys.exit(f'FAILED {path.relative_to(PATCHES)}: {what}')


def parts(path):
    """The message, and {file: its hunks}."""
    text = path.read_text(encoding='utf-8')
    message, _, rest = text.partition('\n---\n')
    found = re.findall(r'^diff --git a/(\S+) b/\1\n(.*?)(?=^diff --git |\Z)', rest, re.M | re.S)
    return message, dict(found)


def check_message(path, message):
    """Headers that git am reads, lines that fit, the mark of who answers for it."""
    head, _, body = message.partition('\n\n')
    for header in ('From', 'Date', 'Subject'):
        if not re.search(rf'^{header}: \S', head, re.M):
            complain(path, f'no "{header}:"')
    if not re.search(r'^Signed-off-by: .+ <.+@.+>$', body, re.M):
        complain(path, 'no "Signed-off-by:"')
    for line in body.splitlines():
        if len(line) > WIDTH and not line.startswith('Signed-off-by: '):
            complain(path, f'longer than {WIDTH}: {line}')


def check_whole(path):
    """Every hunk has as many lines as it says."""
    done = subprocess.run(['git', 'apply', '--numstat', path], capture_output=True, text=True,
                          check=False, cwd='/')  # inside a tree git looks at that alone
    if done.returncode or not done.stdout:
        complain(path, done.stderr.strip() or 'changes nothing')


def added(hunks):
    """What a patch adds, without where."""
    return [line for line in hunks.splitlines() if line.startswith('+') and line[:3] != '+++']


def taken(hunks):
    """And what it takes away."""
    return [line for line in hunks.splitlines() if line.startswith('-') and line[:3] != '---']


def main():
    """All patches, then the two that change code."""
    code = {}
    for path in sorted(PATCHES.glob('*/*.patch')):
        message, files = parts(path)
        check_message(path, message)
        check_whole(path)
        if CODE in files:
            code[path.parent.name] = added(files[CODE])
            if taken(files[CODE]):
                complain(path, f'takes something away from {CODE}')
    if sorted(code) != ['current', 'strict']:
        sys.exit(f'FAILED expected one patch of {CODE} in current and in strict, got {code.keys()}')
    if code['current'] != code['strict'] or len(code['current']) < 20:
        sys.exit('FAILED the two series do not do the same to KVM')
    print(f'ok {len(code["current"])} lines, the same in both series')
    return 0


if __name__ == '__main__':
    sys.exit(main())
