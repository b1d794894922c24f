/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A compressed part of a file as a view: read once, from start to end, in constant memory.
 * The checksums that the compression has are held against the data when its end is reached.
 */
#ifndef XF_STATE_UNPACK_H
#define XF_STATE_UNPACK_H

#include "state/packing.h"
#include "state/view.h"

struct xf_unpack;

/*
 * `from` has the packed bytes, from its address `start` to its end, and must live as long;
 * `total` is that end, or 0 where it is not known. `progress`, or NULL, is told in packed
 * bytes.
 */
struct xf_error *xf_unpack_open(const struct xf_packing *packing, struct xf_view *from,
				uint64_t start, uint64_t total, const struct xf_progress *progress,
				struct xf_unpack **out);
void xf_unpack_close(struct xf_unpack *unpack);

/* The unpacked bytes, addresses from 0. Lives as long as `unpack`. */
struct xf_view *xf_unpack_view(struct xf_unpack *unpack);

/* Reads on to the end of the data, but no more than `limit` bytes. */
struct xf_error *xf_unpack_finish(struct xf_unpack *unpack, uint64_t limit);

#endif
