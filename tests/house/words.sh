#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2119 # functions that may go without arguments
# Nothing names a place of the machine on which it was written: no private path, no
# host but those of a short list.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

# In brackets, so that this file is not a case of its own.
paths='(^|[^[:alnum:]_.])/(wor[k]|roo[t]|hom[e]|Use[r]s)/[[:alnum:]_.]'
# Hosts of public projects that documents may point to.
hosts='(([a-z]+\.)?(kernel|debian|gnu|fsf|qemu|spdx|libvirt|python|mesonbuild)\.org|proxmox\.com|github\.com|gitlab\.com|intel\.com|amd\.com|man7\.org)'

list=$(files | grep -vEx '.*\.qevm|LICENSE')
while IFS= read -r found; do
	complain "names a path of a machine: $found"
done < <(xargs -d '\n' grep -aHEn "$paths" <<<"$list")

# PATH:PROTOCOL://[USER@]HOST, of which what is before the host is of no interest but the path.
while IFS= read -r found; do
	complain "names a foreign host: $found"
done < <(xargs -d '\n' grep -aHoEi '(https?|ftp|git|ssh|rsync)://[^/"<>() :`]+' <<<"$list" |
	sed -E 's|:[a-z]+://([^@]*@)?|: |I' | sort -u | grep -Evx "[^:]*: ([a-z0-9-]+\.)*$hosts")

# The mirror that this machine's packages come from, whatever it is.
# shellcheck disable=SC2016 # a variable of apt
site='$(SITE)'
if command -v apt-get >/dev/null; then
	while IFS= read -r host; do
		case $host in
		'' | *.debian.org) continue ;;
		esac
		if found=$(xargs -d '\n' grep -alF "$host" <<<"$list"); then
			complain "the mirror of this machine is named in: $found"
		fi
	done < <(apt-get indextargets --format "$site" 2>/dev/null |
		sed -E 's|^[^:]*://||; s|.*@||; s|[:/].*||' | sort -u)
fi
finish "$(wc -l <<<"$list") files name no machine of ours"
