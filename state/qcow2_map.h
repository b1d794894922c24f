/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where a snapshot's machine state lies in its image: through the snapshot's own L1 table, and
 * never the disk's. Tables are read where needed and little of them is kept, so that
 * the cost depends on what is looked up, and not on the size of RAM or disk.
 */
#ifndef XF_STATE_QCOW2_MAP_H
#define XF_STATE_QCOW2_MAP_H

#include "state/qcow2_image.h"

#define XF_QCOW2_BLOCKS 8
#define XF_QCOW2_BLOCK 4096

/* A piece of a table, as it is in the file. */
struct xf_qcow2_block {
	uint64_t offset;
	size_t size; /* 0: nothing is in it */
	uint64_t used;
	uint8_t bytes[XF_QCOW2_BLOCK];
};

struct xf_qcow2_map {
	const struct xf_qcow2 *image;
	const struct xf_qcow2_snapshot *snapshot;
	uint64_t base; /* the state's first byte, as the disk's addresses go on */
	uint64_t clock;
	struct xf_qcow2_block blocks[XF_QCOW2_BLOCKS];
};

/* Some bytes of the state that lie in one piece. */
struct xf_qcow2_extent {
	bool zero;	 /* zeros, which are nowhere in the file */
	uint64_t offset; /* else where they are in the file */
	uint64_t size;
};

/* XF_ERR_DAMAGED when the snapshot's L1 table cannot be, or does not cover its state. */
struct xf_error *xf_qcow2_map_init(const struct xf_qcow2 *image,
				   const struct xf_qcow2_snapshot *snapshot,
				   struct xf_qcow2_map *out);

/*
 * What is at an address of the state, which counts from 0 and is within it. XF_ERR_DAMAGED where
 * an entry names a place that it cannot; XF_ERR_FORMAT: compressed, or in the backing file.
 */
struct xf_error *xf_qcow2_map_at(struct xf_qcow2_map *map, uint64_t at,
				 struct xf_qcow2_extent *out);

#endif
