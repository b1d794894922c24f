# SPDX-License-Identifier: LGPL-2.1-or-later
"""What xferry is told of a host: the profile that it has made there itself."""

import json
import pathlib
import shutil

from lab.errors import LabError


def probe(host, xferry):
    """Has xferry probe a host's KVM; the profile.

    The static build beside the command is taken if it is there: it needs nothing of a host.
    """
    static = pathlib.Path(f'{xferry}-static')
    copy = host.share / f'xferry-{host.label}'
    shutil.copy(static if static.exists() else xferry, copy)
    said = host.output([f'/mnt/{copy.name}', 'probe', '--json'])
    try:
        return json.loads(said)
    except ValueError:
        raise LabError(f'host {host.name}: xferry probe --json: not JSON: {said[:80]!r}') from None


def write(profile, qemu, path):
    """The profile as a file, with the version of the QEMU that is used there."""
    path.write_text(json.dumps({**profile, 'qemu': qemu}, indent=1) + '\n', encoding='utf-8')
