#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Adds up meson's test logs: why each skipped test was skipped, then the one closing line."""

import json
import os
import sys

GOOD = {'OK', 'EXPECTEDFAIL'}


def reason(test):
    """The last thing a skipped test said."""
    said = (test.get('stdout') or '') + (test.get('stderr') or '')
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1] if lines else 'no reason given'


def main():
    passed = failed = skipped = 0
    for path in sys.argv[1:]:
        if not os.path.exists(path):
            failed += 1
            print(f'failed: {path}: the tests did not run')
            continue
        with open(path, encoding='utf-8') as log:
            for line in log:
                test = json.loads(line)
                if test['result'] == 'SKIP':
                    skipped += 1
                    print(f"skipped: {test['name']}: {reason(test)}")
                elif test['result'] in GOOD:
                    passed += 1
                else:
                    failed += 1
                    print(f"failed: {test['name']}: {test['result']}")
    tail = f', {skipped} skipped' if skipped else ''
    print(f'{passed} passed, {failed} failed{tail}')
    return 1 if failed or not passed else 0


if __name__ == '__main__':
    sys.exit(main())
