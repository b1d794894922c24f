# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a kernel's log says when something in the kernel is wrong.

	splats.find(text)       the lines that report it, without what follows each

Whatever the kernel checks of itself (lab/config-debug) ends in one of these lines.
tests/kmod/torture/splats.py holds them against what real kernels print.
"""

import re

PATTERNS = (
    r'WARNING:',                                 # WARN, lockdep, suspicious RCU usage
    r'\bBUG\b',                                  # BUG, KASAN, sleeping function, bad page
    r'\bOops\b', r'general protection fault', r'[Kk]ernel panic', r'invalid opcode',
    r'\bINFO: ',                                 # hung tasks, RCU stalls, lockdep is off
    r'detected stalls? on', r'soft lockup', r'hard LOCKUP',
    r'ODEBUG:', r'DEBUG_LOCKS_WARN_ON', r'list_(add|del) corruption', r'UBSAN:',
    r'kmemleak: \d+ new suspected', r'refcount_t:', r'stack-protector',
    r'Call Trace:', r'unable to handle', r'scheduling while atomic', r'inconsistent lock state',
    r'possible (circular|recursive) locking', r'Invalid wait context', r'\bcorrupt',
    r'probe_kernel|arm.*kprobe.*fail|Failed to (init|arm|disarm)',
)
ANY = re.compile('|'.join(f'(?:{pattern})' for pattern in PATTERNS))
# What a healthy boot prints that looks like one, whole lines.
HARMLESS = re.compile(
    r'kmemleak: Kernel memory leak detector initialized.*'
    r'|.*Warning: unable to open an initial console.*'
    r'|xferry: pid=.*'
    r'|xferry: (?:mode|components|trim_get): .*'
    r'|ODEBUG: selftest passed'
    r'|Lock dependency validator: .*')


# A warning; and what the kernel says of memory that it did not get, which is no fault.
WHOLE = (re.compile(r'^-+\[ cut here \]-+\n(.*)\n(?:.*\n)*?.*---\[ end trace .*$', re.M),
         re.compile(r'^(.*(?:vmalloc error|page allocation failure): .*)\n(?:.*\n)*?.*</TASK>$',
                    re.M))


def without(text, known):
    """The log without the reports whose first line matches `known`, whole."""
    for report in WHOLE:
        text = report.sub(lambda found: '' if re.search(known, found[1]) else found[0], text)
    return text


def find(text):
    """The lines of a log that report a fault of the kernel, in order."""
    return [line for line in text.splitlines()
            if ANY.search(line) and not HARMLESS.fullmatch(line.strip())]
