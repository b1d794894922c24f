#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What can be at the filter's ends, and what can happen to it on the way.

    ends.py XFERRY LARGE-STREAM.PY SAMPLES

Sockets, a reader that is slow or goes away, single bytes, signals, a terminal for
its messages. Each time what comes out is the repaired stream, or its start that ends
before the devices, and then the status is not 0 or 1.
"""

import os
import pathlib
import pty
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

REPAIRED, FAILED = 1, 8
GUEST = ['--cpu', 'qemu64']
MIB = 32


def require(true, text):
    """An assertion that no option of Python's takes out."""
    if not true:
        raise AssertionError(text)


class Streams:
    """A stream with MIB MiB of RAM, and the same repaired."""

    def __init__(self, xferry, large, samples, place):
        self.xferry = xferry
        self.path = place / 'stream'
        sample = samples / 'leaky-pc-qemu64.qevm'
        subprocess.run([large, sample, self.path, str(MIB)], check=True)
        self.bytes = self.path.read_bytes()
        fixed = place / 'fixed'
        done = subprocess.run([xferry, 'fix', *GUEST, '-o', fixed, self.path], check=False,
                              stdout=subprocess.DEVNULL)
        require(done.returncode == REPAIRED, f'fix: status {done.returncode}')
        self.fixed = fixed.read_bytes()
        # The devices are those of the sample, whose RAM ends at this byte.
        self.ram_end = len(self.bytes) - (sample.stat().st_size - 58429)

    def start(self, stdin, stdout, *arguments, stderr=subprocess.PIPE):
        """The filter with these ends, which are closed here."""
        process = subprocess.Popen([self.xferry, 'filter', *GUEST, *arguments], stdin=stdin,
                                   stdout=stdout, stderr=stderr)
        for end in stdin, stdout:
            if hasattr(end, 'close'):
                end.close()
            elif end >= 0:
                os.close(end)
        return process

    def hold(self, process, out):
        """It passed all of the stream, repaired."""
        said = process.stderr.read().decode() if process.stderr else ''
        require(process.wait() == REPAIRED, f'status {process.returncode}: {said}')
        require(out == self.fixed, f'{len(out)} bytes came out, and others than are due')

    def hold_start(self, out):
        """What came out is a start of the stream without its devices."""
        require(len(out) <= self.ram_end, f'{len(out)} bytes came out, some of the devices')
        require(out == self.bytes[:len(out)], 'other bytes came out than are due')


def feed(fd, data, chunk=1 << 16):
    """Writes to a file descriptor in a thread, and closes it."""
    def write():
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(fd, view[:chunk]):]
        except BrokenPipeError:
            pass
        os.close(fd)
    thread = threading.Thread(target=write)
    thread.start()
    return thread


def drain(fd, chunk=1 << 16, pause=0.0):
    """All that comes from a file descriptor."""
    out = bytearray()
    while data := os.read(fd, chunk):
        out += data
        if pause:
            time.sleep(pause)
    os.close(fd)
    return bytes(out)


def both_pipes(streams, *arguments, **more):
    """The filter between two pipes: process, feeding end, draining end."""
    to_read, to_write = os.pipe()
    from_read, from_write = os.pipe()
    os.set_inheritable(to_write, False)
    process = streams.start(to_read, from_write, *arguments, **more)
    return process, to_write, from_read


def pair(kind):
    """Two connected ends: what is read from and what is written to."""
    if kind == 'pipe':
        return os.pipe()
    return tuple(end.detach() for end in socket.socketpair())


def sockets(streams):
    """Sockets, as socat and systemd give them, at one end or both."""
    for kinds in ('socket', 'pipe'), ('pipe', 'socket'), ('socket', 'socket'):
        read, write = pair(kinds[0])
        out_read, out_write = pair(kinds[1])
        process = streams.start(read, out_write)
        thread = feed(write, streams.bytes)
        streams.hold(process, drain(out_read))
        thread.join()


def named_pipes(streams):
    """FIFOs at both ends."""
    with tempfile.TemporaryDirectory() as place:
        names = [os.path.join(place, name) for name in ('in', 'out')]
        for name in names:
            os.mkfifo(name)
        process = subprocess.Popen(
            ['sh', '-c', '"$0" filter --cpu qemu64 <"$1" >"$2"', streams.xferry, *names],
            stderr=subprocess.PIPE)
        thread = feed(os.open(names[0], os.O_WRONLY), streams.bytes)
        streams.hold(process, drain(os.open(names[1], os.O_RDONLY)))
        thread.join()


def slow_reader(streams):
    """A reader that takes little at a time, and rests."""
    process, write, read = both_pipes(streams)
    thread = feed(write, streams.bytes)
    streams.hold(process, drain(read, chunk=1 << 18, pause=0.005))
    thread.join()


def slow_writer(streams):
    """A writer that gives odd pieces."""
    process, write, read = both_pipes(streams)
    thread = feed(write, streams.bytes, chunk=4093)
    streams.hold(process, drain(read))
    thread.join()


