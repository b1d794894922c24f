/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Compresses to a file, as the program of that name does when it is given no level. */
#ifndef XF_STATE_PACK_H
#define XF_STATE_PACK_H

#include "state/packing.h"

struct xf_pack;

/* What is packed is written to `fd` from `start` on. `path` names the file in errors. */
struct xf_error *xf_pack_open(const struct xf_packing *packing, int fd, const char *path,
			      uint64_t start, struct xf_pack **out);
void xf_pack_close(struct xf_pack *pack);

struct xf_error *xf_pack_write(struct xf_pack *pack, const void *bytes, size_t size);

/* Writes what is left. Without it the file is not whole. */
struct xf_error *xf_pack_finish(struct xf_pack *pack);

#endif
