# SPDX-License-Identifier: LGPL-2.1-or-later
"""What xferry says of a saved state, in the stories' terms."""

import dataclasses
import json
import pathlib
import subprocess

from lab.errors import LabError

# What the report says becomes of a refused state, which depends on the QEMU.
CONSEQUENCES = {'lost': 'ignores that and runs the guest on without its',
                'exit': 'exits: the state cannot be loaded'}
FINDINGS = 4
REPAIRED = 1


@dataclasses.dataclass(frozen=True)
class Verdict:
    """One state held against one host."""
    report: dict
    text: str

    @property
    def outcome(self):
        """accepted, refused or unknown: what the host answers to the state as it stands."""
        return self.report['outcome']

    @property
    def codes(self):
        """The findings, each once."""
        return sorted({code for vcpu in self.report['vcpus'] for code in vcpu['findings']})

    @property
    def xstate_bv(self):
        """XSTATE_BV of the stories' one vCPU."""
        return self.report['vcpus'][0]['xstate_bv']

    @property
    def exposed(self):
        """What the guest was shown."""
        return self.report['vcpus'][0]['exposed']

    @property
    def consequence(self):
        """What xferry tells a person of the guest: intact, lost or exit."""
        if self.outcome == 'accepted':
            return 'intact'
        told = [word for word, words in CONSEQUENCES.items() if words in self.text]
        if self.outcome != 'refused' or len(told) != 1:
            raise LabError(f'xferry check: {self.outcome}, and no one consequence:\n{self.text}')
        return told[0]


class Xferry:
    """The command under test."""

    def __init__(self, command):
        self.command = str(command)
        self._run('--version', may=0)

    def _run(self, *args, may):
        try:
            done = subprocess.run([self.command, *map(str, args)], capture_output=True, text=True,
                                  check=False)
        except OSError as error:
            raise LabError(f'{self.command}: {error.strerror}') from error
        if done.returncode & ~may:
            raise LabError(f'xferry {" ".join(map(str, args))}: status {done.returncode}: '
                           f'{done.stderr.strip()}')
        return done

    def _report(self, state, *args):
        return json.loads(self._run('check', '--json', *args, state, may=FINDINGS).stdout)

    def check(self, state, cpu, profile):
        """What it predicts for a state file on a host."""
        args = ['--cpu', cpu, '--to', profile]
        text = self._run('check', *args, state, may=FINDINGS).stdout
        return Verdict(self._report(state, *args), ' '.join(text.split()))

    def edits(self, state, cpu, only=None):
        """The repair, as a list of edits."""
        return self._report(state, '--cpu', cpu, *(['--only', only] if only else []))['edits']

    def vcpu(self, state):
        """The stories' one vCPU, as the report has it."""
        return self._report(state)['vcpus'][0]

    def fix(self, state, cpu, out, only=None):
        """Repairs a state file into another; False if there was nothing that may be repaired."""
        limit = ['--only', only] if only else []
        pathlib.Path(out).unlink(missing_ok=True)
        done = self._run('fix', '--cpu', cpu, *limit, state, '-o', out, may=FINDINGS | REPAIRED)
        if bool(done.returncode & REPAIRED) != pathlib.Path(out).exists():
            raise LabError(f'xferry fix {state}: status {done.returncode}, and the file '
                           f'{"is there" if pathlib.Path(out).exists() else "is not"}')
        return pathlib.Path(out).exists()
