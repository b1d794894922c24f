# SPDX-License-Identifier: LGPL-2.1-or-later
"""The maker of mutants, held against a small file: which it makes, and who kills them.

    self.py COMPILER...

A test that says nothing of one limit must be found out: the mutants there survive it, and all
others die. So a figure of script/mutants is one of the tests, not of the maker.
"""
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import mutate

HERE = Path(__file__).resolve().parent

SMALL = '''\
#include <stddef.h>
/* a < b in a comment */
static const char *const text = "a < b";
static const int table[] = { 1, 2 };
#define LIMIT 10
#define TWICE(x) ((x) + (x))
int clamp(int value, int *out);
int clamp(int value, int *out)
{
	if (!out)
		return -1;
	if (value >= LIMIT || value < 0)
		return (int)sizeof(text[0]) - table[0] + 7;
	*out = TWICE(value & 3);
	return 0;
}
'''

EXPECTED = {
    'if ([!out → 1])', 'if ([!out → 0])', 'if ([!out → !!out])',
    'return [-1 → 0];', 'return -[1 → (1 + 1)];', 'return -[1 → (1 - 1)];',
    'if ([value >= LIMIT || value < 0 → 1])', 'if ([value >= LIMIT || value < 0 → 0])',
    'if (value >= LIMIT [|| → &&] value < 0)',
    'if ([value >= LIMIT → 0] || value < 0)', 'if (value >= LIMIT || [value < 0 → 0])',
    'if (value [>= → >] LIMIT || value < 0)', 'if (value [>= → <] LIMIT || value < 0)',
    'if (value >= LIMIT || value [< → <=] 0)', 'if (value >= LIMIT || value [< → >=] 0)',
    'if (value >= [LIMIT → 0] || value < 0)', 'if (value >= [LIMIT → (LIMIT + 1)] || value < 0)',
    'if (value >= LIMIT || value < [0 → (0 + 1)])',
    'return [(int)sizeof(text[0]) - table[0] + 7 → 0];',
    'return (int)sizeof(text[0]) - table[0] [+ → -] 7;',
    'return (int)sizeof(text[0]) [- → +] table[0] + 7;',
    'return (int)sizeof(text[0]) - table[[0 → (0 + 1)]] + 7;',
    'return (int)sizeof(text[0]) - table[0] + [7 → (7 + 1)];',
    'return (int)sizeof(text[0]) - table[0] + [7 → (7 - 1)];',
    '[*out = TWICE(value & 3); → ;]',
    '*out = TWICE(value [& → |] 3);',
    '*out = TWICE(value & [3 → (3 + 1)]);', '*out = TWICE(value & [3 → (3 - 1)]);',
    'return [0 → (0 + 1)];',
}

# What the weak test does not ask: the upper limit, exactly.
UNASKED = {
    'if (value [>= → >] LIMIT || value < 0)',
    'if (value >= [LIMIT → (LIMIT + 1)] || value < 0)',
}

WEAK = '''\
#include <stddef.h>
int clamp(int value, int *out);
static int fails(int value, int due, int due_out)
{
	int out = 77;

	return clamp(value, &out) != due || out != due_out;
}
int main(void)
{
	return clamp(5, NULL) != -1 || fails(7, 0, 6) || fails(6, 0, 4) || fails(0, 0, 0) ||
	       fails(9, 0, 2) || fails(11, 7, 77) || fails(-1, 7, 77);
}
'''
STRONG = WEAK.replace('fails(9, 0, 2)', 'fails(9, 0, 2) || fails(10, 7, 77)')


def made():
    """The small file's mutants, each under its own line."""
    with tempfile.TemporaryDirectory() as place:
        Path(place, 'small.c').write_text(SMALL, encoding='utf-8')
        mutants = mutate.mutants_of('small.c', SMALL, [], place)
    for number, mutant in enumerate(mutants, 1):
        mutant.number = number
    return {mutate.describe(mutant, SMALL): mutant for mutant in mutants}


def survivors(compiler, mutants, test):
    """Who lives through a test; the original must."""
    with tempfile.TemporaryDirectory() as place:
        Path(place, 'small.c').write_text(mutate.render(SMALL, list(mutants.values())),
                                          encoding='utf-8')
        Path(place, 'test.c').write_text(test, encoding='utf-8')
        subprocess.run([*compiler, '-w', '-O1', '-include', HERE / 'mutants.h', 'small.c',
                        'test.c', '-o', 'test'], cwd=place, check=True)

        def passes(number):
            return subprocess.run([Path(place, 'test')], check=False,
                                  env={**os.environ, 'XF_MUTANT': str(number)}).returncode == 0

        if not passes(0):
            sys.exit('the test fails of no mutant at all')
        return {name for name, mutant in mutants.items() if passes(mutant.number)}


def differ(what, got, due):
    """Prints how two sets differ; whether they do."""
    for name in sorted(got - due):
        print(f'{what}: not expected: {name}')
    for name in sorted(due - got):
        print(f'{what}: missing: {name}')
    return got != due


def main():
    """0: as expected."""
    mutants = made()
    wrong = differ('made', set(mutants), EXPECTED)
    wrong |= differ('alive after the weak test', survivors(sys.argv[1:], mutants, WEAK), UNASKED)
    wrong |= differ('alive after the strong test', survivors(sys.argv[1:], mutants, STRONG), set())
    # Each alone is what is compiled for the comparison of objects.
    for mutant in mutants.values():
        wrong |= mutant.applied(SMALL) == SMALL
    print(f'{len(mutants)} mutants')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
