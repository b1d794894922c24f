/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which snapshot is meant by what is behind '#': its name, or "id=N" with its id. A
 * name comes first; where nothing has it, it may be an id by itself, as for qemu-img.
 */
#ifndef XF_STATE_QCOW2_NAME_H
#define XF_STATE_QCOW2_NAME_H

#include "state/format.h"
#include "state/qcow2_image.h"

/*
 * `part` NULL: the only snapshot that has a machine's state, or XF_ERR_SEVERAL. XF_ERR_USAGE:
 * several could be meant, or none is; XF_ERR_FORMAT: it, or none of them, has a machine's state.
 */
struct xf_error *xf_qcow2_find(const struct xf_qcow2 *image, const char *part,
			       const struct xf_qcow2_snapshot **out);

/* What each that has a machine's state is called, such that xf_qcow2_find finds it. */
struct xf_error *xf_qcow2_names(const struct xf_qcow2 *image, struct xf_names *out);

#endif
