#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# xferry probe on this machine's KVM: the text and the profile say the same, the
# profile is one that --to reads, and --to local is the same host.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need jq
[ -e /dev/kvm ] || skip 'no /dev/kvm'
{ : <>/dev/kvm; } 2>/dev/null || skip '/dev/kvm may not be used'

# It is the profile of the first probe.
same_profile() {
	diff "$said/profile.json" "$said/out" || die "$1 says something else"
}

remember
run 0 probe --json
no_error
cp "$said/out" "$said/profile.json"
run 0 probe
no_error
cp "$said/out" "$said/text"
nothing_written

# Twice the same: nothing of the first probe is left to be seen by the second.
run 0 probe --json
same_profile 'a second probe'

jq -e '.schema == 1 and (.supported | test("^0x[0-9a-f]+$")) and .area_size >= 576
	and .protected == null and (.not_learned.protected | length > 0)' "$said/profile.json" \
	>/dev/null || die "not what a profile should say: $(cat "$said/profile.json")"
[ "$(jq -r .kernel "$said/profile.json")" = "$(uname -r)" ] || die 'another kernel'

# What is null has a reason, but what no probe can know; and what has one is null.
jq -e '[to_entries[] | select(.value == null) | .key] - ["qemu", "hook", "module", "module_loaded"] -
	(.not_learned | keys) == []' "$said/profile.json" >/dev/null || die 'null without a reason'
jq -e '. as $all | [.not_learned | keys[] | select($all[.] != null)] == []' "$said/profile.json" \
	>/dev/null || die 'a reason for what is not null'

# Each reason is in the text.
jq -r '.not_learned | to_entries[] | .key + " " + .value' "$said/profile.json" |
	while read -r key why; do
		grep -Eq "^  $key +" "$said/text" || die "the text does not tell of $key"
		grep -qF -- "$why" "$said/text" || die "the text does not tell why: $why"
	done
echo 'ok text and profile'

# --to local is --to that profile, and a file of that name is ./local.
cp "$said/profile.json" local
for sample in "$samples"/*.qevm; do
	for cpu in qemu64 max max,-pku,-avx; do
		for target in local ./local; do
			status=0
			"$XFERRY" check --json --cpu "$cpu" --to "$target" "$sample" \
				>"$said/out" 2>"$said/err" || status=$?
			no_error
			jq -S 'del(.target.name)' "$said/out" >"$said/${target//\//_}"
			echo "$status" >>"$said/${target//\//_}"
		done
		diff "$said/local" "$said/._local" || die "$sample, $cpu: --to local differs"
	done
done
run 4 check --json --cpu max --from local --to preset:linux-6.6 "$samples/leaky-pc-max.qevm"
cp "$said/out" "$said/from"
run 4 check --json --cpu max --from ./local --to preset:linux-6.6 "$samples/leaky-pc-max.qevm"
diff <(jq -S .vcpus "$said/from") <(jq -S .vcpus "$said/out") || die '--from local differs'
rm local
echo 'ok --to local, --from local'
