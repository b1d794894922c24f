#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The packages as people get them: built in one clean Debian 12, twice, in places and ways as
# different as can be, with the same result; installed by apt in another, each alone and all
# together; used there; upgraded; and gone without a trace. dkms.sh has the module at work.
#
#   SOURCE, the source tree. KEEP=yes keeps logs and packages, DEBS=DIRECTORY takes packages
#   that have been built already.
: "${SOURCE:?names the source tree}"
# shellcheck source=../lib.sh
. "$SOURCE/tests/lib.sh"
# shellcheck source=root-lib.sh
. "$SOURCE/tests/package/root-lib.sh"
# shellcheck source=build-lib.sh
. "$SOURCE/tests/package/build-lib.sh"
need_roots
need git python3 dpkg-deb lzop zstd

cleanup=()
place=$(mktemp -d "${TMPDIR:-/tmp}/xferry-debian.XXXXXX")
chmod 755 "$place"
leave() {
	local step

	for step in "${cleanup[@]}" "discard $place/build" "discard $place/root"; do
		$step
	done
	[ -n "${KEEP:-}" ] || rm -rf --one-file-system "$place"
}
trap leave EXIT

# ---- Built ----

# Source and packages; the project's own unit tests run while it is built.
builds() {
	local ran

	root=$place/build
	build_root "$root"
	build_packages "$root" -j2
	ran=$(sed -nE 's/^Ok: +([0-9]+).*/\1/p' "$root.build.log")
	[ "${ran:-0}" -ge 30 ] || die "the build has run ${ran:-no} tests of the code"
	mkdir "$place/debs"
	cp -t "$place/debs" "$root"/src/*.deb
	debs=$place/debs
	echo "ok built, $ran tests of the code ran"

	apt_install "$root" lintian
	# Shown, overridden tags would count.
	inside "$root" sh -c "lintian --allow-root --info --display-info --pedantic \
		--fail-on error,warning,info,pedantic /src/xferry_${version}_amd64.changes" \
		>"$root.lintian.log" 2>&1 || {
		cat "$root.lintian.log"
		die 'lintian is not content'
	}
	echo 'ok lintian'
}

# Another path, file system (so another order of files), user, umask, host name, time zone,
# language, number of jobs, without tests, more than a year later: the same, to the byte.
builds_the_same_again() {
	local deb differ=0

	apt_install "$root" faketime
	inside "$root" useradd other
	rm -rf "$root/src/again"
	# shellcheck disable=SC2016 # expanded inside
	quietly "$root.again.log" inside "$root" unshare --uts sh -euc '
		hostname elsewhere
		mkdir -p /another/place
		mount -t tmpfs none /another/place
		mkdir -p /another/place/of/another/depth
		cp -r /src/xferry /another/place/of/another/depth/tree
		chown -R other: /another/place
		umask 0002
		runuser -u other -- env -C /another/place/of/another/depth/tree \
			TZ=XFE-14 LC_ALL=C.UTF-8 LANGUAGE=fr HOME=/nowhere USER=other \
			DEB_BUILD_OPTIONS="nocheck parallel=1" NO_FAKE_STAT=1 \
			faketime -f +400d sh -c "debian/rules clean && dpkg-buildpackage -us -uc -b"
		mkdir /src/again
		cp -t /src/again /another/place/of/another/depth/*.deb'
	for deb in "$root"/src/*.deb; do
		cmp -s "$deb" "$root/src/again/${deb##*/}" || {
			echo "${deb##*/} is another"
			differ=$((differ + 1))
		}
	done
	[ "$differ" = 0 ] || die 'a second build has made other packages (above); diffoscope tells why'
	echo "ok $(find "$root/src/again" -name '*.deb' | wc -l) packages, the same from two builds"
	(cd "$debs" && sha256sum -- *.deb)
}

# ---- Installed ----

# A place that apt can install from. Its index is made by hand: there are no tools for that in a
# clean system.
make_archive() {
	local into=$1 version=$2 deb

	mkdir -p "$into"
	for deb in "$into"/*.deb; do
		dpkg-deb -f "$deb"
		printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "${deb##*/}" "$(stat -c %s "$deb")" \
			"$(sha256sum <"$deb" | cut -d ' ' -f 1)"
	done >"$into/Packages"
	echo "ok an archive with version $version"
}

# older_packages FROM INTO: the same with a lower version.
older_packages() {
	local name tree=$place/older

	mkdir -p "$2"
	for name in "${built[@]}"; do
		rm -rf "$tree"
		dpkg-deb -R "$(deb_of "$1" "$name")" "$tree"
		sed -i "/^Version:\|^Depends:/s/\b${version//./\\.}\b/0.0.9/g" "$tree/DEBIAN/control"
		dpkg-deb --root-owner-group -b "$tree" "$2/${name}_0.0.9.deb" >/dev/null
	done
	rm -rf "$tree"
}

install_root() {
	root=$place/root
	fresh_root "$root"
	mkdir -p "$root/src/new" "$root/src/old"
	for name in "${built[@]}"; do
		cp -t "$root/src/new" "$(deb_of "$debs" "$name")"
	done
	make_archive "$root/src/new" "$version"
	older_packages "$debs" "$root/src/old"
	make_archive "$root/src/old" 0.0.9
	sources=$root/etc/apt/sources.list.d/test.list
	offer new
}

