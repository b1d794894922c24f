# SPDX-License-Identifier: LGPL-2.1-or-later
"""The lab's errors: what could not be done and why, in one line."""


class LabError(Exception):
    """Nothing wrong with the rule: the lab itself could not do what was asked."""


class Unknown(LabError):
    """What was asked for has no name here: a usage error where a person asked."""


class Gone(LabError):
    """An index names what cannot be had: it may be out of date."""


# What the machine itself may refuse anywhere: a file, a place, room on the disk.
EXPECTED = (LabError, OSError)


def one_line(error):
    """An expected error in one line, which names the file where there is one."""
    if isinstance(error, OSError) and error.strerror:
        return f'{error.filename}: {error.strerror}' if error.filename else error.strerror
    return ' '.join(str(error).split()) if isinstance(error, OSError) else str(error)
