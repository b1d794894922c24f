/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kinds of compression that a saved state comes in, each a program's of the same name. */
#ifndef XF_STATE_PACKING_H
#define XF_STATE_PACKING_H

#include <signal.h>

#include "base/error.h"

struct xf_packing {
	const char *name; /* "zstd": what it is called, and the program */
	const char *magic;
	size_t magic_size;
	int filter; /* libarchive's number, or 0: it leaves that to the program */
	/* The programs that do it rather than libarchive, and their arguments, or NULL. */
	const char *const *unpack;
	const char *const *pack;
	/* "FILTER", "OPTION", "VALUE": where libarchive's own default is not the program's. */
	const char *option[3];
};

extern const struct xf_packing xf_packing_gzip, xf_packing_bzip2, xf_packing_xz, xf_packing_lzop,
	xf_packing_zstd;

/* Whether bytes begin as packed ones do. */
bool xf_packing_fits(const struct xf_packing *packing, const uint8_t *bytes, size_t size);

/*
 * While a program is written to: that it ends early is an error then, and not the end
 * of this one by SIGPIPE. For this thread alone.
 */
struct xf_no_sigpipe {
	sigset_t before;
	bool was_pending;
};

void xf_no_sigpipe_begin(struct xf_no_sigpipe *out);
void xf_no_sigpipe_end(struct xf_no_sigpipe *no_sigpipe);

/*
 * The error for what libarchive says: its archive_errno() and archive_error_string(), or
 * NULL where that tells nothing. `done` is what failed, "unpacked"; `offset` is about where in
 * the file.
 */
struct xf_error *xf_packing_error(const struct xf_packing *packing, int number, const char *text,
				  const char *file, uint64_t offset, const char *done);

/* The same for how a program has ended, as xf_child_wait() tells it; NULL if it did its work. */
struct xf_error *xf_packing_ended(const struct xf_packing *packing, int status, const char *file,
				  uint64_t offset, const char *done);

#endif