# offer new | old: which of them apt installs.
offer() {
	echo "deb [trusted=yes] file:/src/$1 ./" >"$sources"
	apt_get "$root" update
}

# Names, kinds, modes and sizes of all that is there; not what records what was done.
listing() {
	(cd "$root" && find . -xdev \( -path ./proc -o -path ./dev -o -path ./src -o -path ./tmp \
		-o -path ./var/log -o -path ./var/cache -o -path ./var/lib/apt \
		-o -path ./var/lib/dpkg -o -path ./etc/ld.so.cache \
		-o -path ./etc/apt/sources.list.d \) -prune \
		-o -type d -printf '%p %y %m\n' -o -printf '%p %y %m %s %l\n') | sort
	# shellcheck disable=SC2016 # dpkg's own
	inside "$root" dpkg-query -W -f '${Package} ${Version} ${db:Status-Status}\n'
}

# leaves_nothing WHAT: once it is purged, all is as it was in the beginning.
leaves_nothing() {
	apt_get "$root" purge "${built[@]}"
	apt_get "$root" --purge autoremove
	listing | diff "$place/before" - || die "$1: the above is left, or gone"
	echo "ok $1: gone without a trace"
}

# Nothing but what a package needs comes along with it, and it is all there.
each_alone() {
	local name

	for name in xferry libxferry0 libxferry-dev libxferry-guard; do
		apt_install "$root" "$name"
		inside "$root" dpkg --verify "$name"
		case $name in
		xferry) inside "$root" xferry explain pkru >"$place/said" ;;
		libxferry-guard) inside "$root" env LD_PRELOAD="$guard" true >"$place/said" 2>&1 ;;
		esac
		leaves_nothing "$name alone"
	done
}

# ---- Used ----

# What debian/tests has for autopkgtest, where it is installed.
runs_autopkgtests() {
	local name

	for name in command library guard; do
		quietly "$root.$name.log" inside "$root" sh -euc "cd /src/xferry; debian/tests/$name"
		cat "$root.$name.log"
	done
}

finds_manual() {
	local page count=0

	for page in "$SOURCE"/docs/man/*.scd; do
		page=$(basename "$page" .scd)
		inside "$root" man -w "${page##*.}" "${page%.*}" >"$place/said" 2>&1 ||
			die "man does not find $page"
		inside "$root" sh -c "MANWIDTH=80 man '${page##*.}' '${page%.*}'" 2>&1 | grep -q '^NAME$' ||
			die "man does not show $page"
		count=$((count + 1))
	done
	[ "$count" -ge 13 ] || die "only $count pages"
	echo "ok $count pages of the manual"
}

# says STATUS LINE COMMAND...: in /tmp/try, that one line and nothing else.
says() {
	local due=$1 line=$2 status=0 told

	shift 2
	told=$(inside "$root" env -C /tmp/try "$@" 2>&1) || status=$?
	[ "$status $told" = "$due $line" ] || die "$*: expected '$due $line', got '$status $told'"
	echo "ok $*: $told"
}

# Neither zstd nor lzop is there; what needs them says so, and nothing is written.
lacks_packers() {
	local kind

	mkdir -p "$root/tmp/try"
	for kind in zstd lzop; do
		! inside "$root" sh -c "command -v $kind" || die "$kind is in the clean system"
		python3 "$SOURCE/tests/formats/libvirt.py" make "$root/tmp/try/$kind" \
			"$SOURCE/tests/samples/leaky-pc-qemu64.qevm" --pack "$kind"
	done
	(cd "$root/tmp/try" && sha256sum -- *) >"$place/packed"
	says 8 'xferry: lzop: needs the program lzop, which is not installed' xferry check lzop
	says 8 'xferry: /tmp/try/zstd.xfnew: needs the program zstd, which is not installed' \
		xferry fix --in-place zstd
	inside "$root" env -C /tmp/try xferry check zstd >"$place/said" || [ $? = 4 ] ||
		die 'xferry check cannot read zstd'
	(cd "$root/tmp/try" && sha256sum -- *) | diff "$place/packed" - || die 'something was written'
	rm -r "$root/tmp/try"
}

# ---- The story ----

exec {lock}>"$base.lock"
flock "$lock"
make_base
if [ -n "${DEBS:-}" ]; then
	debs=$DEBS
else
	builds
	builds_the_same_again
fi

guard=/usr/lib/x86_64-linux-gnu/libxferry-guard.so
install_root
listing >"$place/before"
each_alone

tools=(gcc libc6-dev man-db pkg-config)
apt_install "$root" "${tools[@]}" dkms
listing >"$place/before"
copy_source "$root"
apt_install "$root" "${built[@]}"
runs_autopkgtests
finds_manual
lacks_packers
apt_get "$root" --reinstall install "${built[@]}"
inside "$root" dpkg --verify "${built[@]}"
inside "$root" xferry --version
leaves_nothing 'all together, installed twice'

offer old
apt_install "$root" "${built[@]}"
offer new
apt_get "$root" --only-upgrade install "${built[@]}"
for name in "${built[@]}"; do
	# shellcheck disable=SC2016 # dpkg's own
	[ "$(inside "$root" dpkg-query -W -f '${Version} ${db:Status-Status}' "$name")" = \
		"$version installed" ] || die "$name was not upgraded"
	inside "$root" dpkg --verify "$name"
done
echo 'ok upgraded from 0.0.9'
leaves_nothing 'upgraded'
