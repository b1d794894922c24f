# SPDX-License-Identifier: LGPL-2.1-or-later
"""The line between two hosts of a live migration: what one sends, the other is given.

Each host has a serial port whose other end is a socket here. While a link stands,
bytes are carried between two of them; what came from the source is kept, so that
xferry can be asked of the very stream that the target was given.
"""

import select
import socket
import threading

from lab.errors import LabError
from lab.story_host import LINK

# As story-wire.c has them.
BLOCK, HEAD = b'b', 3
# What an earlier user left on the way is thrown away until nothing has come for so long.
QUIET_SECONDS = 0.1

WIRE = '/mnt/story-wire'
SEND, RECEIVE = f'{WIRE} send {LINK}', f'{WIRE} receive {LINK}'


class Link:
    """From one host to another, and the answers back, until it is closed."""

    def __init__(self, source, target):
        self._ends = source.link, target.link
        self._sent = bytearray()
        self._stop, self._stopped = socket.socketpair()
        for end in self._ends:
            end.setblocking(False)
            _empty(end)
        self._thread = threading.Thread(target=self._carry, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.close()
        self._thread.join()
        self._stopped.close()

    def _carry(self):
        """Until it is closed, or a host goes down: whoever speaks to that one says so."""
        source, target = self._ends
        waiting = {source: bytearray(), target: bytearray()}    # for each of them
        while True:
            readable, writable, _ = select.select(
                [source, target, self._stopped], [end for end in waiting if waiting[end]], [])
            if self._stopped in readable:
                return
            try:
                for end in writable:
                    del waiting[end][:end.send(waiting[end])]
                for end in readable:
                    data = end.recv(1 << 16)
                    if not data:
                        return
                    waiting[source if end is target else target] += data
                    if end is source:
                        self._sent += data
            except OSError:
                return

    def stream(self):
        """What has passed to the target, as it was before it was made blocks."""
        return unblocked(bytes(self._sent))


def _empty(end):
    while select.select([end], [], [], QUIET_SECONDS)[0]:
        if not end.recv(1 << 16):
            return


def unblocked(sent):
    """The data of the blocks that story-wire sends."""
    out, at = bytearray(), 0
    while at + HEAD <= len(sent):
        size = int.from_bytes(sent[at + 1:at + HEAD], 'little')
        if sent[at:at + 1] != BLOCK:
            raise LabError(f'the line between two hosts: no block at byte {at}')
        out += sent[at + HEAD:at + HEAD + size]
        at += HEAD + size
    return bytes(out)
