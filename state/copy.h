/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copies a whole file the cheapest way there is: shared extents, in the kernel, by hand. */
#ifndef XF_STATE_COPY_H
#define XF_STATE_COPY_H

#include "state/input.h"

/* Copies all of a seekable input to the empty file `fd`, holes kept. `path` names it in errors. */
struct xf_error *xf_copy_all(const struct xf_input *from, int fd, const char *path,
			     const struct xf_progress *progress);

#endif
