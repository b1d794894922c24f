#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The graph of #include: a layer uses itself and those nearer to core/, never the others.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

# Layer: what a file in it may include in quotes, as patterns.
declare -A may=(
	[core]='core/*.h'
	[base]='base/*.h core/*.h xferry.h'
	[guard]='guard/*.h host/*.h base/*.h core/*.h xferry.h'
	[host]='host/*.h base/*.h core/*.h xferry.h'
	[state]='state/*.h host/*.h base/*.h core/*.h xferry.h'
	[cli]='cli/*.h xferry.h'
	[kmod]='core/*.h account.h compat.h hooks.h judge.h params.h trace.h vcpu.h version.h'
	[lab]='lab/*.h host/*.h base/*.h core/*.h xferry.h'
	[include]='core/*.h'
)
# And in angle brackets; a layer that is not named here may include any.
declare -A may_system=(
	[core]='stdbool.h stddef.h stdint.h linux/limits.h linux/stddef.h linux/types.h'
	[kmod]='linux/*.h asm/*.h trace/define_trace.h'
	[cli]='dirent.h endian.h errno.h fcntl.h getopt.h inttypes.h libgen.h linux/audit.h linux/filter.h
		linux/magic.h linux/seccomp.h locale.h pthread.h sched.h signal.h stdarg.h stdbool.h
		stddef.h stdint.h stdio.h stdio_ext.h stdlib.h string.h sys/auxv.h sys/ioctl.h sys/prctl.h sys/stat.h
		sys/syscall.h sys/vfs.h time.h unistd.h
		json-c/json.h'
	[include]=''
)

allowed() {
	local header=$1 pattern
	shift
	for pattern; do
		# shellcheck disable=SC2254 # a pattern is meant
		case $header in
		$pattern) return 0 ;;
		esac
	done
	return 1
}

# Splits without expanding the patterns.
set -f
count=0
for layer in "${!may[@]}"; do
	# shellcheck disable=SC2206 # words are meant
	quoted=(${may[$layer]})
	while IFS=: read -r file line text; do
		count=$((count + 1))
		kind=${text%%[!\"<]*}
		header=${text#[\"<]}
		header=${header%[\">]*}
		if [ "$kind" = '"' ]; then
			allowed "$header" "${quoted[@]}" ||
				complain "$file:$line: $layer/ may not include \"$header\""
		elif [ -n "${may_system[$layer]+set}" ]; then
			# shellcheck disable=SC2086 # words are meant
			allowed "$header" ${may_system[$layer]} ||
				complain "$file:$line: $layer/ may not include <$header>"
			[[ $layer != core || $header != linux/* || $file = core/bits.h ]] ||
				complain "$file:$line: core/bits.h alone may include <$header>"
		fi
	done < <(files "$layer/*.[ch]" | while IFS= read -r path; do
		sed -nE "s|^[[:space:]]*#[[:space:]]*include[[:space:]]*([\"<][^\">]*[\">]).*|$path:\1|p;" \
			"$path" | awk -F: '{ print $1 ":include:" $2 }'
	done)
done

# The public header must reach every header of core/ that is installed, and no other.
[ "$count" -gt 50 ] || complain "only $count includes were seen"
finish "$count includes keep to the layers"
