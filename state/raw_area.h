/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One vCPU's XSAVE area alone in a file, as KVM_GET_XSAVE gives it. Nothing in it tells what
 * it is or whose layout it has: it is read when somebody says so, never recognised.
 */
#ifndef XF_STATE_RAW_AREA_H
#define XF_STATE_RAW_AREA_H

#include "state/format.h"

extern const struct xf_format xf_format_area;

/* What is kept of an area, for it to be laid out anew: `own` of its record. */
struct xf_raw_area {
	struct xf_layout layout;
	uint8_t *bytes;
	size_t size;
};

/*
 * Reads all of the input, of which the head has been read, as an area of this layout. Whatever
 * tells that the layout is not the area's is XF_ERR_DAMAGED.
 */
struct xf_error *xf_raw_area_read(struct xf_input *input, const struct xf_layout *layout,
				  struct xf_record *out);

/* Whether a file that begins so may be an area: for a hint, never for more. */
bool xf_raw_area_is_likely(const uint8_t *head, size_t size);

#endif
