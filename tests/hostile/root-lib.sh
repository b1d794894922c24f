# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A Debian 12 that compiles for other architectures and for another libc, so that the machine's own
# architectures stay as they are. Made once, and kept beside the others of tests/package; to make
# it anew, remove the directory "bookworm-hostile" there. Sourced behind tests/lib.sh, with SOURCE
# set.
# shellcheck source=../package/root-lib.sh
. "$SOURCE/tests/package/root-lib.sh"

# As Debian names them.
foreign=(i386 s390x)
hostile=$roots/bookworm-hostile
libraries=(libjson-c-dev libyajl-dev zlib1g-dev libxml2-dev libarchive-dev libacl1-dev
	libcmocka-dev)
tools=(gcc libc6-dev meson ninja-build pkg-config python3 jq bc file
	lzop zstd xz-utils bzip2 acl attr
	gcc-i686-linux-gnu gcc-s390x-linux-gnu qemu-user-static
	musl-tools cmake make dpkg-dev)

# The release alone, without its updates: they do not come on the same day to all architectures,
# and packages of two versions cannot stand side by side.
only_the_release() {
	local root=$1 from

	from="[signed-by=/etc/apt/keyrings/$(basename "$(find_keyring)")] $(apt_field REPO_URI)"
	printf '%s %s bookworm main\n' deb "$from" deb-src "$from" >"$root/etc/apt/sources.list"
}

make_hostile_root() {
	local made architecture packages=()

	[ ! -d "$hostile" ] || return 0
	make_base
	made=$(mktemp -d "$hostile.XXXXXX")
	# shellcheck disable=SC2064 # the name as it is now
	cleanup+=("discard $made")
	echo "making a Debian 12 for other architectures, logs beside $made"
	cp -a --reflink=auto -T "$base" "$made"
	cp /etc/resolv.conf /etc/hosts "$made/etc/"
	copy_apt_setup "$made"
	only_the_release "$made"
	for architecture in "${foreign[@]}"; do
		inside "$made" dpkg --add-architecture "$architecture"
		packages+=("${libraries[@]/%/:$architecture}")
	done
	inside "$made" apt-get -q update >"$made.update.log" 2>&1 ||
		skip "the mirror cannot be asked: $(grep -m 1 '^[EW]:' "$made.update.log")"
	apt_install "$made" "${tools[@]}" "${packages[@]}"
	rm -f "$made".*.log
	mv -T "$made" "$hostile"
}

# open_hostile_root NAME: there is one, and nobody else builds NAME in it.
open_hostile_root() {
	mkdir -p "$roots"
	exec {lock}>"$hostile.lock"
	flock "$lock"
	make_hostile_root
	exec {lock}>"$hostile.$1.lock"
	flock "$lock"
	mkdir -p "$hostile/src"
}

# copy_source DIRECTORY: what would be committed.
copy_source() {
	rm -rf "$1"
	mkdir -p "$1"
	git -c safe.directory="$SOURCE" -C "$SOURCE" ls-files -co --exclude-standard -z |
		tar -C "$SOURCE" --null --ignore-failed-read -T - -c |
		tar -C "$1" -x --no-same-owner
}
