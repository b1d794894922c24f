/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A stream read from its end: description, then the devices it describes. RAM
 * is not read, so this takes the same time whatever its size.
 */
#ifndef XF_STATE_QEMU_END_H
#define XF_STATE_QEMU_END_H

#include "state/format.h"
#include "state/qemu_devices.h"
#include "state/view.h"

/*
 * Looks for a description that ends with the view, whose end is trusted (state/view.h). As that
 * may be wrong, RAM's records are followed from the start, pages not read, as far as the bytes
 * that may be read at all go. That is all of a small stream. Of a large one a rest of doubt stays,
 * for the sake of which terabytes would have to be read. `*found` false: there is
 * none, or it was seen to be of another stream; nothing was written to
 * `record`. Reads no more than description, devices and 64 KiB.
 */
struct xf_error *xf_qemu_read_from_end(struct xf_view *view, struct xf_record *record, bool *found);

#endif
