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

/*
 * The tail of the stream that `walk` has gone through; begins at walk->offset. Not
 * more than `limit` bytes of it are looked at. `keep`: all of them stay in memory,
 * for xf_qemu_tail_bytes; else only while they are needed.
 */
struct xf_error *xf_qemu_tail_open(const struct xf_qemu_walk *walk, const char *file,
				   uint64_t limit, bool keep, struct xf_qemu_tail **out);
void xf_qemu_tail_close(struct xf_qemu_tail *tail);

/*
 * The next bytes. `*more` false: the limit is reached, the rest of the file does not matter.
 */
struct xf_error *xf_qemu_tail_push(struct xf_qemu_tail *tail, const uint8_t *data, size_t size,
				   bool *more);

/* How many bytes are looked at yet before the limit. */
uint64_t xf_qemu_tail_left(const struct xf_qemu_tail *tail);

/* All bytes that were pushed, where they are kept; even those that gave an error. */
uint8_t *xf_qemu_tail_bytes(struct xf_qemu_tail *tail, size_t *size);

/*
 * All bytes are there. With a description that fits, `*found_by` is
 * XF_FOUND_WALK; without any, XF_FOUND_SIGNATURE. A description that does not
 * fit is XF_ERR_DAMAGED: weaker evidence is not tried then.
 */
struct xf_error *xf_qemu_tail_finish(struct xf_qemu_tail *tail, struct xf_qemu_vcpus *out,
				     enum xf_found_by *found_by);

#endif
