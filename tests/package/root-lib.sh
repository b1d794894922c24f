# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Clean Debian 12 systems to build and install packages in. Each is a fresh copy of one
# that debootstrap made; that, and what apt has fetched, is kept beside the roots of
# script/qemu-root. To make it anew, remove the directory "bookworm-clean" there.
# Sourced behind tests/lib.sh, with SOURCE set.
# shellcheck source=../../script/debian-lib.sh
. "$SOURCE/script/debian-lib.sh"

roots=${XDG_CACHE_HOME:-$HOME/.cache}/xferry/roots
base=$roots/bookworm-clean
archives=$roots/bookworm-archives

# Without these there can be no such system; without a mirror neither (fresh_root).
need_roots() {
	[ "$(id -u)" = 0 ] || skip 'a clean system needs root'
	need debootstrap apt-get unshare chroot flock
	unshare --mount --pid --fork true 2>/dev/null || skip 'no namespace can be made here'
	[ -n "$(apt_field REPO_URI)" ] || skip 'apt knows no mirror of Debian'
}

# What apt here was told of how to fetch: proxies, credentials, checks of dates.
copy_apt_setup() {
	local root=$1 part mirror

	apt-config dump | grep -E '^Acquire::' |
		grep -vE '^Acquire::(IndexTargets|CompressionTypes|GzipIndexes|Changelogs|cdrom)' \
			>"$root/etc/apt/apt.conf.d/00machine" || true
	for part in auth.conf auth.conf.d trusted.gpg trusted.gpg.d; do
		[ ! -e "/etc/apt/$part" ] || cp -rT "/etc/apt/$part" "$root/etc/apt/$part"
	done
	cp "$(find_keyring)" "$root/etc/apt/keyrings/"
	part=signed-by=/etc/apt/keyrings/$(basename "$(find_keyring)")
	mirror=$(apt_field REPO_URI)
	printf 'deb [%s] %s %s main\n' "$part" "$mirror" bookworm \
		"$part" "$mirror" bookworm-backports >"$root/etc/apt/sources.list"
	mirror=$(apt_field REPO_URI Debian-Security)
	[ -z "$mirror" ] || printf 'deb [%s] %s %s main\n' "$part" "$mirror" bookworm-security \
		>>"$root/etc/apt/sources.list"
	# Recommended packages are not part of what is to be seen.
	echo 'APT::Install-Recommends "false";' >"$root/etc/apt/apt.conf.d/01test"
}

make_base() {
	local made

	mkdir -p "$archives/partial"
	[ ! -d "$base" ] || return 0
	made=$(mktemp -d "$base.XXXXXX")
	# shellcheck disable=SC2064 # the name as it is now
	cleanup+=("discard $made")
	chmod 755 "$made"
	echo "making a clean Debian 12, log in $base.log"
	bootstrap_debian bookworm "$made" "$base.log"
	find "$made/var/cache/apt/archives" -name '*.deb' -exec mv -t "$archives" {} +
	mv -T "$made" "$base"
}

# inside ROOT COMMAND...: runs it in there, with /proc, /dev and the fetched packages
# mounted for as long as it runs.
inside() {
	local root=$1

	shift
	# shellcheck disable=SC2016 # expanded inside
	unshare --mount --pid --fork --kill-child bash -euc '
		root=$1 archives=$2
		shift 2
		mount -t proc proc "$root/proc"
		mount --rbind /dev "$root/dev"
		mount --bind "$archives" "$root/var/cache/apt/archives"
		exec chroot "$root" env -i LC_ALL=C DEBIAN_FRONTEND=noninteractive HOME=/root \
			PATH=/usr/sbin:/usr/bin:/sbin:/bin \
			${http_proxy:+http_proxy="$http_proxy"} \
			${https_proxy:+https_proxy="$https_proxy"} "$@"
	' inside "$root" "$archives" "$@" </dev/null
}

# quietly LOG COMMAND...: what it says goes to a file, of which the end is shown if it fails.
quietly() {
	local log=$1

	shift
	"$@" >"$log" 2>&1 || {
		tail -n 30 "$log"
		die "$* (all of what it said: $log)"
	}
}

# fresh_root DIRECTORY: a clean system with an index of today.
fresh_root() {
	cp -a --reflink=auto "$base" "$1"
	cp /etc/resolv.conf /etc/hosts "$1/etc/"
	copy_apt_setup "$1"
	inside "$1" apt-get -q update >"$1.update.log" 2>&1 ||
		skip "the mirror cannot be asked: $(grep -m 1 '^[EW]:' "$1.update.log")"
}

# apt_get ROOT COMMAND...: others may use the fetched packages at the same time, and apt does not
# wait for them.
apt_get() {
	local root=$1 log=$1.apt.log tries

	shift
	for ((tries = 0; tries < 120; tries++)); do
		! inside "$root" apt-get -q -y "$@" >"$log" 2>&1 || return 0
		grep -q 'Could not get lock /var/cache/apt/archives/' "$log" || break
		sleep 5
	done
	tail -n 30 "$log"
	die "apt-get $* (all of what it said: $log)"
}

# apt_install ROOT PACKAGE...
apt_install() {
	apt_get "$1" install "${@:2}"
}
