/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who else has a cluster of a snapshot's machine state. QEMU shares clusters: a snapshot is a copy
 * of the disk's L1 table, and what has been loaded is left behind the disk's end until the next one
 * is taken, and in that one too where it is shorter. Nobody reads these remnants. But what
 * another's disk has, or another's machine state, must not change with a repair.
 */
#ifndef XF_STATE_QCOW2_REFS_H
#define XF_STATE_QCOW2_REFS_H

#include "state/qcow2_image.h"

/* A cluster of a snapshot's machine state. */
struct xf_qcow2_place {
	uint64_t offset;  /* in the file */
	uint64_t address; /* in the state */
};

/*
 * Looks through all tables of the image: whether the clusters, in the order of offsets, are
 * `snapshot`'s machine state where they are said to be, nothing of the image's own, and read by
 * nobody else; and whether no less references are counted than are there. XF_ERR_REFUSED or
 * XF_ERR_DAMAGED where it is not so; XF_ERR_FORMAT where there is more to look through than is
 * reasonable.
 */
struct xf_error *xf_qcow2_only_of(const struct xf_qcow2 *image,
				  const struct xf_qcow2_snapshot *snapshot,
				  const struct xf_qcow2_place *places, size_t count);

#endif
