#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What somebody could do who took the command over by the bytes of a state: a library that is
# preloaded tries it from within the first read. Then, that all is as ever where the kernel knows
# neither Landlock nor seccomp, and that rights are given up before a state is opened.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
: "${INTRUDER:?names the library that tries}"
case ${FLAGS:-} in
*-fsanitize*) skip 'a library cannot be preloaded before a sanitizer' ;;
*--coverage*) skip 'a build that counts is not confined: it writes its counts in the end' ;;
esac
landlock=$("$LANDLOCK_VERSION")
guest=(--cpu qemu64)

mkdir mine others
state=$place/mine/vm
sample leaky-q35-qemu64-smp2.qevm "$state"

with_intruder() {
	rm -f others/* tried
	echo precious >others/victim
	INTRUDER_SAYS=$place/tried INTRUDER_STATE=$state INTRUDER_DIR=$place/others \
		LD_PRELOAD=$INTRUDER "$@" >"$said/out" 2>"$said/err"
}

# intruded STATUS ARGUMENT...: what the intruder could do while the command ran.
intruded() {
	local due=$1 status=0

	shift
	told="xferry $*, with an intruder"
	with_intruder "$XFERRY" "$@" <"${input:-/dev/null}" || status=$?
	hold_status "$due" "$status"
	[ -s tried ] || die "$told: the intruder was never called"
}

# came_to WHAT ERROR...: what was tried has failed so.
came_to() {
	local what=$1 outcome

	shift
	outcome=$(sed -n "s/^$what //p" tried)
	[[ " $* " == *" $outcome "* ]] || die "$told: $what came to $outcome, expected $*"
}

# Of files, where Landlock is: its own answer, and EPERM of the filter.
files_are_safe() {
	came_to read 'done'
	for what in truncate chmod setxattr unlink; do
		came_to $what "$@"
	done
	[ "$landlock" -lt 6 ] || came_to signal EPERM
	[ "$landlock" -ge 1 ] || return 0
	came_to write EACCES
	came_to create EACCES
	[ "$(cat others/victim)" = precious ] || die "$told: a file was changed"
	[ "$(ls others)" = victim ] || die "$told: a file was made"
}

calls_are_safe() {
	for what in socket ptrace mount setuid terminal privileges; do
		came_to $what EPERM
	done
}

# The intruder itself, where nothing is given up: these tests would notice.
intruder_can() {
	told="head, with an intruder"
	with_intruder head -c 1 "$state"
	for what in read write create truncate chmod unlink socket mount setuid; do
		came_to $what 'done'
	done
	came_to execute ENOENT
	came_to terminal ENOTTY EIO EPERM
}

intruder_can
echo "ok the intruder, where nothing is given up: $(grep -c ' done$' tried) things done"

intruded 4 check "${guest[@]}" "$state"
files_are_safe EPERM
calls_are_safe
came_to execute ENOENT # programs that unpack images are started: confined, as their parent
intruded 4 check "${guest[@]}" "$place/mine"
files_are_safe EPERM
calls_are_safe
echo 'ok check, of a file and of a directory'

intruded 4 route "${guest[@]}" "$state" preset:pve-7 preset:linux-6.2,-pku
files_are_safe EPERM
calls_are_safe
echo 'ok route'

input=$state intruded 1 filter "${guest[@]}"
cmp -s "$said/out" "$state" && die 'the filter has repaired nothing'
files_are_safe EPERM
calls_are_safe
came_to execute EPERM
echo 'ok filter'

# By Landlock alone: names and attributes of files are a repair's business, elsewhere.
repair_is_safe() {
	calls_are_safe
	[ "$landlock" -lt 6 ] || came_to signal EPERM
	[ "$landlock" -ge 1 ] || return 0
	for what in write create unlink; do
		came_to $what EACCES
	done
	[ "$landlock" -lt 3 ] || came_to truncate EACCES
	[ "$(cat others/victim)" = precious ] || die "$told: a file was changed"
}
mkdir copies undo
intruded 1 fix "${guest[@]}" -o copies/copy "$state"
repair_is_safe
intruded 1 fix "${guest[@]}" --in-place --undo-file undo/file "$state"
repair_is_safe
run 0 undo undo/file
intruded 1 fix "${guest[@]}" --in-place "$state"
repair_is_safe
# A repair that was asked for beside a link to the state, and of a state named with a '#'.
run 0 undo "$state.xfundo"
ln -s ../mine/vm undo/link
intruded 1 fix "${guest[@]}" --in-place undo/link
repair_is_safe
run 0 undo undo/link.xfundo
mv "$state" "$place/mine/vm#1#2"
state="$place/mine/vm#1#2"
intruded 1 fix "${guest[@]}" --in-place "$state"
repair_is_safe
intruded 0 undo "$state.xfundo"
calls_are_safe
came_to execute EPERM
echo 'ok fix and undo'

need_strace

# ---- All the same where the kernel does nothing of it ----
check=(check "${guest[@]}" --to 'preset:linux-6.2,-pku' "$state")
run 4 "${check[@]}"
mv "$said/out" due
for lacking in landlock_create_ruleset:error=ENOSYS landlock_create_ruleset:error=EOPNOTSUPP \
	landlock_restrict_self:error=E2BIG prctl:error=EINVAL prctl:error=EINVAL:when=2; do
	status=0
	strace -f -o "$said/trace" -e "trace=${lacking%%:*}" -e "inject=$lacking" "$XFERRY" \
		"${check[@]}" >"$said/out" 2>"$said/err" || status=$?
	[ $status = 4 ] || die "with $lacking: status $status"
	grep -q INJECTED "$said/trace" || [ "$landlock" = 0 ] || die "with $lacking: nothing was injected"
	no_error
	cmp due "$said/out" || die "with $lacking: another answer"
done
echo 'ok kernels that know neither'

# ---- In time ----
strace -f -o "$said/trace" -e trace=prctl,openat,newfstatat,stat "$XFERRY" "${check[@]}" \
	>"$said/out" 2>&1 || true
awk -v state="\"$state\"" '/PR_SET_SECCOMP.*= 0$/ { given_up = 1 }
	index($0, state) { seen = 1; if (!given_up) exit 1 }
	END { exit !(seen && given_up) }' "$said/trace" ||
	die 'the state is touched before rights are given up'
echo 'ok before the state is looked at'
