# SPDX-License-Identifier: LGPL-2.1-or-later
"""Adds up what gcov counted of core/: lines, branches, and conditions as MC/DC has them.

    conditions.py COUNTED       what gcov --json-format --conditions said, one object a file

gcov tells of each line how many outcomes of its conditions there are and how many were seen
to decide: two for every operand. What a header has inline is counted once, whoever used it.
"""
import json
import sys


def merge(counted):
    """(file, line) → [runs, branches' runs, outcomes, outcomes seen] of all that used it."""
    lines = {}
    for text in counted:
        for file in json.loads(text)['files']:
            if not file['file'].startswith('core/'):
                continue
            for line in file['lines']:
                branches = [b['count'] for b in line['branches']]
                key = (file['file'], line['line_number'], line.get('function_name'))
                old = lines.setdefault(key, [0, [0] * len(branches), {}])
                old[0] += line['count']
                old[1] = [a + b for a, b in zip(old[1], branches)]
                for place, condition in enumerate(line['conditions']):
                    missing = {(place, i, False) for i in condition['not_covered_false']} | \
                              {(place, i, True) for i in condition['not_covered_true']}
                    count, unseen = old[2].get(place, (condition['count'], missing))
                    old[2][place] = count, unseen & missing
    return lines


def main():
    """0 when all of it was run, taken and decided."""
    with open(sys.argv[1], encoding='utf-8') as file:
        lines = merge(file)
    run = sum(1 for runs, _, _ in lines.values() if runs)
    branches = [b for _, counts, _ in lines.values() for b in counts]
    conditions = [c for _, _, found in lines.values() for c in found.values()]
    outcomes = sum(count for count, _ in conditions)
    decided = outcomes - sum(len(unseen) for _, unseen in conditions)
    for (file, line, function), (runs, counts, found) in sorted(lines.items()):
        if not runs:
            print(f'{file}:{line}: never run ({function})')
        elif not all(counts):
            print(f'{file}:{line}: {counts.count(0)} of {len(counts)} branches never taken')
        for _, unseen in found.values():
            for _, operand, value in sorted(unseen):
                print(f'{file}:{line}: operand {operand} never decided by being '
                      f'{"true" if value else "false"}')
    taken = sum(1 for b in branches if b)
    print(f'core/: lines {run}/{len(lines)}, branches {taken}/{len(branches)}, '
          f'outcomes of conditions {decided}/{outcomes}')
    return 0 if lines and run == len(lines) and taken == len(branches) and \
        outcomes and decided == outcomes else 4


if __name__ == '__main__':
    sys.exit(main())
