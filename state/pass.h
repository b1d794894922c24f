/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bytes on their way from one file to another, looked at before they may pass.
 *
 * Where the input is a pipe, what is looked at is a copy (tee), and the bytes
 * themselves go on inside the kernel (splice). Else they are read and written.
 */
#ifndef XF_STATE_PASS_H
#define XF_STATE_PASS_H

#include "base/error.h"

struct xf_pass {
	int in, out;
	const char *in_name, *out_name; /* for messages */
	uint64_t taken;			/* bytes that have left `in` */
	uint64_t passed;		/* bytes that `out` has taken */

	/* The rest is the pass' own. */
	int copy[2];  /* the pipe for the copy, or -1 */
	bool by_hand; /* `out` takes no pages: read and write */
	uint8_t *buffer;
	size_t first, end; /* what of the buffer has been looked at and neither let nor taken */
};

struct xf_error *xf_pass_open(int in, int out, struct xf_pass *pass);
void xf_pass_close(struct xf_pass *pass);

/*
 * The next bytes, some at least; none at the end of the input. They stay where they are.
 * All that was looked at before must have passed.
 */
struct xf_error *xf_pass_look(struct xf_pass *pass, const uint8_t **data, size_t *size);

/* The first `size` of the bytes looked at may pass. */
struct xf_error *xf_pass_let(struct xf_pass *pass, size_t size);

/* The next bytes pass unseen; `*size` is 0 at the end of the input. */
struct xf_error *xf_pass_blindly(struct xf_pass *pass, size_t *size);

/* Takes the next bytes out, `max` at most; none at the end of the input. */
struct xf_error *xf_pass_take(struct xf_pass *pass, size_t max, const uint8_t **data, size_t *size);

/* Writes bytes that were taken out. */
struct xf_error *xf_pass_write(struct xf_pass *pass, const uint8_t *data, size_t size);

#endif
