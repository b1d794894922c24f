# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Roots of Debian suites, from the mirror and with the keyring that apt here has been set
# up with; signatures are always checked. Sourced by scripts that have a function `die`.

# One field of apt's first binary index of Debian proper, or of another label.
apt_field()
{
	apt-get indextargets --format "\$($1)" \
		'Created-By: Packages' 'Origin: Debian' "Label: ${2:-Debian}" |
		sed -n 1p
}

# The keyring to check the suite's Release with: the one named for that mirror,
# else what apt trusts for every mirror.
find_keyring()
{
	local named trusted

	named=$(apt_field SIGNED_BY)
	if [[ $named == /* && -r $named ]]; then
		echo "$named"
		return
	fi
	for trusted in /usr/share/keyrings/debian-archive-keyring.gpg \
		       /etc/apt/trusted.gpg; do
		if [[ -r $trusted ]]; then
			echo "$trusted"
			return
		fi
	done
	die 'apt names no keyring for Debian; install debian-archive-keyring'
}

# Removes a half-built root, never what may still be mounted in it.
discard()
{
	local dir=$1 mount

	while read -r mount; do
		umount -l "$mount" || return
	done < <(awk -v d="$dir/" 'index($2, d) == 1 { print $2 }' \
		 /proc/self/mounts | sort -r)
	rm -rf --one-file-system "$dir"
}

# bootstrap_debian SUITE DIRECTORY LOG [WORD...]: the suite's smallest root; the words are debootstrap's.
bootstrap_debian()
{
	local suite=$1 dest=$2 log=$3 mirror keyring

	shift 3
	[[ $(id -u) == 0 ]] || die "building the $suite root needs root"
	command -v debootstrap >/dev/null || die 'debootstrap is not installed'
	command -v apt-get >/dev/null ||
		die 'the mirror is taken from apt, which is not here'
	mirror=$(apt_field REPO_URI)
	[[ -n $mirror ]] ||
		die 'apt knows no Debian mirror; set up sources and run apt-get update'
	keyring=$(find_keyring)
	if ! debootstrap --variant=minbase --arch=amd64 --keyring="$keyring" \
			--force-check-gpg "$@" "$suite" "$dest" "$mirror" >"$log" 2>&1; then
		die "debootstrap of $suite failed: $(grep '^[EW]: ' "$log" |
			tail -n 1 || true) (see $log)"
	fi
}
