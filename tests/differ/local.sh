#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The model against the KVM of this machine, as it was probed; and the test of the test:
# with each behaviour of the model made wrong on purpose, differences are found.
# Usage: local.sh DIFFER XFERRY
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

differ=$(realpath "$1")
xferry=$(realpath "$2")
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"

need jq
if [ ! -r /dev/kvm ] || [ ! -w /dev/kvm ]; then
	skip '/dev/kvm cannot be opened'
fi
"$xferry" probe --json >here.json || die 'this KVM cannot be probed'
[ "$(jq -r '.set and .get' here.json)" = true ] || skip 'what this KVM does could not be learned'

# run STATUS NAME ARGUMENT…: runs differ, which must leave with STATUS; NAME gets the JSON.
run() {
	local want=$1 name=$2 status=0
	shift 2
	"$differ" "$@" >"$name" 2>said || status=$?
	[ $status = "$want" ] ||
		die "differ $*: status $status, expected $want: $(cat said; jq -c '.first[0]' "$name")"
}

expect() {
	jq -e "$2" "$1" >/dev/null || die "$1: not so: $2: $(jq -c 'del(.first)' "$1")"
}

# Only the time may differ between two runs of a seed.
same() {
	cmp -s <(jq 'del(.seconds)' "$1") <(jq 'del(.seconds)' "$2")
}

# ---- The proof ----
run 0 proof --profile here.json --states 10000
expect proof '.states == 10000 and .differences == 0 and .skipped == 0 and .first == []'
expect proof '(.accepted + ([.refused[]] | add)) == .states'
expect proof '.accepted > 1000 and ([.refused[]] | add) > 1000'
expect proof '[.guests[].states] | min > 100 and add == 10000'
expect proof '[.odd[]] | min > 100 and add == 10000'
expect proof '.cpuid.told > 500 and .cpuid.refused == 0'
expect proof '.xcr0.taken + .xcr0.refused == .states'
expect proof '.read.xsave + .read.xsave2 == .states'
run 0 again --profile here.json --states 10000 --seed 1
same proof again || die 'the same seed does not give the same'
run 0 other --profile here.json --states 10000 --seed 2
expect other '.seed == 2 and .differences == 0'
if same <(jq 'del(.seed)' proof) <(jq 'del(.seed)' other); then
	die 'another seed gives the same'
fi
echo "ok $(jq -c '{states, accepted, refused, differences, seconds}' proof)"

# ---- The test of the test ----
value() {
	jq -r ".$1" here.json
}

# swap KEY A B: A, or B where the profile has A.
swap() {
	[ "$(value "$1")" = "$2" ] && echo "$1=$3" || echo "$1=$2"
}

# A mask with another bit: MXCSR's bit 17 is the one that CPUs differ in.
mxcsr=$(printf '0x%x' $(($(value mxcsr_mask) ^ 0x20000)))
wrong=("$(swap set host guest)" "$(swap get trims leaks)" "mxcsr_mask=$mxcsr"
	"$(swap header_checked true false)" "$(swap mxcsr_always true false)"
	"$(swap get_after_cpuid true false)" "$(swap hook pkru null)" set=guest-bare
	module.set=0x4000000000000000 module.get=0xffffffffffffffff)
# Where GET trims, the module has nothing left to trim there.
[ "$(value get)" = leaks ] || unset 'wrong[-1]'
[ "$(value module)" = null ] || skip 'a module is loaded here, which the model is to be wrong about'
if [ "$(value xsave)" = false ]; then
	# Little is asked there.
	wrong=("mxcsr_mask=$mxcsr")
elif [ "$(value supported)" != 0x3 ]; then
	wrong+=(supported=0x3)
fi
for assumption in "${wrong[@]}"; do
	run 1 wrong --profile here.json --states 10000 --assume "$assumption"
	expect wrong '.differences > 0 and (.first | length) == ([.differences, 10] | min)'
	expect wrong '.states + .skipped == 10000'
	echo "ok $assumption is noticed: $(jq .differences wrong) differences"
done
if [ "$(value xsave)" != false ]; then
	run 1 wrong --profile here.json --assume supported=0x3 --assume xsave=false
	echo 'ok xsave=false is noticed'
fi

# A difference is told with all that is needed, and can be had again alone.
expect wrong '[.first[] | has("seed", "index", "odd", "guest", "header", "mxcsr", "call")] | all'
expect wrong '[.first[].guest | has("kind", "told", "cpuid_set", "cpuid_read")] | all'
expect wrong '[.first[].header | length == 128] | all'
run 1 wrong --profile here.json --states 10000 --assume "${wrong[0]}"
index=$(jq '.first[0].index' wrong)
run 1 alone --profile here.json --states 10000 --assume "${wrong[0]}" --only "$index"
cmp -s <(jq '.first[0]' wrong) <(jq '.first[0]' alone) || die 'the difference is another alone'
expect alone '.differences == 1'
echo 'ok a difference alone'

# ---- What is refused: one line, and nothing on standard output ----
refused() {
	local want=$1 words=$2
	shift 2
	run "$want" out "$@"
	[ ! -s out ] || die "differ $*: something was printed"
	grep -q "^differ: .*$words" said || die "differ $*: not said: $words: $(cat said)"
	[ "$(grep -vc '^usage: ' said)" = 1 ] || die "differ $*: more than one line: $(cat said)"
	echo "ok $(head -n 1 said)"
}
refused 8 'No such file' --profile missing.json
echo '{"schema": 1, "supported": ' >cut.json
refused 8 'cut.json: at byte' --profile cut.json
jq '.supported = "0xc3"' here.json >odd.json
refused 8 'odd.json: "supported"' --profile odd.json
echo '{"schema": 1, "supported": "0x3", "set": "host"}' >silent.json
refused 8 '"get" is not known' --profile silent.json
echo '{"schema": 1, "supported": "0x3", "set": "host", "get": "trims"}' >silent.json
refused 8 '"layout" is not known' --profile silent.json
jq 'del(.layout, .area_size, .not_learned) | .supported = "0x7" |
	.layout = [{component: "avx", offset: 16384, size: 256}]' here.json >large.json
refused 8 'do not fit' --profile large.json
refused 8 '"set" is not known' --profile here.json --assume set=null
refused 16 '--profile FILE' --states 10
refused 16 'states' --profile here.json --states 0
refused 16 'states' --profile here.json --states=ten
refused 16 "--only x: expected a state's index" --profile here.json --only x
refused 16 'expected 16 at most' --profile here.json --assume={,,,,,,,,,,,,,,,,}
refused 16 'seed' --profile here.json --seed=-1
refused 16 'below --states' --profile here.json --states 16 --only 16
refused 16 'understood' --profile here.json --bogus
refused 16 'options only' --profile here.json more
refused 16 'expected KEY=VALUE' --profile here.json --assume set
refused 16 'expected KEY=VALUE' --profile here.json --assume kernel=6.1
refused 16 '"set": expected' --profile here.json --assume set=perhaps
refused 16 '"supported"' --profile here.json --assume supported=0x4
run 0 out --help
grep -q '^usage: differ --profile' out || die 'no help'
if "$differ" --profile here.json --states 16 >/dev/full 2>said; then
	die 'a full disk went unnoticed'
fi
grep -q '^differ: standard output: ' said || die "a full disk: $(cat said)"
