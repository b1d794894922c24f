# SPDX-License-Identifier: LGPL-2.1-or-later
"""The hosts of a run: booted when they are first needed, shared by all journeys."""

import contextlib
import threading

from lab import guest, kernels, module, story_profile
from lab.story_host import AGENT, WIRE, Host, QmpError, compile_static


class Hosts:
    """The hosts by name, KERNEL/CPU or KERNEL/CPU+HOOK, in one directory. One user at a time each."""

    def __init__(self, place, table, xferry):
        self.place = place
        self.share = place / 'share'
        self.share.mkdir(parents=True)
        self.profiles = {}
        self._table = table
        self._xferry = xferry
        self._agent = compile_static(AGENT, place)
        compile_static(WIRE, self.share)
        self._lock = threading.Lock()
        self._hosts = {}
        self._locks = {}

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        """Ends all of them."""
        with self._lock:
            for host in self._hosts.values():
                host.close()

    def start(self, name):
        """Begins to boot a host, unless that has been done."""
        with self._lock:
            if name not in self._hosts:
                self._hosts[name] = self._boot(name)
                self._locks[name] = threading.Lock()
            return self._hosts[name]

    def _boot(self, name):
        cell, = self._table.cell(name)
        kernel, hook = kernels.get(self._table, cell.kernel, shares=True), None
        if cell.hook:
            hook = guest.Hook(module.get(self._table, kernel),
                              self._table.hook(cell.hook).parameters)
        return Host(name, kernel, self._table.cpu(cell.cpu), self._agent, self.place, self.share,
                    hook)

    @contextlib.contextmanager
    def use(self, name):
        """The host, ready, for one user."""
        host = self.start(name)
        with self._locks[name]:
            host.wait_ready()
            try:
                yield host
            except QmpError as error:
                raise host.failed(str(error)) from None

    @contextlib.contextmanager
    def use_both(self, source, target):
        """Two hosts. All who want several take them in the same order, else two might wait."""
        for name in (source, target):
            self.start(name)    # they boot beside each other
        with contextlib.ExitStack() as stack:
            hosts = {name: stack.enter_context(self.use(name))
                     for name in sorted((source, target))}
            yield hosts[source], hosts[target]

    def profile(self, name, qemu):
        """The path of the profile that xferry has made on the host, with its QEMU's version."""
        with self.use(name) as host:
            if name not in self.profiles:
                self.profiles[name] = story_profile.probe(host, self._xferry.command)
        path = self.place / f'{host.label}-qemu-{qemu}.json'
        story_profile.write(self.profiles[name], qemu, path)
        return path
