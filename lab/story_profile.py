# SPDX-License-Identifier: LGPL-2.1-or-later
"""What xferry is told of a host: the profile that it has made there itself."""

import json
import shutil

from lab.errors import LabError


def probe(host, xferry):
    """Has the static build beside the command probe a host's KVM; the profile."""
    copy = host.share / f'xferry-{host.label}'
    try:
        shutil.copy(f'{xferry}-static', copy)
    except OSError as error:
        raise LabError(f'{error.filename}: {error.strerror}; hosts are probed with it') from error
    said = host.output([f'/mnt/{copy.name}', 'probe', '--json'])
    host.was_loud()
    try:
        return json.loads(said)
    except ValueError:
        raise LabError(f'host {host.name}: xferry probe --json: not JSON: {said[:80]!r}') from None


def write(profile, qemu, path):
    """The profile as a file, with the version of the QEMU that is used there."""
    path.write_text(json.dumps({**profile, 'qemu': qemu}, indent=1) + '\n', encoding='utf-8')
