#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Types what the documents say, in their order, and compares what comes of it.

Runs as root in a system that may be thrown away, behind walk.sh. Each document has a directory of
its own, with the files that its examples name.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path

import commands
from commands import Command

SOURCE = Path('/src/xferry')
SAMPLE = SOURCE / 'tests/samples/leaky-pc-qemu64.qevm'
# Status of the command that are answers, no errors: findings, repaired.
ANSWERS = (0, 1, 4, 5)


class Plan:
    """plan.toml, with a count of what each of its lines is good for."""

    def __init__(self, path: Path) -> None:
        with path.open('rb') as file:
            self.data = tomllib.load(file)
        self.unused = {pattern for pattern, _ in self.not_run()} | set(self.data['kvm']['commands'])

    def not_run(self) -> list[tuple[str, str]]:
        return [(pattern, group['reason'])
                for group in self.data['not_run'] for pattern in group['commands']]

    def fits(self, command: Command, pattern: str) -> bool:
        fits = fnmatchcase(f'{command.document}: {command.text}', pattern)
        if fits:
            self.unused.discard(pattern)
        return fits

    def why_not(self, command: Command) -> str | None:
        """The reason of the first line that fits; all that fit count as used."""
        reasons = [why for pattern, why in self.not_run() if self.fits(command, pattern)]
        return reasons[0] if reasons else None

    def needs_kvm(self, command: Command) -> bool:
        return any([self.fits(command, pattern) for pattern in self.data['kvm']['commands']])

    def filled(self, command: Command) -> str:
        words = command.text
        for word, value in self.data['fill'].items():
            words = words.replace(f' {word}', f' {value}')
        return words

    def place(self, command: Command, usual: Path) -> Path:
        for pattern, place in self.data['place'].items():
            if fnmatchcase(f'{command.document}: {command.text}', pattern):
                return Path(place)
        return usual


def generate(script: str, *arguments: str | Path) -> None:
    subprocess.run([sys.executable, SOURCE / 'tests/formats' / script, *map(str, arguments)],
                   check=True)


def profile() -> str:
    """The first example of a profile: of a host that is not at hand."""
    page = SOURCE / 'docs/man/xferry-profile.5.scd'
    made = commands.of_page('', page.read_text(encoding='utf-8'))
    return next(command.text for command in made if command.text.startswith('{'))


def prepare(place: Path, document: str) -> None:
    """The files that examples name, as a reader has them: states, hosts, what was copied."""
    place.mkdir(parents=True)
    (place / 'undo').mkdir()
    for name in ('vm.qevm', 'other.qevm', 'vm-100-state-before.raw'):
        shutil.copy(SAMPLE, place / name)
    subprocess.run(['gzip', '-k', 'vm.qevm'], cwd=place, check=True)
    generate('area.py', place / 'vcpu0.xsave', '--in-use', '0x207')
    generate('qcow2.py', 'make', place / 'disk.qcow2', f'--state=before={SAMPLE}')
    for name in ('A', 'B', 'C', 'old-host', 'new-host'):
        (place / f'{name}.json').write_text(profile(), encoding='utf-8')
    (place / 'vm.xml').write_text(
        '<domain type="kvm"><name>vm</name><os><type machine="pc-i440fx-7.2">hvm</type></os>'
        '<cpu mode="custom" match="exact"><model>qemu64</model></cpu></domain>\n',
        encoding='utf-8')
    # Beside the file that says it, or the files of all of examples/ for a page about them.
    beside = (SOURCE / document).parent
    for path in beside.iterdir() if document.startswith('examples/') else \
            (SOURCE / 'examples').rglob('*'):
        if path.is_file():
            shutil.copy(path, place / path.name)


def prepare_system() -> None:
    """What a host with virtual machines has, and a clean system does not."""
    for name in ('/var/lib/vz/snippets', '/var/lib/libvirt/qemu/save', '/srv/snapshots/vm',
                 '/etc/pve/qemu-server', '/etc/modules-load.d', '/etc/modprobe.d'):
        Path(name).mkdir(parents=True, exist_ok=True)
    generate('libvirt.py', 'make', '/var/lib/libvirt/qemu/save/vm.save', SAMPLE)
    generate('cloud_hypervisor.py', '/srv/snapshots/vm/state.json')
    Path('/etc/pve/qemu-server/100.conf').write_text(
        'cpu: kvm64\nmemory: 512\nparent: before\n\n'
        '[before]\ncpu: qemu64\nmemory: 512\nrunningcpu: qemu64\n'
        'vmstate: local:vm-100-state-before\n', encoding='utf-8')
    shutil.copytree(SOURCE, '/src/again', ignore=shutil.ignore_patterns('build'))


