/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* QEMU's migration stream, for the formats that hold one. */
#ifndef XF_STATE_QEMU_H
#define XF_STATE_QEMU_H

#include "state/format.h"
#include "state/view.h"

/*
 * Reads the stream that begins with the view: machine, vCPUs, and how they were found. The
 * rest of the record stays as it is. Writes on success only.
 */
struct xf_error *xf_qemu_read(struct xf_view *view, struct xf_record *out);

#endif
