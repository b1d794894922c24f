# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is kept of each load of a state, and what of it is not as it must be."""

import dataclasses


@dataclasses.dataclass
class Record:
    """One load of one state: what was predicted and what came."""
    story: str
    journey: str
    hop: int
    qemu: str
    source: str
    target: str
    by: str
    guest: str
    guest_there: str
    repaired: str | None
    saved: str = ''             # XSTATE_BV as the source wrote it
    loaded: str = ''            # and as the target was given it
    xcr0: str = ''
    exposed: str = ''
    cpuid: str = ''             # of that, what QEMU shows the guest at the target
    findings: list = dataclasses.field(default_factory=list)
    outcome: str = ''           # as xferry tells it, of what was loaded
    predicted: str = ''         # intact, lost, exit, keeps, stays
    seen: str = ''              # the same, or silent
    lost: list = dataclasses.field(default_factory=list)
    new_cpu: bool = False
    console: str = ''
    kvm: list = dataclasses.field(default_factory=list)
    said: str = ''
    module: list = dataclasses.field(default_factory=list)  # what the kernel modules logged
    # Of a live migration only.
    left: str = ''              # what the source's QEMU made of it
    behind: str = ''            # all that the guest saw at the source
    guard: list = dataclasses.field(default_factory=list)   # what the guards found
    wrong: list = dataclasses.field(default_factory=list)   # and what they should have not

    def complaints(self):
        """What of it is not as it must be, whatever the journey is for."""
        found = []
        # A vCPU that spins is one way of being lost.
        if self.seen != self.predicted and (self.seen, self.predicted) != ('silent', 'lost'):
            found.append(f'predicted {self.predicted}, seen {self.seen}')
        if bool(self.kvm) != (self.outcome == 'refused' and self.predicted != 'stays'):
            found.append(f'xferry says {self.outcome}, KVM refused '
                         f'{", ".join(self.kvm) or "nothing"}')
        if int(self.saved, 16) & int(self.exposed, 16) & ~int(self.loaded, 16):
            found.append(f'a repair dropped what the guest was shown: {self.saved} became '
                         f'{self.loaded}')
        return found + self.wrong + self.module_wrong()

    def module_wrong(self):
        """What a kernel module should not have done, or not have said."""
        found = []
        for line in self.module:
            shown = self.cpuid if line.startswith('target') else self.exposed
            if int(line.rpartition(' dropped ')[2], 16) & int(shown, 16):
                found.append(f'the module dropped what the guest was shown: {line}')
        told = bool([line for line in self.module if line.startswith('target')])
        if '+' in self.target and told != bool(int(self.loaded, 16) & ~int(self.cpuid, 16)):
            found.append('the module at the target said '
                         f'{"what was not to be said" if told else "nothing"}')
        return found


def note(record, loaded):
    """Puts into the record what came of a load."""
    record.seen, record.kvm, record.said = loaded.word, loaded.refused, last_words(loaded.said)
    if loaded.sight:
        record.lost, record.new_cpu = loaded.sight.lost, loaded.sight.new_cpu
        record.console = loaded.sight.short()


def module_short(end, lines):
    """What a module said, each once: "target set 0x207 dropped 0x204"."""
    return list(dict.fromkeys(f'{end} {line["direction"]} {line["xstate_bv"]} '
                              f'dropped {line["dropped"]}' for line in lines))


def last_words(said):
    """QEMU's own last line, without its name; warnings tell of other things."""
    lines = [text for text in said.split('; ') if 'warning:' not in text]
    return (lines or [said])[-1].rpartition('qemu-system-x86_64: ')[2]
