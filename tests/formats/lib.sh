# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What the cases' `make` may use, besides `sample` and `need` of the command's tests.
: "${samples:?names the directory of the samples}"

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

# each_format DIRECTORY: a state of each format that a directory is looked through for, called as
# its format is. All are made without any program of the formats.
each_format() {
	mkdir -p "$1"
	cp "$samples/leaky-pc-qemu64.qevm" "$1/qemu"
	generate libvirt.py make "$1/libvirt" "$1/qemu"
	generate libvirt.py make "$1/libvirt.gz" "$1/qemu" --pack gzip
	generate qcow2.py make "$1/qcow2" "--state=before=$1/qemu" \
		"--state=after=$samples/clean-pc-qemu64.qevm"
	mkdir "$1/cloud-hypervisor"
	generate cloud_hypervisor.py --release 53 --vcpus 2 "$1/cloud-hypervisor/state.json"
	generate firecracker.py --release 1.13 --vcpus 3 "$1/firecracker"
	generate elf.py "$1/elf" --in-use 0x7
	generate criu.py "$1/criu"
}
