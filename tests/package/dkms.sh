#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# xferry-dkms as people get it: built in one clean Debian 12, installed by apt in another.
# DKMS builds the module for the kernel of the release and for the one of backports, each
# boots in the lab with that very file, and once the package is gone nothing is left.
#
#   SOURCE, the source tree; BUILD, where the lab's programs are. KEEP=yes keeps logs and package,
#   PACKAGE=FILE takes a package that has been built already.
: "${SOURCE:?names the source tree}"
: "${BUILD:?names the build directory}"
# shellcheck source=../lib.sh
. "$SOURCE/tests/lib.sh"
# shellcheck source=root-lib.sh
. "$SOURCE/tests/package/root-lib.sh"
# shellcheck source=build-lib.sh
. "$SOURCE/tests/package/build-lib.sh"
need_roots
need git python3 dpkg-deb meson

cleanup=()
place=$(mktemp -d "${TMPDIR:-/tmp}/xferry-dkms.XXXXXX")
leave() {
	local step

	for step in "${cleanup[@]}" "discard $place/build" "discard $place/root"; do
		$step
	done
	[ -n "${KEEP:-}" ] || rm -rf --one-file-system "$place"
}
trap leave EXIT

# debian.sh looks at the package itself.
build_package() {
	local root=$place/build

	build_root "$root"
	DEB_BUILD_OPTIONS=nocheck build_packages "$root" -b -j2
	package=$place/xferry-dkms_${version}_all.deb
	cp -t "$place" "$root/src/$(basename "$package")" || die 'another package was made'
	echo "ok the package is built"
}

# module_of KERNEL: the file that DKMS has installed for it.
module_of() {
	local found

	found=$(find "$root/lib/modules/$1/updates" -name 'xferry.ko*')
	[[ $found == */xferry.ko* && $found != *$'\n'* ]] || die "$1: expected one xferry.ko: $found"
	echo "$found"
}

# field KERNEL NAME: what modinfo says of the installed module.
field() {
	inside "$root" modinfo -k "$1" -F "$2" xferry
}

# looks_right KERNEL: DKMS says installed, and modinfo what it is.
looks_right() {
	local kernel=$1 parameter said

	said=$(inside "$root" dkms status "xferry/$version" -k "$kernel" 2>"$root.status.log")
	[[ $said == *": installed" ]] || die "dkms status: $said"
	module_of "$kernel" >/dev/null
	[ "$(field "$kernel" version)" = "$version" ] ||
		die "$kernel: the module's version is not $version but $(field "$kernel" version)"
	[ "$(field "$kernel" license)" = GPL ] || die "$kernel: the licence is not GPL"
	[ -n "$(field "$kernel" description)" ] || die "$kernel: there is no description"
	[ -n "$(field "$kernel" srcversion)" ] || die "$kernel: there is no srcversion"
	[[ $(field "$kernel" vermagic) == "$kernel "* ]] || die "$kernel: built for another kernel"
	[ "$(field "$kernel" signer)" = 'DKMS module signing key' ] || die "$kernel: not signed"
	for parameter in mode components trim_get; do
		field "$kernel" parm | grep -q "^$parameter:." || die "$kernel: no parameter $parameter"
	done
	echo "ok $kernel: installed, srcversion $(field "$kernel" srcversion)"
}

# The same source by plain make gives the same module.
builds_by_hand() {
	local kernel=$1 said

	quietly "$root.make.log" inside "$root" make -C "/usr/src/xferry-$version" \
		KDIR="/lib/modules/$kernel/build" OUT=/tmp/by-hand
	said=$(inside "$root" modinfo -F srcversion /tmp/by-hand/xferry.ko)
	[ "$said" = "$(field "$kernel" srcversion)" ] || die "$kernel: make makes another module: $said"
	rm -r "$root/tmp/by-hand"
	echo "ok $kernel: make -C makes the same"
}

# The kernel itself is only unpacked: it need not start the clean system, but the lab's.
boots() {
	local kernel=$1 name=linux-image-$1 into=$place/$1

	mkdir -p "$into"
	apt_get "$root" --download-only install "$name"
	quietly "$root.boot.log" "$SOURCE/tests/package/boot.py" --build "$BUILD" \
		--package "$archives/$name"_*.deb --module "$(module_of "$kernel")" \
		--busybox "$root/bin/busybox" --version "$version" \
		--srcversion "$(field "$kernel" srcversion)" --place "$into"
	cat "$root.boot.log"
}

# The newest kernel whose headers are there.
newest() {
	inside "$root" sh -c 'ls /lib/modules' | sort -V | tail -n 1
}

install_package() {
	cp "$package" "$root/src/"
	apt_install "$root" "/src/$(basename "$package")"
}

listing() {
	(cd "$root" && find . -xdev \( -path ./proc -o -path ./dev -o -path ./var/log \
		-o -path ./var/cache -o -path ./tmp \) -prune -o -print) | sort
}

# All names of the system are as before, and nobody remembers the module.
leaves_nothing() {
	apt_get "$root" purge xferry-dkms
	! listing | grep -v ^./src | grep -i xferry || die 'the above is left of the package'
	! grep -l xferry "$root"/lib/modules/*/modules.dep || die 'depmod still knows it'
}

# Where there is no package: "meson install", then dkms, as docs/live.md says for another prefix.
installs_without_package() {
	local kernel=$1 source

	DESTDIR=$root quietly "$root.meson.log" \
		meson install --no-rebuild --tags kmod -C "$BUILD"
	source=$(cd "$root" && find . -xdev -type d -path "*/src/xferry-$version" | sed 's/^.//')
	quietly "$root.dkms.log" inside "$root" dkms add "$source"
	quietly "$root.dkms.log" inside "$root" dkms install "xferry/$version" -k "$kernel"
	looks_right "$kernel"
	quietly "$root.dkms.log" inside "$root" dkms remove "xferry/$version" --all
	rm -r "${root:?}$source"
	echo "ok meson install, dkms add"
}

mkdir -p "$roots"
exec {lock}>"$base.lock"
flock "$lock"
make_base
if [ -n "${PACKAGE:-}" ]; then
	package=$PACKAGE
else
	build_package
fi

root=$place/root
fresh_root "$root"
mkdir "$root/src"
# openssl: with it DKMS makes a key and signs.
apt_install "$root" dkms openssl busybox-static linux-headers-amd64
install_package
first=$(newest)
looks_right "$first"
builds_by_hand "$first"
boots "$first"

# A kernel that comes later: DKMS builds by the headers' own hook.
apt_install "$root" -t bookworm-backports linux-headers-amd64
second=$(newest)
[ "$second" != "$first" ] || die "backports have no newer kernel than $first"
looks_right "$second"
builds_by_hand "$second"
boots "$second"

leaves_nothing
listing >"$place/before"
installs_without_package "$first"

# Both kernels are there already, and one cannot have the module.
config=$root/usr/src/linux-headers-$first/.config
sed -i.as-it-was '/^CONFIG_KVM=/d' "$config"
install_package
[ -z "$(find "$root/lib/modules/$first/" -name 'xferry.ko*')" ] ||
	die 'a module was built for a kernel without KVM'
looks_right "$second"
mv "$config.as-it-was" "$config"
leaves_nothing
listing | diff "$place/before" - || die 'the above is left, or gone, after the package came and went'
echo 'ok nothing is left'
