/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is meant by a path: a file, one of several states in a file, a directory's own state. */
#ifndef XF_STATE_PLACE_H
#define XF_STATE_PLACE_H

#include <stdbool.h>

#include "xferry.h"

struct xf_place {
	char *path; /* of the file */
	char *part; /* the name of the state in it, or NULL */
};

/* "-", standard input. */
bool xf_is_stdin(const char *path);

/*
 * Of a path that may be FILE#NAME: it is, if there is no file of that whole name, but one of
 * what is before the '#'. XF_ERR_USAGE: several are.
 */
struct xf_error *xf_place_of(const char *path, struct xf_place *out);

/* Of a path that is a file's or a directory's, whatever is in its name. `part` NULL: no name. */
struct xf_error *xf_place_at(const char *path, const char *part, struct xf_place *out);

void xf_place_deinit(struct xf_place *place);

#endif
