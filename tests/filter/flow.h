/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sends bytes through xf_filter and tells what came of it. */
#ifndef XF_TESTS_FILTER_FLOW_H
#define XF_TESTS_FILTER_FLOW_H

#include "../state/support.h"

/* What the ends are. */
enum ends {
	FILES,	 /* memory files: read and write */
	PIPES,	 /* pipes: tee and splice */
	BYTES,	 /* pipes that get and give a byte at a time */
	NO_WAIT, /* pipes that do not block, with a slow reader */
	ENDS,
};

struct result {
	struct xf_error *err;
	struct xf_filtered *filtered; /* NULL with an error */
	struct xf_flow flow;
	struct bytes out;
};

struct result send_through(const struct bytes *in, enum ends ends,
			   const struct xf_filter_options *options);
void result_free(struct result *result);

/* The bytes with what xf_check says should be edited. */
struct bytes edited(const struct bytes *in, const struct xf_evidence *guest);

#endif
