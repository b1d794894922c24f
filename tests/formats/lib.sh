# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What the cases' `make` may use, besides `sample` and `need` of the command's tests.

# generate NAME ARGUMENT...: runs a script of this folder that makes states.
generate() {
	local script=$1
	shift
	python3 "$SOURCE/tests/formats/$script" "$@"
}

# patch FILE OFFSET HEX...: other bytes at an offset, which may count from the end: -16.
patch() {
	python3 - "$@" <<'END'
import sys
path, offset, *digits = sys.argv[1:]
offset, data = int(offset, 0), bytes.fromhex(''.join(digits))
with open(path, 'r+b') as file:
    size = file.seek(0, 2)
    at = offset + size if offset < 0 else offset
    if not 0 <= at <= at + len(data) <= size:
        sys.exit(f'{path} has no {len(data)} bytes at {offset}')
    file.seek(at)
    file.write(data)
END
}

# cut FILE SIZE: keeps the first SIZE bytes of a file that has more.
cut_to() {
	[ "$(stat -c %s "$1")" -gt "$2" ] || die "$1 has no more than $2 bytes"
	truncate -s "$2" "$1"
}
