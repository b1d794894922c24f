/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What follows RAM, when the stream was walked through from its start: takes
 * the bytes as they come, finds the description among them, and holds the
 * devices against it. The end of the stream need not be the end of the file.
 */
#ifndef XF_STATE_QEMU_TAIL_H
#define XF_STATE_QEMU_TAIL_H

#include "state/qemu_devices.h"
#include "state/qemu_walk.h"

struct xf_qemu_tail;

/* The tail of the stream that `walk` has gone through; begins at walk->offset. */
struct xf_error *xf_qemu_tail_open(const struct xf_qemu_walk *walk, const char *file,
				   struct xf_qemu_tail **out);
void xf_qemu_tail_close(struct xf_qemu_tail *tail);

/*
 * The next bytes. `*more` false: the rest of the file does not matter. More than
 * XF_QEMU_TAIL_MAX are not looked at.
 */
struct xf_error *xf_qemu_tail_push(struct xf_qemu_tail *tail, const uint8_t *data, size_t size,
				   bool *more);

/*
 * All bytes are there. With a description that fits, `*found_by` is
 * XF_FOUND_WALK; without any, XF_FOUND_SIGNATURE. A description that does not
 * fit is XF_ERR_DAMAGED: weaker evidence is not tried then.
 */
struct xf_error *xf_qemu_tail_finish(struct xf_qemu_tail *tail, struct xf_qemu_vcpus *out,
				     enum xf_found_by *found_by);

#endif
