# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whether a program's calls to this machine's KVM can be traced."""

import os
import shutil
import subprocess


def why_not(*programs):
    """Why this machine cannot show what `programs` ask KVM, or None."""
    if not os.access('/dev/kvm', os.R_OK | os.W_OK):
        return 'no /dev/kvm that may be used'
    for program in ('strace', *programs):
        if not shutil.which(program):
            return f'no {program}'
    if subprocess.run(['strace', '-o', '/dev/null', 'true'], check=False,
                      capture_output=True).returncode:
        return 'strace may not trace here'
    return None
