# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Builds the packages of debian/ in a clean system. Sourced behind root-lib.sh.

# The version that everything has: source.sh holds debian/changelog against it.
version=$(sed -nE "s/^  version: '([^']+)',/\1/p" "$SOURCE/meson.build" | head -n 1)
built=(libxferry-dev libxferry-guard libxferry0 xferry xferry-dkms)

# copy_source ROOT: what would be committed, in the root's /src/xferry.
copy_source() {
	mkdir -p "$1/src/xferry"
	git -c safe.directory="$SOURCE" -C "$SOURCE" ls-files -co --exclude-standard -z |
		while IFS= read -rd '' name; do
			[ ! -e "$SOURCE/$name" ] || printf '%s\0' "$name"
		done |
		tar -C "$SOURCE" --null -T - -c | tar -C "$1/src/xferry" -x --no-same-owner
}

# build_root ROOT: a clean system with what debian/control says a build needs, and no more.
build_root() {
	fresh_root "$1"
	apt_install "$1" build-essential
	copy_source "$1"
	apt_get "$1" build-dep /src/xferry/
}

# build_packages ROOT OPTIONS...: of dpkg-buildpackage; DEB_BUILD_OPTIONS as it is here.
build_packages() {
	local root=$1 name

	shift
	quietly "$root.build.log" inside "$root" \
		env DEB_BUILD_OPTIONS="${DEB_BUILD_OPTIONS:-}" sh -c \
		'cd /src/xferry && dpkg-buildpackage -us -uc "$@"' build "$@"
	for name in "${built[@]}"; do
		[ -n "$(deb_of "$root/src" "$name")" ] || die "no package $name was made"
	done
}

# deb_of DIRECTORY NAME: the package's file there.
deb_of() {
	find "$1" -maxdepth 1 -name "$2_${version}_*.deb"
}
