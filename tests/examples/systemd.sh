#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# examples/systemd: systemd takes every line of the unit and thinks it safe; and its command does
# its work with the rights that the unit leaves it, of which one is needed.
# shellcheck source=../cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"
unit=$SOURCE/examples/systemd/xferry-check@.service

sample leaky-pc-qemu64.qevm vm
chmod 600 vm
chmod 755 "$place"

# Its command, with the place of this test and the program that was built.
words=$(sed -n 's,^ExecStart=/usr/bin/xferry \(.*\)%I$,\1,p' "$unit")
[ "$words" = 'check /' ] || die "the unit's command is another: $words"
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	for capability in $(sed -n 's/^AmbientCapabilities=CAP_//p' "$unit" | tr '[:upper:]' '[:lower:]'); do
		kept+=,+$capability
	done
	as_unit() {
		setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs \
			"--bounding-set=-all$1" "--inh-caps=-all$1" "--ambient-caps=-all$1" \
			"$program" check "$place"
	}
	# A user without rights may not get as far as to where it was built.
	mkdir program
	program=$XFERRY
	for file in "$XFERRY" "${BUILD:-/nowhere}"/libxferry.so.0; do
		[ ! -e "$file" ] || cp "$file" program/
	done
	[ ! -e program/libxferry.so.0 ] || export LD_LIBRARY_PATH=$place/program program=$place/program/xferry
	as_unit "${kept:-}" >"$said/out" 2>"$said/err" || [ $? = 4 ] || die "$(cat "$said/err")"
	grep -q '^1 state: 0 clean, 1 with findings' "$said/out" || die "$(cat "$said/out" "$said/err")"
	status=0
	as_unit '' >"$said/out" 2>"$said/err" || status=$?
	if [ $status != 8 ] || ! grep -q 'vm: open: Permission denied' "$said/err"; then
		die "the right is not needed: status $status"
	fi
	unset LD_LIBRARY_PATH
	echo "ok the unit's command with the unit's rights ($kept), and not without"
fi

need systemd-analyze
sed "s,^ExecStart=/usr/bin/xferry,ExecStart=$XFERRY," "$unit" >xferry-check@.service
systemd-analyze verify ./xferry-check@.service >"$said/out" 2>&1 || true
# The pages need not be installed here.
! grep 'xferry-check@' "$said/out" | grep -v "Command 'man " || die 'systemd does not like the unit'
systemd-analyze security --offline=true --threshold=15 --no-pager ./xferry-check@.service \
	>"$said/out" 2>&1 || die "$(tail -n 1 "$said/out")"
echo "ok systemd: $(tail -n 1 "$said/out" | grep -oE '[0-9.]+ [A-Z]+')"
