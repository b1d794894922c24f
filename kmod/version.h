/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What modinfo and /sys/module/xferry/version say. The version is meson.build's;
 * Kbuild cannot ask there once the source has been installed elsewhere, so it is
 * repeated here, and tests/package/source.sh holds the two together.
 */
#ifndef XF_KMOD_VERSION_H
#define XF_KMOD_VERSION_H

#define XF_VERSION "0.1.0"

#endif
