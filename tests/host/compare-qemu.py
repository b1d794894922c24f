#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Holds xferry's reading of -cpu against the CPUID that a real QEMU makes.

    compare-qemu.py CPU-EVIDENCE             this machine's QEMU
    compare-qemu.py CPU-EVIDENCE --suites    and those of script/qemu-root
    compare-qemu.py CPU-EVIDENCE --models    every model, not a few of them

CPU-EVIDENCE is the program of that name, built of cpu-evidence.c. A CPU of each
kind is made under TCG and its CPUID read back through QMP, together with what
QEMU took out of it only because TCG does not have it. What is left of leaf 0xD
is compared as it is; for the components that TCG has never had (AVX-512, AMX,
CET, APX) newer QEMUs put nothing there, so QEMU's feature bits stand for them.
"""

import argparse
import pathlib
import shutil
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / 'tests' / 'qemu'))

from qmp import Qemu, QmpError  # noqa: E402

DEFINED = (1 << 20) - 1
SUPERVISOR = 0x1fd00
# x87, SSE, AVX, MPX, PKRU: what TCG can have in XCR0.
OF_TCG = 0x21f
# The features that show the others: leaf, sub-leaf, register, bit, components.
# QEMU's x86_ext_save_areas; SDM vol. 2, CPUID.
SHOWING = (
    (7, 0, 'EBX', 16, 0xe0), (7, 1, 'EDX', 19, 0xe0),
    (7, 0, 'EDX', 24, 0x60000), (7, 1, 'EDX', 21, 0x80000))
CET = ((7, 0, 'ECX', 7), (7, 0, 'EDX', 20))
MPX, PKRU = 0x18, 0x200

# -cpu arguments, and the components of which they tell nothing.
CASES = {
    'qemu64': 0,
    'kvm64,+avx': 0,
    'kvm64,+xsave,+avx': 0,
    'kvm64,xsave=on,avx': 0,
    'kvm64,xsave=yes,avx=true,pku=y': 0,
    'qemu64,+pku': PKRU,
    'qemu64,+xsave,+pku': 0,
    # Which of several words counts.
    'kvm64,+xsave,-xsave,+avx': 0,
    'kvm64,-xsave,+xsave,+avx': 0,
    'kvm64,+xsave,+avx,avx=off': 0,
    'kvm64,avx=off,avx=on,xsave=off,xsave=on': 0,
    'kvm64,xsave=on,avx=on,avx=off': 0,
    'EPYC-Milan,pku=on,-pku': 0,
    'EPYC-Milan,-pku,pku=on': 0,
    # What is left when something it needs is off.
    'EPYC-Milan': 0,
    'EPYC-Milan,-xsave': PKRU,
    'EPYC-Milan,xsave=off,avx=on,pku=off': 0,
    'Skylake-Server-v1,-avx': 0,
    'Skylake-Server-v1,-avx512f': 0,
    'Skylake-Server-v1,-avx,-avx512f,-pku': 0,
    'Skylake-Server-v1,+mpx': 0,
    # A version, an alias, an alias that depends on the machine type.
    'EPYC-IBPB': 0,
    'EPYC-Milan-v2': 0,
    'Cascadelake-Server-v5': 0,
    'Skylake-Server': MPX | PKRU,
    'Skylake-Server,mpx=off,+pku': 0,
    'Denverton': MPX,
    'Denverton-v1': 0,
    'Denverton-v3': 0,
    'KnightsMill-v1': 0,
    # Newer QEMUs.
    'SapphireRapids': 0,
    'SapphireRapids,-amx-tile,-pku': 0,
    'GraniteRapids-v1,-avx512f': 0,
    'GraniteRapids-v2': 0,
    'GraniteRapids-v2,-avx512f': 0,
    'GraniteRapids-v2,-avx512f,-avx10': 0,
    'DiamondRapids': 0,
    # Other words, other spellings.
    'qemu64,+sse4_1,+sse4.2,hv_relaxed,kvm=off,model-id=A CPU': 0,
}


def words(cpu, leaf, sub, register):
    """A register of CPUID, with what was taken out of it."""
    value = 0
    for word in cpu:
        if (word['cpuid-input-eax'], word['cpuid-register']) == \
                (leaf, register) and word.get('cpuid-input-ecx', 0) == sub:
            value |= word['features']
    return value


def real(command, model):
    """(XCR0, XSS) as QEMU would show them on a host that has all."""
    args = ['-S', '-machine', 'q35', '-accel', 'tcg', '-cpu', model]
    with Qemu(command, args) as qemu:
        path = qemu.cmd('query-cpus-fast')[0]['qom-path']
        cpu = [word for prop in ('feature-words', 'filtered-features')
               for word in qemu.cmd('qom-get', path=path, property=prop)]
    xcr0 = words(cpu, 0xd, 0, 'EAX') | words(cpu, 0xd, 0, 'EDX') << 32
    xss = words(cpu, 0xd, 1, 'ECX') | words(cpu, 0xd, 1, 'EDX') << 32
    others = 0
    if words(cpu, 1, 0, 'ECX') >> 26 & 1:
        for leaf, sub, register, bit, components in SHOWING:
            if words(cpu, leaf, sub, register) >> bit & 1:
                others |= components
        if any(words(cpu, *where[:3]) >> where[3] & 1 for where in CET):
            xss |= 0x1800
    if xcr0 & ~OF_TCG & ~others:
        raise QmpError(f'-cpu {model}: XCR0 {xcr0:#x} has components whose '
                       'features are off')
    return xcr0 | others | 3, xss


def models(command):
    with Qemu(command, ['-S', '-machine', 'q35', '-accel', 'tcg']) as qemu:
        return {m['name'] for m in qemu.cmd('query-cpu-definitions')}


def evidence(program, cpu):
    """(shown, known), or None: xferry does not know the model."""
    done = subprocess.run([program, cpu], text=True, capture_output=True,
                          check=False)
    if done.returncode == 1 and 'unknown CPU model' in done.stderr:
        return None
    done.check_returncode()
    return tuple(int(n, 16) for n in done.stdout.split())


def check(cpu, found, unknown, xcr0, xss):
    """What is wrong with the evidence of one -cpu, or None."""
    shown, known = found
    wrong = (shown ^ xcr0) & known & DEFINED
    if wrong:
        return f'says {shown:#x} of {known:#x}, QEMU {xcr0:#x}'
    if xss & known & DEFINED:
        return f'knows {known:#x}, but the guest has XSS {xss:#x}'
    open_ = ~known & DEFINED & ~SUPERVISOR
    if unknown is not None and open_ != unknown:
        return f'tells nothing of {open_:#x}, expected {unknown:#x}'
    return None


def compare(command, program, cases):
    """How many of the CPUs that this QEMU has were compared, and differ."""
    has = models(command)
    compared = failures = 0
    for cpu, unknown in cases.items():
        if cpu.split(',')[0] not in has:
            continue
        found = evidence(program, cpu)
        if not found:
            # Models of old QEMUs that were dropped since; refusing is right.
            print(f'{" ".join(command)}: -cpu {cpu}: not known to xferry')
            continue
        compared += 1
        problem = check(cpu, found, unknown, *real(command, cpu))
        if problem:
            failures += 1
            print(f'{" ".join(command)}: -cpu {cpu}: {problem}')
    print(f'{" ".join(command)}: {compared} CPUs compared, '
          f'{failures} differ')
    return failures, compared


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('program')
    parser.add_argument('--suites', action='store_true')
    parser.add_argument('--models', action='store_true')
    args = parser.parse_args()

    commands = []
    if shutil.which('qemu-system-x86_64'):
        commands.append(['qemu-system-x86_64'])
    if args.suites:
        commands += [[str(TOP / 'script' / 'qemu-root'), suite, '--run',
                      'qemu-system-x86_64'] for suite in ('bullseye', 'trixie', 'sid')]
    if not commands:
        print('skipped: there is no qemu-system-x86_64')
        return 77
    failures = compared = 0
    for command in commands:
        cases = CASES
        if args.models:
            cases = {name: None for name in
                     models(command) - {'host', 'max', 'base'}}
        f, n = compare(command, args.program, cases)
        failures += f
        compared += n
    # A QEMU with none of these CPUs would prove nothing.
    return 1 if failures or compared < 20 else 0


if __name__ == '__main__':
    try:
        sys.exit(main())
    except QmpError as error:
        sys.exit(f'compare-qemu.py: {error}')