def stopped_and_continued(streams):
    """SIGSTOP and SIGCONT, again and again."""
    process, write, read = both_pipes(streams)
    thread = feed(write, streams.bytes)
    done = threading.Event()

    def disturb():
        while not done.wait(0.003):
            process.send_signal(signal.SIGSTOP)
            time.sleep(0.003)
            process.send_signal(signal.SIGCONT)
    disturber = threading.Thread(target=disturb)
    disturber.start()
    out = drain(read, pause=0.0005)
    done.set()
    disturber.join()
    streams.hold(process, out)
    thread.join()


ENDING = signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL


def ended_by_signals(streams):
    """A signal that ends it: what came out has nothing of the devices."""
    for number in ENDING:
        for part in 0.5, 1.0:
            process, write, read = both_pipes(streams)
            # All but the end: the filter waits for more of the devices.
            size = int((len(streams.bytes) - 1) * part)
            fed = threading.Event()

            def give(write=write, size=size, fed=fed):
                view = memoryview(streams.bytes)[:size]
                while view:
                    view = view[os.write(write, view[:1 << 16]):]
                fed.set()
            thread = threading.Thread(target=give)
            taken = []
            drainer = threading.Thread(target=lambda: taken.append(drain(read)))
            thread.start()
            drainer.start()
            fed.wait()
            time.sleep(0.05)
            process.send_signal(number)
            require(process.wait() == -number, f'{number!r}: status {process.returncode}')
            os.close(write)
            thread.join()
            drainer.join()
            streams.hold_start(taken[0])


# Where nothing went out there is nothing more to be told.
BROKEN_PIPE = ('xferry: standard output: write: Broken pipe\n'
               r'(Stopped: \d+ bytes came in, \d+ went out; that is no whole stream\.\n)?')


def reader_goes_away(streams):
    """The reader ends early: its line, status 8, and the writer learns of it."""
    for size in 0, 1, 100000, MIB << 19:
        process, write, read = both_pipes(streams)
        thread = feed(write, streams.bytes)
        taken = b''
        while len(taken) < size:
            taken += os.read(read, size - len(taken))
        os.close(read)
        said = process.stderr.read().decode()
        require(process.wait() == FAILED, f'status {process.returncode}: {said}')
        require(re.fullmatch(BROKEN_PIPE, said), f'it said: {said}')
        thread.join(10)
        require(not thread.is_alive(), 'the writer is still writing')
        streams.hold_start(taken)


def reader_goes_away_at_the_devices(streams):
    """All of RAM was read, then nobody reads the devices."""
    process, write, read = both_pipes(streams)
    taken = []

    def take():
        data = b''
        while len(data) < streams.ram_end:
            data += os.read(read, streams.ram_end - len(data))
        os.close(read)
        taken.append(data)
    drainer = threading.Thread(target=take)
    drainer.start()
    view = memoryview(streams.bytes)[:-1]
    while view:
        view = view[os.write(write, view[:1 << 16]):]
    drainer.join()
    os.write(write, streams.bytes[-1:])
    os.close(write)
    said = process.stderr.read().decode()
    require(process.wait() == FAILED, f'status {process.returncode}: {said}')
    require(re.fullmatch(BROKEN_PIPE, said), f'it said: {said}')
    streams.hold_start(taken[0])


def nothing_of_the_devices_before_the_end(streams):
    """As long as the stream may go on, the devices are held back; all of RAM has passed."""
    process, write, read = both_pipes(streams)
    taken = []
    drainer = threading.Thread(target=lambda: taken.append(drain(read)))
    drainer.start()
    view = memoryview(streams.bytes)
    while view:
        view = view[os.write(write, view[:1 << 16]):]
    time.sleep(0.2)
    require(process.poll() is None, 'it did not wait for the end')
    require(not taken, 'it closed its output')
    os.close(write)
    drainer.join()
    streams.hold(process, taken[0])


def progress(streams):
    """A line on a terminal while it goes on, and none afterwards."""
    master, slave = pty.openpty()
    process, write, read = both_pipes(streams, stderr=slave)
    os.close(slave)
    half = len(streams.bytes) // 2
    thread = feed(os.dup(write), streams.bytes[:half])
    taken = []
    drainer = threading.Thread(target=lambda: taken.append(drain(read)))
    drainer.start()
    thread.join()
    time.sleep(0.7)
    thread = feed(write, streams.bytes[half:])
    drainer.join()
    thread.join()
    process.wait()
    streams.hold(process, taken[0])
    said = os.read(master, 65536).decode()
    os.close(master)
    require('\rpassing: ' in said and ' MiB/s   ' in said, f'the terminal got {said!r}')
    require('\r\033[K' in said, f'the line is still there: {said!r}')


CASES = [sockets, named_pipes, slow_reader, slow_writer, stopped_and_continued,
         ended_by_signals, reader_goes_away, reader_goes_away_at_the_devices,
         nothing_of_the_devices_before_the_end, progress]


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    # nohup and a shell's '&' have some of them ignored, and who is started here would inherit that.
    for number in ENDING[:-1]:
        signal.signal(number, signal.SIG_DFL)
    xferry, large = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    with tempfile.TemporaryDirectory() as place:
        streams = Streams(xferry, large, pathlib.Path(sys.argv[3]), pathlib.Path(place))
        for case in CASES:
            case(streams)
            print(f'ok {case.__name__}', flush=True)


main()
