#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What makes no sense to ask for: one line, status 16, and the file is not even opened.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

sample leaky-pc-qemu64.qevm vm
: >profile

# Verbs.
fails 16 "there is no verb 'chekc'; see 'xferry --help'$" chekc vm
fails 16 "there is no verb '--bogus'" --bogus
run 16
no_output
grep -q '^usage: xferry VERB' "$said/err" || die 'no verb at all: no usage'

# Options.
for verb in check fix undo probe route explain; do
	fails 16 "^xferry $verb: it has no option '--bogus'; see 'xferry $verb --help'$" \
		$verb --bogus vm
	fails 16 "^xferry $verb: it has no option '-x'" $verb -x vm
	fails 16 "^xferry $verb: it has no option '-x'" $verb vm -xh
	fails 16 "^xferry $verb: '--help' takes no argument" $verb --help=me vm
done
fails 16 "has no option '-x'" check --cpu=qemu64 -xh vm
fails 16 "has no option '--c'" check --c qemu64 vm
fails 16 "'--json' takes no argument" check --json=yes vm
for option in cpu cpuid exposed from to only; do
	fails 16 "'--$option' needs an argument" check vm --$option
	fails 16 "'--$option' needs an argument" fix --in-place vm --$option
	fails 16 "has no option '--$option'" undo --$option vm
	fails 16 "has no option '--$option'" explain --$option vm
done
for option in output undo-file; do
	fails 16 "'--$option' needs an argument" fix --in-place vm --$option
	fails 16 "has no option '--$option'" check --$option vm
done
fails 16 "has no option '--in-place'" check --in-place vm
fails 16 "'-o' needs an argument" fix vm -o

# Arguments.
fails 16 'name at least one saved state' check
fails 16 'name at least one saved state' check --cpu qemu64
fails 16 'name one saved state' fix --in-place
fails 16 'name one saved state' fix --in-place vm vm
fails 16 'name one undo file' undo
fails 16 'name one undo file' undo one two
fails 16 "it takes no argument 'vm'; see 'xferry probe --help'" probe vm
fails 16 "it takes no argument 'local'" probe --json local
no_word='is no finding, no state component and no preset'
fails 16 "'nothing' $no_word; see" explain nothing
fails 16 "'' $no_word; see" explain ''
fails 16 "'XF110' $no_word; the nearest name is 'XF101'" explain XF110
fails 16 "'pkruu' $no_word; the nearest name is 'pkru'" explain pkruu
fails 16 "'linux-6.3' $no_word; the nearest name is 'linux-6.2'" explain linux-6.3
fails 16 'unknown state component "nothing"' explain preset:pve-7,-nothing
fails 16 'unknown preset "linux-6.3"; the nearest name is "linux-6.2"' explain preset:linux-6.3
fails 16 "$no_word" explain "linux-6.2$(printf '%0200d' 0)"
fails 16 'either -o FILE or --in-place' fix --cpu qemu64 vm
fails 16 'either -o FILE or --in-place' fix --cpu qemu64 --in-place -o copy vm
fails 16 '--undo-file belongs to --in-place' fix --cpu qemu64 -o copy --undo-file undo vm
fails 16 'standard input cannot be repaired' fix --cpu qemu64 --in-place -
fails 16 'standard input cannot be repaired' fix --cpu qemu64 -o copy -

# Evidence and target.
only_one='only one of --cpu, --xml, --qm, --cpuid or --exposed'
fails 16 "$only_one" check --cpu qemu64 --exposed 0x3 vm
fails 16 "$only_one" check --cpu qemu64 --cpuid profile vm
fails 16 "$only_one" check --cpuid profile --exposed 0x3 vm
fails 16 "$only_one" fix --cpu qemu64 --cpuid profile --exposed 0x3 --in-place vm
fails 16 "$only_one" check --xml profile --qm profile vm
fails 16 "$only_one" check --qm profile --cpuid profile vm
fails 16 '--from explains --cpu, --xml or --qm and needs one' filter --from preset:linux-6.6
sample leaky-pc-qemu64.qevm from-state
for words in check 'check --cpu qemu64' 'fix -o copy' 'fix --cpu qemu64 --in-place'; do
	# shellcheck disable=SC2086 # words
	fails 16 '^xferry: from-state: nothing that the guest was shown depends on the host' \
		$words --from preset:linux-6.6 from-state
done
fails 16 '^xferry: from-state: nothing that the guest was shown depends on the host' \
	route --cpu qemu64 --from preset:linux-6.6 from-state preset:linux-6.2 preset:linux-6.6
rm from-state
fails 16 '--cpuid and --exposed do not' check --exposed 3 --from preset:linux-6.6 vm
fails 16 '--cpuid and --exposed do not' check --cpuid profile --from preset:linux-6.6 vm
fails 16 "unknown CPU model \"x86-64-v2-AES\": .*'qm showcmd VMID'" check --cpu x86-64-v2-AES vm
fails 16 'unknown CPU model "qemu65"; the nearest name is "qemu64"' check --cpu qemu65 vm
fails 16 'unknown CPU model ""' check --cpu '' vm
fails 16 'unknown CPU feature "avz"' check --cpu qemu64,+avz vm
fails 16 'CPU feature "avx" is on or off, not "maybe"' check --cpu qemu64,avx=maybe vm
fails 16 'unknown state component "pkruu"; the nearest name is "pkru"' check --exposed pkruu vm
fails 16 'no state component named' check --exposed '' vm
fails 16 'unknown state component "0xg"' check --only 0xg vm
fails 16 'unknown state component' fix --in-place --cpu qemu64 --only everything vm
fails 16 'unknown preset "linux-1.0".*; there are: .*linux-6\.6' check --to preset:linux-1.0 vm
fails 16 'unknown preset "linux-6.66"; the nearest name is "linux-6.6"; there are: ' \
	check --to preset:linux-6.66 vm
fails 16 'unknown state component "pkuu"' check --to preset:linux-6.6,-pkuu vm
fails 16 'every host has x87 and SSE' check --to preset:linux-6.6,-sse vm
fails 16 'does not know it' check --to preset:linux-5.10,+amx vm
fails 16 'unknown preset' check --cpu max --from preset:nowhere vm

# An argument with control characters in it does not reach the terminal as it is.
fails 16 "there is no verb 'a\?b'" $'a\nb'
fails 16 "has no option '--a\?b'" check $'--a\x1bb' vm
