# SPDX-License-Identifier: LGPL-2.1-or-later
"""What strace saw of QEMU's ioctls, in a form that two runs can be compared in.

Which thread is faster, and where memory lies, differs from run to run. What each
thread asks, of which file descriptor, in which order, and what it is answered, does
not.
"""

import re

GET_CPUID2 = re.compile(r'(ioctl\(\d+<[^>]*>), KVM_GET_CPUID2, .* = 0$')
POINTER = re.compile(r'0x[0-9a-f]{5,}')
# How often a migration looks for dirty pages depends on how fast it is.
BY_CHANCE = re.compile(r' = -1 EINTR |, KVM_(GET|CLEAR)_DIRTY_LOG, ')
# Of a pipe, a socket, a file without a name.
INODE = re.compile(r'((?:pipe|socket):\[|/#)\d+')
UNFINISHED = ' <unfinished ...>'
RESUMED = re.compile(r'<\.\.\. ioctl resumed>(.*)')


def whole_lines(text):
    """(thread, call) of each call, those put together that another's came in between of."""
    begun = {}
    for line in text.splitlines():
        thread, _, call = line.partition(' ')
        call = call.strip()
        if call.endswith(UNFINISHED):
            begun[thread] = call[:-len(UNFINISHED)]
            continue
        resumed = RESUMED.match(call)
        if resumed:
            call = begun.pop(thread) + resumed[1]
        # What a signal has interrupted is asked again, and when signals come is chance too.
        if call.startswith('ioctl(') and not BY_CHANCE.search(call):
            yield thread, re.sub(r'\s+= ', ' = ', call)


def name_of(thread, calls, main):
    """A thread's part, which is the same in every run; None when it is not QEMU's."""
    if thread == main:
        return 'main'
    for call in calls:
        found = re.search(r'<anon_inode:(kvm-vcpu:\d+)>', call)
        if found:
            return found[1]
    return 'kvm' if any('KVM_' in call for call in calls) else None


def by_thread(text):
    """The calls of each of QEMU's threads, addresses and files' numbers left out."""
    threads = {}
    for thread, call in whole_lines(text):
        call = POINTER.sub('PTR', INODE.sub(r'\1N', call))
        threads.setdefault(thread, []).append(call)
    # A program that QEMU starts asks nothing of KVM, and QEMU itself asks first.
    first = next((t for t, calls in threads.items() if any('KVM_' in c for c in calls)), None)
    found = {}
    for thread, calls in threads.items():
        name = name_of(thread, calls, first)
        if name:
            assert name not in found, f'two threads are {name}'
            found[name] = calls
    return found


def without_guard(calls):
    """The calls less those of the guard itself: (calls, how many those were).

    The guard asks KVM_GET_CPUID2, as no QEMU does, next to a KVM_SET_XSAVE or a
    KVM_GET_XSAVE of the same vCPU. If it asks anything else, the traces will differ.
    """
    kept, taken = [], 0
    for at, call in enumerate(calls):
        asked = GET_CPUID2.match(call)
        if not asked:
            kept.append(call)
            continue
        beside = calls[at + 1:at + 2] + calls[max(at - 1, 0):at]
        assert any(re.match(re.escape(asked[1]) + r', KVM_[SG]ET_XSAVE', c) for c in beside), beside
        taken += 1
    return kept, taken


def answers(threads, request):
    """What the request was answered, each time, in all threads."""
    return [call.rpartition(' = ')[2] for calls in threads.values() for call in calls
            if f', {request}, ' in call]


def difference(threads, others):
    """The first place where two traces differ, in words; None when they are the same."""
    if set(threads) != set(others):
        return f'threads {sorted(threads)} and {sorted(others)}'
    for name, calls in threads.items():
        for at, (one, other) in enumerate(zip(calls + ['(end)'], others[name] + ['(end)'])):
            if one != other:
                return f'{name}, call {at}: {one}, without the guard {other}'
    return None
