/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An opened state: the file, kept open, and what was read of it. */
#ifndef XF_STATE_STATE_H
#define XF_STATE_STATE_H

#include "state/format.h"

struct xf_state {
	char *name; /* for messages: the file's path, and "#part" behind it where there is one */
	struct xf_input input;
	const struct xf_format *format;
	struct xf_record record;
};

#endif
