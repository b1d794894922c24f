/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A qcow2 image: its header and its table of internal snapshots. Numbers are big-endian.
 *
 * An L1 table has the places of L2 tables, an L2 table those of clusters. The image has an L1
 * table, and each snapshot one of its own. All that lies past the disk's end, rounded up
 * to what one L1 entry covers, is no disk: QEMU keeps the state of the machine there.
 */
#ifndef XF_STATE_QCOW2_IMAGE_H
#define XF_STATE_QCOW2_IMAGE_H

#include "state/input.h"

/* In the header, version 3: what a reader must understand. */
#define XF_QCOW2_DIRTY ((uint64_t)1 << 0)	/* reference counts may be wrong */
#define XF_QCOW2_CORRUPT ((uint64_t)1 << 1)	/* QEMU has seen that it is */
#define XF_QCOW2_DATA_FILE ((uint64_t)1 << 2)	/* guest data is in another file */
#define XF_QCOW2_COMPRESSION ((uint64_t)1 << 3) /* of clusters; none of a machine's state is */
#define XF_QCOW2_EXTENDED_L2 ((uint64_t)1 << 4) /* 16 bytes an entry, with 32 subclusters */
#define XF_QCOW2_MAX_L1 ((uint64_t)32 << 20)	/* bytes of one table, for QEMU as well */
#define XF_QCOW2_OFFSET 0x00fffffffffffe00	/* the place in an entry of L1 or L2 */
#define XF_QCOW2_COMPRESSED ((uint64_t)1 << 62) /* in an entry of L2 */

/* One table of places of L2 tables. */
struct xf_qcow2_l1 {
	uint64_t offset;
	uint64_t size;	    /* entries */
	uint64_t disk_size; /* of the disk that it maps */
};

struct xf_qcow2_snapshot {
	char *id;
	char *name;
	struct xf_qcow2_l1 l1;
	uint64_t state_size; /* bytes of the machine's state; 0: it has none */
	uint64_t entry;	     /* where it is in the table of snapshots */
};

struct xf_qcow2 {
	const struct xf_input *input; /* lives as long */
	uint32_t version;
	unsigned int cluster_bits;
	unsigned int entry_bits; /* bytes of an L2 entry: 1 << entry_bits */
	unsigned int refcount_order;
	uint64_t features; /* XF_QCOW2_DIRTY… */
	bool has_backing;
	bool encrypted;
	struct xf_qcow2_l1 l1; /* of the disk as it is now */
	uint64_t refcounts;    /* place and bytes of the table */
	uint64_t refcounts_size;
	uint64_t table; /* of snapshots: place and bytes */
	uint64_t table_size;
	struct xf_qcow2_snapshot *snapshots;
	size_t count;
};

/* Reads header and snapshots. Only what is needed for these must be sound. */
struct xf_error *xf_qcow2_open(const struct xf_input *input, struct xf_qcow2 *out);
void xf_qcow2_deinit(struct xf_qcow2 *image);

static inline uint64_t xf_qcow2_cluster_size(const struct xf_qcow2 *image)
{
	return (uint64_t)1 << image->cluster_bits;
}

/* What one entry of an L1 table covers is 1 << this. */
static inline unsigned int xf_qcow2_l1_bits(const struct xf_qcow2 *image)
{
	return 2 * image->cluster_bits - image->entry_bits;
}

/* The first address behind the disk that an L1 table maps: there a machine's state begins. */
uint64_t xf_qcow2_state_base(const struct xf_qcow2 *image, const struct xf_qcow2_l1 *l1);

/* XF_ERR_DAMAGED when the table is not within the file, or more than QEMU would read. */
struct xf_error *xf_qcow2_l1_check(const struct xf_qcow2 *image, const struct xf_qcow2_l1 *l1,
				   const char *whose);

/*
 * What an image is not read for when a machine's state is to be read from it: encryption, its
 * data in another file.
 */
struct xf_error *xf_qcow2_is_readable(const struct xf_qcow2 *image);

/* Whether an L1 table that has been checked has a byte in the cluster at `offset`. */
bool xf_qcow2_meets_l1(const struct xf_qcow2 *image, const struct xf_qcow2_l1 *l1, uint64_t offset);

/*
 * What of the image's own the cluster at `offset` is: "the header"…; NULL when it is nothing of
 * it. Snapshots' L1 tables, L2 tables, the blocks of reference counts are not looked for.
 */
const char *xf_qcow2_own(const struct xf_qcow2 *image, uint64_t offset);

#endif
