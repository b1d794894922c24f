/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A stream read from its end: description, then the devices it describes. RAM
 * is not read, so this takes the same time whatever its size.
 */
#ifndef XF_STATE_QEMU_END_H
#define XF_STATE_QEMU_END_H

#include "state/format.h"
#include "state/qemu_devices.h"

/*
 * Whether the end of the file may be taken for the end of the stream.
 *
 * A raw volume goes on behind the stream with what was there before, and that
 * can be the complete end of an older snapshot: of the same VM, with the same
 * sections, names and ids. Nothing in a stream's end refers to its start, so
 * only all that lies between can tell them apart. Therefore a block device,
 * anything that goes on after the description (zeros too: thick LVM gives out old
 * extents, an older stream's end and then zeros) and a file whose size is a
 * multiple of 4 KiB, as a copy of a volume has, are walked through from their
 * start.
 *
 * Any other file that ends with a description is a stream written to a file.
 * It can still be one written over a longer one without truncation; so from
 * its start RAM's records are followed, pages not read, as far as
 * xf_qemu_read_from_end may read at all. That is all of a small stream. Of a
 * large one a rest of doubt stays, for the sake of which terabytes would have
 * to be read.
 */
bool xf_qemu_end_is_trusted(const struct xf_input *input);

/*
 * Looks for a description that ends with the file. `*found` false: there is
 * none, or it was seen to be of another stream; nothing was written to
 * `record`. Reads no more than description, devices and 64 KiB.
 */
struct xf_error *xf_qemu_read_from_end(struct xf_input *input, const uint8_t *head,
				       size_t head_size, struct xf_record *record, bool *found);

#endif
