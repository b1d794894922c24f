#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# foreign.sh ARCHITECTURE: all of the userland that is for every machine, built for i386 (32 bits) or
# s390x (bytes in the other order), and its tests run there; then what it says of every state that
# tests make, and what it writes, held against this machine's.
#
#	SOURCE, the source tree; XFERRY, this machine's command. KEEP=yes keeps the build.
: "${SOURCE:?names the source tree}"
: "${XFERRY:?names the command to compare with}"
# shellcheck source=../lib.sh
. "$SOURCE/tests/lib.sh"
# shellcheck source=root-lib.sh
. "$SOURCE/tests/hostile/root-lib.sh"
need_roots
need git python3

architecture=$1
suites=(base core state host report route filter fuzz cases cli)
# They look at this machine's compiler, KVM or libc's own calls, and not at what was built.
not_here='^(link|probe-static|probe-words|core-compile-fail|core-freestanding|proof-mutants)$'
# Emulated, all takes long: the formats' cases are left to the comparison at the end. A vfork is a
# fork there: whether a program could be started is not told to who started it.
if [ "$architecture" = s390x ]; then
	not_here+='|^(state-child|format-.*)$'
fi
cleanup=()
leave() {
	local step

	for step in "${cleanup[@]}"; do
		$step
	done
}
trap leave EXIT

triplet() {
	case $1 in
	i386) echo i686-linux-gnu ;;
	s390x) echo s390x-linux-gnu ;;
	*) die "there is no such architecture here: $1" ;;
	esac
}

# What meson must know of it.
cross_file() {
	local triplet libs family=$1 endian=little wrapper=

	triplet=$(triplet "$1")
	case $1 in
	i386) family=x86 libs=i386-linux-gnu ;;
	s390x) libs=$triplet endian=big wrapper="exe_wrapper = 'qemu-s390x-static'" ;;
	esac
	cat <<-END
		[binaries]
		c = '$triplet-gcc'
		ar = '$triplet-ar'
		strip = '$triplet-strip'
		pkgconfig = 'pkg-config'
		$wrapper
		[properties]
		pkg_config_libdir = '/usr/lib/$libs/pkgconfig:/usr/share/pkgconfig'
		needs_exe_wrapper = $([ -n "$wrapper" ] && echo true || echo false)
		[host_machine]
		system = 'linux'
		cpu_family = '$family'
		cpu = '$([ "$1" = i386 ] && echo i686 || echo "$1")'
		endian = '$endian'
	END
}

build() {
	copy_source "$hostile/src/$architecture"
	cross_file "$architecture" >"$hostile/src/$architecture.cross"
	quietly "$logs.setup.log" inside "$hostile" meson setup \
		--cross-file "/src/$architecture.cross" "/src/$architecture" "$place"
	quietly "$logs.build.log" inside "$hostile" ninja -C "$place"
	echo "ok built for $architecture: $(file -b "$command" | cut -d , -f 1-2)"
}

# Shell scripts start the command by its name, and nothing here may tell the kernel how to.
wrap_command() {
	[ "$architecture" = s390x ] || return 0
	mv "$command" "$command.real"
	printf '#!/bin/sh\nexec qemu-s390x-static %s "$@"\n' "$place/cli/xferry.real" >"$command"
	chmod +x "$command"
}

run_tests() {
	local words=() suite tests=() name log=$hostile$place/meson-logs/testlog.json

	for suite in "${suites[@]}"; do
		words+=(--suite "$suite")
	done
	while read -r name; do
		name=${name##* / }
		[[ $name =~ $not_here ]] || tests+=("$name")
	done < <(inside "$hostile" meson test -C "$place" --no-rebuild --list "${words[@]}" \
		--no-suite long --no-suite once 2>"$logs.list.log")
	[ ${#tests[@]} -gt 100 ] || die "only ${#tests[@]} tests are there"
	inside "$hostile" meson test -C "$place" --no-rebuild --print-errorlogs -t 20 \
		"${tests[@]}" >"$logs.test.log" 2>&1 || {
		grep -E ' (FAIL|TIMEOUT|ERROR) ' "$logs.test.log" || true
		die "tests fail on $architecture: $logs.test.log"
	}
	python3 - "$log" <<'END'
import collections
import json
import sys
with open(sys.argv[1], encoding='utf-8') as file:
    counts = collections.Counter(json.loads(line)['result'] for line in file)
print('ok tests:', ', '.join(f'{count} {result}' for result, count in sorted(counts.items())))
END
}

# As this machine starts it, outside of the root.
foreign_command() {
	local libs=$hostile/lib/i386-linux-gnu:$hostile/usr/lib/i386-linux-gnu

	case $architecture in
	i386) echo "$hostile/lib/ld-linux.so.2 --library-path $libs $command" ;;
	s390x) echo "$hostile/usr/bin/qemu-s390x-static -L $hostile $command.real" ;;
	esac
}

open_hostile_root "$architecture"
place=/src/build-$architecture
command=$hostile$place/cli/xferry
logs=$hostile/src/$architecture
[ -n "${KEEP:-}" ] || cleanup+=("rm -rf $hostile$place $hostile/src/$architecture")
rm -rf "${hostile:?}$place"
build
wrap_command
run_tests
read -ra foreign_words < <(foreign_command)
"$SOURCE/tests/hostile/same.py" "$XFERRY" "${foreign_words[@]}"
