/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A repair is a list of edits of a few bytes: made here, applied here. */
#ifndef XF_STATE_EDIT_H
#define XF_STATE_EDIT_H

#include "base/error.h"

/* XSTATE_BV, and the value of PKRU. */
#define XF_EDITS_PER_VCPU 2

/* The first byte behind an edit. */
static inline uint64_t xf_edit_end(const struct xf_edit *edit)
{
	return edit->offset + edit->length;
}

/* Edits, grown as needed. */
struct xf_edit_list {
	struct xf_edit *edits;
	size_t count;
	size_t room;
};

void xf_edit_list_deinit(struct xf_edit_list *list);
struct xf_error *xf_edit_list_add(struct xf_edit_list *list, const struct xf_edit *edit);

/* The edits that take `drop` out of one vCPU, in the order of addresses. Returns how many. */
size_t xf_edits_of_vcpu(const struct xf_vcpu *vcpu, uint64_t drop,
			struct xf_edit out[XF_EDITS_PER_VCPU]);

/* What edits are held against and written to: a file, or a part of a stream in memory. */
struct xf_edited {
	const char *path;
	int fd;		 /* of the file; not used when there are `bytes` */
	uint8_t *bytes;	 /* else NULL */
	uint64_t offset; /* of the first of them in the stream */
	size_t size;
};

/* XF_ERR_REFUSED when a place does not hold an edit's old bytes. */
struct xf_error *xf_edits_verify(const struct xf_edited *in, const struct xf_edit *edits,
				 size_t count);

/* Writes every edit's new bytes. */
struct xf_error *xf_edits_write(const struct xf_edited *in, const struct xf_edit *edits,
				size_t count);

#endif
