#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What xferry probe says in words of hosts that are not here: what the module there does,
# and that the lines about KVM agree with it.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
: "${PROFILE_PROBE:?names the command that probes a profile}"
XFERRY=$PROFILE_PROBE
export XF_PROFILE=host.json

# profile GET SET KEYS: the words of a host that saves and accepts so.
profile() {
	printf '{"schema": 1, "supported": "0x2e7", "get": "%s", "set": "%s"%s}\n' "$@" >host.json
	run 0 probe
	no_error
	told="a profile of get $1, set $2$3"
	! grep -q '^  hook ' "$said/out" || die "$told: calls the module hook"
}

# The line, or lines, that begin with a label; $2 is their text.
says_of() {
	local label got
	label=$(printf '  %-13s  ' "$1")
	got=$(awk -v label="$label" '/^Not learned/ { exit } /^  [^ ]/ { on = index($0, label) == 1 }
		!/^ / { on = 0 } on { print substr($0, 18) }' "$said/out")
	[ "$got" = "$2" ] || { cat "$said/out"; die "$told: of $1 it says: $got"; }
}

strict='strict: takes only what the guest was shown'
leaks='leaks: gives all that is in use, shown to the guest or not;'
all='"set": "0xffffffffffffffff"'
loaded=', "module_loaded": "mode=trim components=0xffffffffffffffff trim_get=N"'

profile trims guest ''
says_of module ''
says_of KVM_SET_XSAVE "$strict; a state that
leaked elsewhere is refused, whatever this host holds"

# All components, on a strict kernel: what leaked is not refused there.
profile trims guest ", \"module\": {$all}$loaded"
says_of module 'takes out of a SET whatever the guest was not shown (all components)
its parameters: mode=trim components=0xffffffffffffffff trim_get=N'
says_of KVM_SET_XSAVE "$strict; of a state that
leaked elsewhere the module takes out the rest before"
# What probes without a name measure: the compacted format's mark is no component.
profile trims guest ', "module": {"set": "0x7fffffffffffffff"}'
says_of module 'takes out of a SET whatever the guest was not shown (all components)
its name is not known: the kernel itself may do so'

# Some: x87 and SSE are never taken out, told or not.
profile trims guest ", \"module\": {\"set\": \"0x203\"}$loaded"
says_of module 'takes out of a SET PKRU (0x200), where the guest was not shown it
its parameters: mode=trim components=0xffffffffffffffff trim_get=N'
says_of KVM_SET_XSAVE "$strict; a state that
leaked elsewhere is refused, but for what the module takes out"
profile trims guest ", \"module\": {\"set\": \"0x3\"}$loaded"
says_of module "loaded, changes nothing
its parameters: mode=trim components=0xffffffffffffffff trim_get=N"
echo 'ok what it takes out of a SET'

# With trim_get, a KVM that leaks.
profile leaks host ''
says_of KVM_GET_XSAVE "$leaks
what is saved here may be refused elsewhere"
profile leaks host ", \"module\": {$all, \"get\": \"0xffffffffffffffff\"}$loaded"
says_of module 'takes out of a SET whatever the guest was not shown (all components)
takes out of a GET the same
its parameters: mode=trim components=0xffffffffffffffff trim_get=N'
says_of KVM_GET_XSAVE 'leaks, and the module takes out what the guest was not shown:
what is saved here is clean'
profile leaks host ', "module": {"get": "0x200"}'
says_of module 'takes out of a GET PKRU (0x200), where the guest was not shown it
its name is not known: the kernel itself may do so'
says_of KVM_GET_XSAVE "$leaks
what is saved here may be refused elsewhere, but for what the module takes out"
echo 'ok what it takes out of a GET'

observes='mode=observe components=0xffffffffffffffff trim_get=N'
profile trims guest ", \"module_loaded\": \"$observes\""
says_of module "loaded, observes: changes nothing
its parameters: $observes"
says_of KVM_SET_XSAVE "$strict; a state that
leaked elsewhere is refused, whatever this host holds"
profile leaks guest "$loaded, \"not_learned\": {\"module\": \"it disagrees\"}"
says_of module 'loaded; what it takes out is not known
its parameters: mode=trim components=0xffffffffffffffff trim_get=N'
says_of KVM_SET_XSAVE "$strict; a state that
leaked elsewhere is refused, unless a module takes that out"
says_of KVM_GET_XSAVE "$leaks
what is saved here may be refused elsewhere"
# On a host without XSAVE there is nothing to take out, and no module to be named.
printf '{"schema": 1, "supported": "0x3", "xsave": false, "get": "leaks", "set": "host"}\n' >host.json
run 0 probe
says_of KVM_GET_XSAVE "$leaks
what is saved here may be refused elsewhere"
says_of module ''
echo 'ok observed, not known, not there'
