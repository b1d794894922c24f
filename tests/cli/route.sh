#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What goes wrong with `xferry route`, and what its cases do not show.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need jq

sample leaky-pc-qemu64.qevm vm
echo 'no stream' >foreign
head -c 70000 vm >short
echo '{"schema": 2, "supported": "0x7"}' >later.json
old=preset:pve-7
new=preset:debian-12

# Arguments.
fails 16 'name a saved state or a mask, then at least two hosts' route
fails 16 'name a saved state or a mask, then at least two hosts' route vm
fails 16 'name a saved state or a mask, then at least two hosts' route vm $old
fails 16 'before the hosts' route $old $new
fails 16 'before the hosts' route $old $new $new
many=()
for ((i = 0; i < 65; i++)); do many+=("$new"); done
fails 16 'more than 64 hosts is not predicted' route vm "${many[@]}"
run 0 route 0x3 "${many[@]:1}"
[ "$(grep -c '^hop ' "$said/out")" = 63 ] || die '63 hops expected'
for option in to only output undo-file in-place; do
	fails 16 "has no option '--$option'" route --$option vm $old $new
done
for option in cpu xml qm cpuid exposed from; do
	fails 16 "'--$option' needs an argument" route vm $old $new --$option
done
fails 16 'only one of --cpu, --xml, --qm, --cpuid or --exposed' \
	route --cpu qemu64 --exposed 3 vm $old $new
fails 16 'unknown CPU model "qemu65"' route --cpu qemu65 vm $old $new

# Masks.
fails 16 "'0xg' is no file, and as a mask: unknown state component \"0xg\"" route 0xg $old $new
fails 16 "'pkruu' is no file, and as a mask: .*the nearest name is \"pkru\"" \
	route pkruu $old $new
fails 16 "'x87,avz' is no file, and as a mask: .*\"avx\"" route x87,avz $old $new
fails 16 "'0x10000000000000000' is no file" route 0x10000000000000000 $old $new
fails 16 "'' is no file, and as a mask: no state component named" route '' $old $new
cp vm 0x207
run 0 route --json 0x207 $new $new
jq -e '.file == null and .in_use == "0x207"' "$said/out" >"$said/jq" || die '0x207 is a mask'
run 4 route --json --cpu qemu64 ./0x207 $old $new,-pku
jq -e '.file == "./0x207" and .in_use == null' "$said/out" >"$said/jq" ||
	die './0x207 is a file'
mv 0x207 avx2
run 0 route --json --cpu qemu64 avx2 $old $new
jq -e '.file == "avx2"' "$said/out" >"$said/jq" || die 'avx2 is a file, as it is no mask'
rm avx2
run 4 route none $old $new,-pku
grep -q '^in use on the first host: none (0x0)$' "$said/out" || die 'none is a mask'

# What told of the guest tells of it to the repair.
echo '<cpu><model>qemu64</model></cpu>' >vm.xml
run 4 route --xml vm.xml vm $old $new,-pku
grep -q '^  repair before hop 1: xferry fix --xml vm.xml --to ' "$said/out" || die '--xml is passed on'
printf '%s\n' 'cpu: qemu64' 'smbios1: uuid=1' >100.conf
run 4 route --qm 100.conf 0x207 $old $old $new,-pku
grep -q '^  repair before hop 2: xferry filter --qm 100.conf --to ' "$said/out" ||
	die '--qm is passed on'

# Hosts.
fails 16 'unknown preset "linux-1.0"' route vm $old preset:linux-1.0
fails 16 'unknown preset "nowhere"' route vm preset:nowhere $new
fails 8 '^xferry: nowhere: open: No such file' route vm $old nowhere
fails 8 '^xferry: nowhere: open: No such file' route 0x3 $old $new nowhere
fails 64 '^xferry: later\.json: ' route vm $old later.json
fails 8 '^xferry: vm: ' route vm $old vm

# States. The hosts' own errors come before the state is looked at.
fails 16 'unknown preset' route nowhere.qevm $old preset:nowhere
fails 8 '^xferry: nowhere\.qevm: open: No such file' route nowhere.qevm $old $new
fails 64 '^xferry: foreign: ' route foreign $old $new
fails 8 '^xferry: short: ' route short $old $new
run 64 route --json foreign $old $new
jq -e '.schema == 1 and .file == "foreign" and (.error | length > 10)' "$said/out" \
	>"$said/jq" || die 'an error is told in JSON too'
run 8 route --json ./nowhere $old $new
jq -e '.file == "./nowhere"' "$said/out" >"$said/jq" || die 'an error is told in JSON too'
run 4 route --cpu qemu64 - $old $new,-pku < <(cat vm)
grep -q '^  repair before hop 1: .* -o COPY STATE$' "$said/out" ||
	die 'what came by a pipe cannot be named'

# Of a mask there is no file: the filter is named, and does to a stream what fix does to a file.
run 4 route --cpu qemu64 0x207 $old $new,-pku
sed -n 's/^  repair before hop 1: xferry \(filter .*\)/\1/p' "$said/out" >"$said/filter"
eval "\"$XFERRY\" $(cat "$said/filter")" <vm >passed 2>"$said/err" || [ $? = 1 ] ||
	die 'the filter that it names fails'
run 1 fix --cpu qemu64 --to $new,-pku -o fixed vm
cmp passed fixed || die 'the filter that it names does not do what fix does'

# Words that a shell would split or expand are quoted, and steer no terminal.
mkdir "a b"
cp vm "a b/it's \$x"
run 4 route --cpu qemu64 "a b/it's \$x" $old $new,-pku
sed -n 's/^  repair before hop 1: xferry //p' "$said/out" >"$said/fix"
eval "\"$XFERRY\" $(cat "$said/fix")" >"$said/out" || [ $? = 1 ] || die 'what it says to do fails'
[ -f COPY ] || die 'no copy was made'
run 4 route --exposed x87 "./a b/it's \$x" $old $new,-pku
grep -q "^  repair .* --exposed x87 --to $new,-pku -o COPY './a b/it'\\\\''s \\\$x'\$" "$said/out" ||
	die "the command is not quoted: $(cat "$said/out")"
cp vm $'vm\x1b[1m'
run 4 route --cpu qemu64 $'vm\x1b[1m' $old $new,-pku
if LC_ALL=C grep -q $'\x1b' "$said/out"; then die 'a file name steers the terminal'; fi

# Evidence is handed on as it was given.
cat >host.json <<'JSON'
{"schema": 1, "supported": "0x7", "get": "trims", "set": "host"}
JSON
run 4 route --cpu host --from host.json vm $old $new,-pku
grep -q '^  repair before hop 1: xferry fix --cpu host --from host.json --to ' "$said/out" ||
	die 'not the evidence that was given'
echo 'ok route'
