/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kinds of compression that a saved state comes in, each a program's of the same name. */
#ifndef XF_STATE_PACKING_H
#define XF_STATE_PACKING_H

#include "base/error.h"

struct xf_packing {
	const char *name; /* "zstd": what it is called, and the program */
	const char *magic;
	size_t magic_size;
	int filter; /* libarchive's number; without one the program itself does it */
	/* Commands, as libarchive runs them. What they say is kept off our stderr. */
	const char *unpack;
	const char *pack;
	/* "FILTER", "OPTION", "VALUE": where libarchive's own default is not the program's. */
	const char *option[3];
};

extern const struct xf_packing xf_packing_gzip, xf_packing_bzip2, xf_packing_xz, xf_packing_lzop,
	xf_packing_zstd;

/* Whether bytes begin as packed ones do. */
bool xf_packing_fits(const struct xf_packing *packing, const uint8_t *bytes, size_t size);

/*
 * The error for what libarchive says: its archive_errno() and archive_error_string(), or
 * NULL where that tells nothing. `done` is what failed, "unpacked"; `offset` is about where in
 * the file.
 */
struct xf_error *xf_packing_error(const struct xf_packing *packing, int number, const char *text,
				  const char *file, uint64_t offset, const char *done);

#endif
