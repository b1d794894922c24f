#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# How long a probe of this machine's KVM takes, the start of the program included.
#
#	probe.sh XFERRY
#
# Prints the median of 101 runs; fails above 50 ms. Skips with 77 without a KVM.

set -euo pipefail

if ! { : <>/dev/kvm; } 2>/dev/null; then
	echo 'skipped: no /dev/kvm that may be used'
	exit 77
fi

for _ in {1..101}; do
	start=${EPOCHREALTIME/./}
	"$1" probe >/dev/null
	echo $((${EPOCHREALTIME/./} - start))
done | sort -n | awk '{ us[NR] = $1 } END {
	median = us[(NR + 1) / 2]
	printf "probe: median %.1f ms, fastest %.1f ms, slowest %.1f ms\n",
		median / 1000, us[1] / 1000, us[NR] / 1000
	exit median > 50000
}'
