/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A new file that appears whole or not at all: written without a name where the
 * file system can, durable before it gets one, and never in the place of another.
 */
#ifndef XF_BASE_PUBLISH_H
#define XF_BASE_PUBLISH_H

#include <sys/types.h>

#include "base/error.h"

struct xf_publish {
	int fd;		 /* write the content here */
	char *path;	 /* the name it will get */
	char *temporary; /* its name until then, NULL if it has none */
};

/* XF_ERR_REFUSED when there is something of that name. */
struct xf_error *xf_publish_vacant(const char *path);

/* Begins a file. XF_ERR_REFUSED when `path` exists already. */
struct xf_error *xf_publish_begin(const char *path, mode_t mode, struct xf_publish *out);

/* Makes the content durable, gives it its name and makes that durable. */
struct xf_error *xf_publish_commit(struct xf_publish *publish);

/* Releases; a file that was not committed is gone. */
void xf_publish_end(struct xf_publish *publish);

/* Makes the directory entry of `path` durable, or its absence. */
struct xf_error *xf_sync_directory(const char *path);

#endif
