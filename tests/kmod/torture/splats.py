#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The search of a kernel's log finds each kind of report, and nothing in a healthy log.

usage: splats.py SOURCE
"""

import sys
import unittest

from pathlib import Path

SOURCE = Path(sys.argv.pop(1)).resolve()
sys.dont_write_bytecode = True
sys.path.insert(0, str(SOURCE))

from lab import splats  # noqa: E402

# The first lines of reports, as kernels print them.
REPORTS = (
    'WARNING: CPU: 1 PID: 77 at kernel/kprobes.c:1102 disarm_kprobe+0x1/0x2',
    'WARNING: possible circular locking dependency detected',
    'WARNING: suspicious RCU usage',
    'WARNING: inconsistent lock state',
    'BUG: KASAN: slab-out-of-bounds in xf_area_drop+0x10/0x80 [xferry]',
    'BUG: KASAN: use-after-free in vms_show+0x10/0x80',
    'BUG: sleeping function called from invalid context at kernel/locking/mutex.c:580',
    'BUG: kernel NULL pointer dereference, address: 0000000000000008',
    'BUG: unable to handle page fault for address: ffffc90000000000',
    'BUG: scheduling while atomic: torture/50/0x00000002',
    'BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0 nice=0 stuck for 40s!',
    'Oops: 0000 [#1] PREEMPT SMP KASAN',
    'general protection fault, probably for non-canonical address 0xdead000000000100',
    'INFO: task torture:50 blocked for more than 120 seconds.',
    'rcu: INFO: rcu_sched detected stalls on CPUs/tasks:',
    'ODEBUG: free active (active state 0) object type: timer_list',
    'list_del corruption. next->prev should be ffff888002c887d0',
    'kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)',
    'refcount_t: underflow; use-after-free.',
    'Kernel panic - not syncing: kernel: panic_on_warn set ...',
)
HEALTHY = '''\
Linux version 6.1.192 (xferry@lab) #1 SMP PREEMPT
rcu: Hierarchical RCU implementation.
Lock dependency validator: Copyright (c) 2006 Red Hat, Inc., Ingo Molnar
ODEBUG: selftest passed
xferry: loaded: mode=trim components=0xffffffffffffffff trim_get=0
xferry: pid=47 vcpu=47 direction=set mode=observe xstate_bv=0xb06 shown=0x3 superfluous=0xb04
xferry: mode: expected observe or trim, not "BUG"
reboot: Power down
'''


class Splats(unittest.TestCase):
    """lab/splats.py"""

    def test_each_is_found(self):
        for line in REPORTS:
            with self.subTest(line):
                self.assertEqual(splats.find(f'{HEALTHY}{line}\n{HEALTHY}'), [line])

    def test_healthy(self):
        self.assertEqual(splats.find(HEALTHY), [])

    def test_known_warnings(self):
        log = ''.join('------------[ cut here ]------------\n'
                      f'WARNING: CPU: 0 PID: 1 at a.c:1 {name}\n'
                      'Call Trace:\n <TASK>\n---[ end trace 0000000000000000 ]---\n'
                      for name in ('known+0x1', 'other+0x1', 'known+0x2'))
        self.assertEqual(splats.find(splats.without(log, r' known\+')),
                         ['WARNING: CPU: 0 PID: 1 at a.c:1 other+0x1', 'Call Trace:'])


if __name__ == '__main__':
    unittest.main()