def typed(text: str, place: Path) -> str:
    """What a person does with an example: a program is compiled, a profile used."""
    if text.startswith('#include'):
        (place / 'example.c').write_text(text + '\n', encoding='utf-8')
        return 'cc example.c $(pkg-config --cflags --libs libxferry) -o example && ' \
               './example vm.qevm && xferry undo vm.qevm.xfundo'
    if text.startswith('{'):
        (place / 'profile.json').write_text(text + '\n', encoding='utf-8')
        return 'xferry check --cpu qemu64 --to profile.json vm.qevm'
    return text


def run(command: Command, text: str, place: Path) -> str | None:
    """None, or what is wrong."""
    done = subprocess.run(['bash', '-c', typed(text, place)], cwd=place, text=True, check=False,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=900)
    said = done.stdout.strip('\n')
    if command.due is None:
        return None if done.returncode in ANSWERS else f'status {done.returncode}: {said[-2000:]}'
    if '[exit status ' in command.due:
        said += ('\n' if said else '') + f'[exit status {done.returncode}]'
    elif done.returncode not in ANSWERS:
        return f'status {done.returncode}: {said[-2000:]}'
    return None if said == command.due else f'the document has\n{command.due}\nit says\n{said}'


def has_kvm() -> bool:
    try:
        with open('/dev/kvm', 'r+b', buffering=0):
            return True
    except OSError:
        return False


class Walk:
    """All of it, with what is to be told in the end."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.kvm = has_kvm()
        self.run = self.compared = 0
        self.listed: dict[str, int] = {}
        self.wrong: list[str] = []
        self.documents: set[str] = set()

    def step(self, command: Command) -> None:
        why = self.plan.why_not(command)
        if not why and self.plan.needs_kvm(command) and not self.kvm:
            why = 'needs KVM, which cannot be used here'
        if why:
            self.listed[why] = self.listed.get(why, 0) + 1
            return
        place = Path('/walk') / command.document.replace('/', '-')
        if command.document not in self.documents:
            self.documents.add(command.document)
            prepare(place, command.document)
        wrong = run(command, self.plan.filled(command), self.plan.place(command, place))
        self.run += 1
        self.compared += command.due is not None
        where = f'{command.document}:{command.line}: {command.text.splitlines()[0]}'
        print('ok' if wrong is None else 'FAILED', where, flush=True)
        if wrong is not None:
            print(wrong, flush=True)
            self.wrong.append(where)

    def tell(self) -> int:
        for pattern in sorted(self.plan.unused):
            print(f'FAILED: plan.toml: fits no command any more: {pattern}')
        for why, count in self.listed.items():
            print(f'not run, {count}: {why}')
        print(f'{self.run} commands run in {len(self.documents)} documents, the output of '
              f'{self.compared} compared; {sum(self.listed.values())} listed as not run; '
              f'{len(self.wrong)} failed')
        return 1 if self.wrong or self.plan.unused or not self.compared else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--tools', action='store_true', help='print what else is to be installed')
    parser.add_argument('--apt', action='store_true', help="print README.md's line")
    options = parser.parse_args()
    here = Path(__file__).resolve().parent
    plan = Plan(here / 'plan.toml')
    if options.tools:
        print(' '.join(plan.data['tools']))
        return 0
    if options.apt:
        readme = here.parents[1] / 'README.md'
        made = commands.of_markdown('README.md', readme.read_text(encoding='utf-8'))
        [line] = [c.text for c in made if c.text.startswith('apt install ')]
        print(line)
        return 0
    walk = Walk(plan)
    all_commands = commands.all_of(SOURCE)
    # A person builds and installs what the README shows first.
    first = [c for c in all_commands if c.document == 'README.md' and
             c.text.startswith(('meson ', 'ninja '))]
    for command in first:
        walk.step(command)
    prepare_system()
    for command in all_commands:
        if command not in first:
            walk.step(command)
    return walk.tell()


if __name__ == '__main__':
    sys.exit(main())
