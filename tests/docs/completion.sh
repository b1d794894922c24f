#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Completes lines as bash would: words cut at blanks, ':' and '=', the last one
# under the cursor; then looks at COMPREPLY.
# shellcheck source=../cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"
# shellcheck source=../../docs/completion/xferry
. "$SOURCE/docs/completion/xferry"
mkdir bin
ln -s "$XFERRY" bin/xferry
PATH=$place/bin:$PATH
COMP_WORDBREAKS=$' \t\n"\'><=;|&(:'
mkdir files
touch files/vm.qevm files/vm.qevm.xfundo "files/two words.qevm"
cd files

# complete_line 'xferry check --to pre': what is offered is in COMPREPLY.
complete_line() {
	local cut

	line=$1
	cut=${line//:/ : }
	cut=${cut//=/ = }
	read -ra COMP_WORDS <<<"$cut"
	[[ $line != *[' :='] ]] || COMP_WORDS+=("")
	COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
	COMP_LINE=$line
	COMP_POINT=${#line}
	COMPREPLY=()
	_xferry
}

# offers LINE WORD...: exactly these, in any order.
offers() {
	complete_line "$1"
	shift
	diff <(printf '%s\n' "$@" | sort) <(printf '%s\n' "${COMPREPLY[@]}" | sort) ||
		die "'$line' (< what it should offer, > what it does)"
	echo "ok '$line'"
}

# among LINE WORD...: these and more.
among() {
	local word

	complete_line "$1"
	shift
	for word; do
		printf '%s\n' "${COMPREPLY[@]}" | grep -Fqx -- "$word" ||
			die "'$line' offers no $word but: ${COMPREPLY[*]}"
	done
	echo "ok '$line'"
}

complete -p xferry | grep -q -- '-F _xferry xferry' || die "it is not registered"

offers 'xferry ' check fix undo filter probe route explain --help --version
offers 'xferry c' check
offers 'xferry check --c' --cpu --cpuid
offers 'xferry check --x' --xml
offers 'xferry undo -' -h --help
offers 'xferry probe -' --json -h --help
offers 'xferry probe v'
offers 'xferry filter v'
among 'xferry filter -' --max-tail --pass-unknown --json --json-fd
among 'xferry filter --json ' vm.qevm
offers 'xferry filter --json vm.qevm --max' --max-tail
among 'xferry fix -' -o --output --in-place --undo-file --json
among 'xferry explain ' XF101 XF203 pkru zmm_hi256
offers 'xferry explain pkr' pkru

# Snapshots of a configuration.
printf '%s\n' 'cpu: host' '[before]' 'cpu: host' '[PENDING]' '[later-2]' >100.conf
among 'xferry check --qm ' 100.conf
offers 'xferry check --qm 100.conf:' before later-2
offers 'xferry check --qm 100.conf:l' later-2
rm 100.conf

# All presets are offered, and the command takes each of them.
complete_line 'xferry check --to preset:'
[ ${#COMPREPLY[@]} -ge 5 ] || die "few presets: ${COMPREPLY[*]}"
sample clean-pc-qemu64.qevm clean
for preset in "${COMPREPLY[@]}"; do
	# Findings are no matter here.
	status=0
	"$XFERRY" check --cpu qemu64 --to "preset:$preset" clean >"$said/out" || status=$?
	(((status & ~4) == 0)) || die "preset:$preset is offered and not taken"
done
echo "ok ${#COMPREPLY[@]} presets"
rm clean

offers 'xferry check --to pre' preset:
offers 'xferry check --to loc' local
offers 'xferry check --layout am' amd amd-avx512
offers 'xferry fix --layout amd --relay vm.q' vm.qevm vm.qevm.xfundo
offers 'xferry fix --relay=int' intel
offers 'xferry check --to preset:linux-6.2' linux-6.2
offers 'xferry check --to=preset:linux-6.2' linux-6.2
offers 'xferry check --to preset:linux-6.2,-pk' linux-6.2,-pkru
offers 'xferry check --cpu max --from preset:linux-6.2,-opm' linux-6.2,-opmask
offers 'xferry check --to preset:linux-6.2,-pku,+xtilec' linux-6.2,-pku,+xtilecfg
offers 'xferry check --to preset:linux-6.2,-xs' linux-6.2,-xsave
offers 'xferry check --to preset:linux-6.2,+hook-' linux-6.2,+hook-get
offers 'xferry explain ho' hook
offers 'xferry check --to preset:linux-6.2,q' linux-6.2,qemu=
among 'xferry explain linux-6' linux-6.2 linux-6.12
offers 'xferry route vm.q' vm.qevm vm.qevm.xfundo
offers 'xferry route vm.qevm preset:linux-6.2' linux-6.2
offers 'xferry route --cpu qemu64 vm.q' vm.qevm vm.qevm.xfundo
offers 'xferry route --cpu=qemu64 vm.qevm preset:pve-7 pre' preset:
offers 'xferry route vm.qevm --json preset:pve-7 preset:linux-6.2,-pk' linux-6.2,-pkru
offers 'xferry route --exposed x87 - preset:pve-8-6.8,+xtiled' pve-8-6.8,+xtiledata
offers 'xferry fix --only pk' pkru
offers 'xferry fix --only=pk' pkru
offers 'xferry check --exposed x87,ss' x87,sse
offers 'xferry check --cpu ma' max
offers 'xferry check --cpu max,-pk' max,-pku
offers 'xferry check vm' vm.qevm vm.qevm.xfundo
offers 'xferry check --jobs '
offers 'xferry check --jobs 2 vm' vm.qevm vm.qevm.xfundo
offers 'xferry check two' 'two words.qevm'
offers 'xferry undo v' vm.qevm.xfundo
offers 'xferry fix --in-place --undo-file vm.qevm.' vm.qevm.xfundo
if command -v qemu-system-x86_64 >/dev/null; then
	among 'xferry check --cpu q' qemu64
	among 'xferry check --cpu EPYC-M' EPYC-Milan
fi
