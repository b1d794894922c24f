#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A progress line: on a terminal, for long work, and gone when the work is done. strace makes
# the work long.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need python3
need_strace
sample leaky-pc-qemu64.qevm vm

# slowly CALL MILLISECONDS ARGUMENT…: xferry with its standard error on a terminal, each such
# call taking so long. What the terminal got is on standard output.
slowly() {
	python3 - "$XFERRY" "$@" <<'PYTHON'
import os
import pty
import subprocess
import sys

xferry, call, delay, *arguments = sys.argv[1:]
command = [xferry, *arguments]
if delay != '0':
    command = ['strace', '-f', '-o', '/dev/null', '-e', f'trace={call}', '-e',
               f'inject={call}:delay_enter={delay}000', *command]
master, slave = pty.openpty()
done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=slave, check=False)
os.close(slave)
text = b''
try:
    while chunk := os.read(master, 4096):
        text += chunk
except OSError:
    pass
sys.stdout.buffer.write(text)
sys.exit(done.returncode)
PYTHON
}

status=0
slowly copy_file_range 700 fix --cpu qemu64 -o copy vm >"$said/out" 2>"$said/err" || status=$?
told='fix -o, slowly'
hold_status 1 "$status"
printf '\rcopying: 0 MiB of 0 MiB (100 %%)   \r\033[K' | cmp - "$said/out" ||
	die "the terminal got: $(cat -v "$said/out")"
rm copy
echo 'ok a long copy'

slowly copy_file_range 0 fix --cpu qemu64 -o copy vm >"$said/out" 2>"$said/err" || status=$?
told='fix -o'
hold_status 1 "$status"
[ ! -s "$said/out" ] || die "the terminal got: $(cat -v "$said/out")"
rm copy
echo 'ok a short copy'

with copy_file_range 1 delay_enter=700000 fix --cpu qemu64 -o copy vm \
	>"$said/out" 2>"$said/err" || status=$?
told='fix -o, slowly, without a terminal'
hold_status 1 "$status"
no_error
echo 'ok no terminal'

# A directory counts what it has seen, while a file takes long.
mkdir fleet
ln vm fleet/vm
status=0
slowly pread64 100 check --cpu qemu64 fleet >"$said/out" || status=$?
told='check of a directory, slowly'
hold_status 4 "$status"
grep -aq $'^\rchecking: 0 states, 0 other files   \r' "$said/out" ||
	die "the terminal got: $(cat -v "$said/out")"
[ "$(tail -c 4 "$said/out")" = $'\r\033[K' ] || die "the line stays: $(cat -v "$said/out")"
echo 'ok a directory'

# A compressed state is packed anew in place, too. Empty parts before its data make it long.
python3 "$SOURCE/tests/formats/libvirt.py" make packed - --field packed=1
python3 - "$samples/leaky-pc-qemu64.qevm" >>packed <<'PYTHON'
import gzip
import sys

with open(sys.argv[1], 'rb') as file:
    stream = file.read()
sys.stdout.buffer.write(gzip.compress(b'') * 120000 + gzip.compress(stream))
PYTHON
status=0
slowly pread64 100 fix --in-place --to preset:linux-6.2,-pku packed >"$said/out" || status=$?
told='fix --in-place of a compressed state, slowly'
hold_status 1 "$status"
grep -aq $'\rrepairing: [12] MiB of 2 MiB (' "$said/out" ||
	die "the terminal got: $(cat -v "$said/out")"
[ "$(tail -c 4 "$said/out")" = $'\r\033[K' ] || die "the line stays: $(cat -v "$said/out")"
echo 'ok a compressed state in place'
