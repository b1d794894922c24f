#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Unit tests and cases of the command under valgrind: no byte is used that was never written, none
# that is no longer or not yet ours, and none is left. What sanitizers do not see: values that come
# out of libraries which are not built with them, and system calls.
#
#	BUILD, the build directory; SOURCE, the source tree; XFERRY, the command
: "${BUILD:?names the build directory}"
: "${SOURCE:?names the source tree}"
: "${XFERRY:?names the command}"
# shellcheck source=../lib.sh
. "$SOURCE/tests/lib.sh"
need valgrind meson jq
case ${FLAGS:-} in
*-fsanitize*) skip 'sanitizers and valgrind both want the same memory' ;;
esac

place=$(mktemp -d "${TMPDIR:-/tmp}/xferry-valgrind.XXXXXX")
trap 'rm -rf "$place"' EXIT
memcheck="valgrind -q --error-exitcode=99 --leak-check=full --show-leak-kinds=definite,possible
	--errors-for-leak-kinds=definite,possible --track-fds=no --num-callers=30"
memcheck=${memcheck//$'\n\t'/ }

# Those that try millions of inputs have a sanitizer's word for it, and would take hours here; one
# has a malloc of its own, those of KVM interrupt themselves within KVM_RUN, one needs a true vfork.
too_much='^(host-(kvm|probe)|state-(vmm|child)|state-damage|state-faults|host-memory|filter-memory|filter-stream|route-memory|route-true-journeys|qcow2|areas)$'

# Tests that are programs: what is a script begins with a shell or Python.
programs() {
	meson introspect "$BUILD" --tests |
		jq -r '.[] | select(.suite | any(test(":?(core|base|host|state|report|route)$")))
			| select(.suite | any(test("long")) | not)
			| select(.cmd[0] | test("/(bash|python3?)$|\\.(sh|py)$") | not) | .name'
}

tests=()
while read -r name; do
	[[ $name =~ $too_much ]] || tests+=("$name")
done < <(programs)
[ ${#tests[@]} -gt 15 ] || die "only ${#tests[@]} programs"
meson test -C "$BUILD" --no-rebuild --logbase valgrind -t 20 --print-errorlogs \
	--wrapper "$memcheck" "${tests[@]}" >"$place/log" 2>&1 || {
	grep -E ' (FAIL|TIMEOUT) ' "$place/log" || tail -n 30 "$place/log"
	die "valgrind has something to say: $BUILD/meson-logs/valgrind.txt"
}
echo "ok ${#tests[@]} programs"

# The command itself, by every verb.
cat >"$place/xferry" <<END
#!/bin/sh
exec $memcheck $XFERRY "\$@"
END
chmod +x "$place/xferry"
count=0
for case in leaky-qemu64 lost xml qm cpuid; do
	XFERRY=$place/xferry bash "$SOURCE/tests/cli/run-case.sh" "$SOURCE/tests/cli/cases/$case" \
		>"$place/log" 2>&1 || { cat "$place/log"; die "case $case"; }
	count=$((count + 1))
done
for case in area-qemu64 cloud-hypervisor-53 criu-core elf-threads libvirt-zstd libvirt-lzop; do
	[ -d "$SOURCE/tests/formats/cases/$case" ] || die "there is no case $case"
	XFERRY=$place/xferry bash "$SOURCE/tests/formats/run-case.sh" \
		"$SOURCE/tests/formats/cases/$case" >"$place/log" 2>&1 ||
		{ cat "$place/log"; die "case $case"; }
	count=$((count + 1))
done
for case in there-and-back proxmox; do
	XFERRY=$place/xferry bash "$SOURCE/tests/cli/run-route.sh" "$SOURCE/tests/cli/routes/$case" \
		>"$place/log" 2>&1 || { cat "$place/log"; die "route $case"; }
	count=$((count + 1))
done
echo "ok $count cases"
"$place/xferry" filter --cpu qemu64 <"$SOURCE/tests/samples/leaky-q35-qemu64-smp2.qevm" \
	>/dev/null 2>"$place/log" || [ $? = 1 ] || { cat "$place/log"; die filter; }
for words in --version explain 'explain pkru' 'filter --help'; do
	# shellcheck disable=SC2086 # words
	"$place/xferry" $words >/dev/null 2>"$place/log" || { cat "$place/log"; die "$words"; }
done
mkdir "$place/tree"
cp "$SOURCE"/tests/samples/*.qevm "$place/tree"
"$place/xferry" check --cpu qemu64 --jobs 4 "$place/tree" >/dev/null 2>"$place/log" ||
	[ $? = 4 ] || { cat "$place/log"; die 'a tree, by 4 threads'; }
# The crew's locks, by a tool other than ThreadSanitizer.
valgrind -q --tool=helgrind --error-exitcode=99 "$XFERRY" check --cpu qemu64 --jobs 4 \
	"$place/tree" >/dev/null 2>"$place/log" || [ $? = 4 ] || { cat "$place/log"; die helgrind; }
echo 'ok filter, explain, trees; helgrind'
