# SPDX-License-Identifier: LGPL-2.1-or-later
"""The lab's one kind of error: what could not be done and why, in one line."""


class LabError(Exception):
    """Nothing wrong with the rule: the lab itself could not do what was asked."""


class Gone(LabError):
    """An index names what cannot be had: it may be out of date."""
