/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>

#include "base/bytes.h"
#include "base/io.h"
#include "state/qcow2_map.h"

#define SUBCLUSTERS 32
#define ZERO ((uint64_t)1) /* an entry of L2 from version 3 on: reads as zeros */

#define damaged(map, at, ...) \
	xf_error_at(XF_ERR_DAMAGED, (map)->image->input->path, at, __VA_ARGS__)

struct xf_error *xf_qcow2_map_init(const struct xf_qcow2 *image,
				   const struct xf_qcow2_snapshot *snapshot,
				   struct xf_qcow2_map *out)
{
	uint64_t base, covered;

	XF_TRY(xf_qcow2_l1_check(image, &snapshot->l1, "the snapshot"));
	base = xf_qcow2_state_base(image, &snapshot->l1);
	covered = snapshot->l1.size << xf_qcow2_l1_bits(image);
	if (base > covered || snapshot->state_size > covered - base)
		return xf_error_at(XF_ERR_DAMAGED, image->input->path, snapshot->entry,
				   "the snapshot's machine state, %" PRIu64
				   " bytes behind a disk of %" PRIu64
				   ", is more than its L1 table covers",
				   snapshot->state_size, snapshot->l1.disk_size);
	*out = (struct xf_qcow2_map){ .image = image, .snapshot = snapshot, .base = base };
	return NULL;
}

/* ---- Numbers in tables ---- */

static struct xf_error *fill(const struct xf_qcow2_map *map, uint64_t offset,
			     struct xf_qcow2_block *block)
{
	const struct xf_input *input = map->image->input;
	uint64_t left = input->size - offset;
	size_t size = left < XF_QCOW2_BLOCK ? (size_t)left : XF_QCOW2_BLOCK;

	block->size = 0;
	XF_TRY(xf_read_at(input->fd, input->path, offset, block->bytes, size));
	block->offset = offset;
	block->size = size;
	return NULL;
}

/* The block that has the byte at `offset` of the file, or the one longest not used, filled. */
static struct xf_error *find_block(struct xf_qcow2_map *map, uint64_t offset,
				   struct xf_qcow2_block **out)
{
	uint64_t start = offset - offset % XF_QCOW2_BLOCK;
	struct xf_qcow2_block *block = NULL, *oldest = &map->blocks[0];

	for (size_t i = 0; i < XF_QCOW2_BLOCKS && !block; i++) {
		if (map->blocks[i].size && map->blocks[i].offset == start)
			block = &map->blocks[i];
		if (map->blocks[i].used < oldest->used)
			oldest = &map->blocks[i];
	}
	if (!block) {
		block = oldest;
		XF_TRY(fill(map, start, block));
	}
	block->used = ++map->clock;
	*out = block;
	return NULL;
}

/* A number of a table. Offsets are multiples of 8, so it lies in one block. */
static struct xf_error *number_at(struct xf_qcow2_map *map, uint64_t offset, uint64_t *out)
{
	struct xf_qcow2_block *block = NULL;

	if (map->image->input->size < 8 || offset > map->image->input->size - 8)
		return damaged(map, offset, "the file ends within a table");
	XF_TRY(find_block(map, offset, &block));
	*out = xf_be64(block->bytes + (offset - block->offset));
	return NULL;
}

/* ---- L1 and L2 ---- */

/* What an entry at `from` names must be a cluster of the file that is nothing else. */
static struct xf_error *check_place(const struct xf_qcow2_map *map, uint64_t from, uint64_t place,
				    const char *what)
{
	const char *own = xf_qcow2_own(map->image, place);

	if (place % xf_qcow2_cluster_size(map->image))
		return damaged(map, from,
			       "%s is said to be at %" PRIu64 ", which begins no cluster", what,
			       place);
	if (place >= map->image->input->size)
		return damaged(map, from, "%s is said to be at %" PRIu64 ", beyond the file's end",
			       what, place);
	if (!own && xf_qcow2_meets_l1(map->image, &map->snapshot->l1, place))
		own = "the snapshot's L1 table";
	if (own)
		return damaged(map, from, "%s is said to be at %" PRIu64 ", where %s is", what,
			       place, own);
	return NULL;
}

/* An entry of L2: where it is, the L2 table's place, and what it says. */
struct entry {
	uint64_t from;
	uint64_t table; /* 0: there is none */
	uint64_t value;
	uint64_t bitmap; /* of subclusters */
};

static struct xf_error *find_entry(struct xf_qcow2_map *map, uint64_t address, struct entry *entry)
{
	const struct xf_qcow2 *image = map->image;
	unsigned int index_bits = image->cluster_bits - image->entry_bits;
	uint64_t index = address >> image->cluster_bits & (((uint64_t)1 << index_bits) - 1);

	entry->from = map->snapshot->l1.offset + 8 * (address >> xf_qcow2_l1_bits(image));
	XF_TRY(number_at(map, entry->from, &entry->table));
	entry->table &= XF_QCOW2_OFFSET;
	if (!entry->table)
		return NULL;
	XF_TRY(check_place(map, entry->from, entry->table, "an L2 table"));
	entry->from = entry->table + (index << image->entry_bits);
	XF_TRY(number_at(map, entry->from, &entry->value));
	return image->entry_bits == 4 ? number_at(map, entry->from + 8, &entry->bitmap) : NULL;
}

/* What a cluster, or a part of it, may be. */
enum kind { NOWHERE, ZEROS, DATA };

static struct xf_error *kind_of_subcluster(const struct xf_qcow2_map *map,
					   const struct entry *entry, unsigned int index,
					   enum kind *kind)
{
	bool allocated = entry->bitmap >> index & 1;
	bool zero = entry->bitmap >> (SUBCLUSTERS + index) & 1;

	if ((allocated && zero) || (allocated && !(entry->value & XF_QCOW2_OFFSET)) ||
	    (entry->value & ZERO))
		return damaged(map, entry->from, "the entry of subcluster %u contradicts itself",
			       index);
	*kind = allocated ? DATA : zero ? ZEROS : NOWHERE;
	return NULL;
}

static struct xf_error *kind_of(const struct xf_qcow2_map *map, const struct entry *entry,
				unsigned int subcluster, enum kind *kind)
{
	if (entry->value & XF_QCOW2_COMPRESSED)
		return xf_error_at(XF_ERR_FORMAT, map->image->input->path, entry->from,
				   "the snapshot's machine state has compressed clusters, which "
				   "QEMU does not write: they are not read");
	if (map->image->entry_bits == 4)
		return kind_of_subcluster(map, entry, subcluster, kind);
	if ((entry->value & ZERO) && map->image->version < 3)
		return damaged(map, entry->from, "version 2 of qcow2 has no clusters of zeros");
	*kind = entry->value & ZERO ? ZEROS : entry->value & XF_QCOW2_OFFSET ? DATA : NOWHERE;
	return NULL;
}

/* Of the bytes at `offset` the last cluster of a file may lack some: these are zeros. */
static void place_in_file(const struct xf_qcow2_map *map, uint64_t offset,
			  struct xf_qcow2_extent *extent)
{
	uint64_t end = map->image->input->size;

	extent->zero = offset >= end;
	extent->offset = offset;
	if (!extent->zero && extent->size > end - offset)
		extent->size = end - offset;
}

static struct xf_error *place_data(const struct xf_qcow2_map *map, const struct entry *entry,
				   uint64_t in_cluster, struct xf_qcow2_extent *extent)
{
	uint64_t cluster = entry->value & XF_QCOW2_OFFSET;

	XF_TRY(check_place(map, entry->from, cluster, "a cluster"));
	if (cluster == entry->table)
		return damaged(map, entry->from, "an L2 table names itself as a cluster");
	place_in_file(map, cluster + in_cluster, extent);
	return NULL;
}

struct xf_error *xf_qcow2_map_at(struct xf_qcow2_map *map, uint64_t at, struct xf_qcow2_extent *out)
{
	const struct xf_qcow2 *image = map->image;
	uint64_t size = xf_qcow2_cluster_size(image);
	uint64_t in_cluster = at & (size - 1); /* base is a multiple of it */
	uint64_t unit = image->entry_bits == 4 ? size / SUBCLUSTERS : size;
	uint64_t left = map->snapshot->state_size - at;
	struct xf_qcow2_extent extent = { .zero = true, .size = unit - in_cluster % unit };
	struct entry entry = { 0 };
	enum kind kind = NOWHERE;

	if (extent.size > left)
		extent.size = left;
	XF_TRY(find_entry(map, map->base + at, &entry));
	if (entry.table)
		XF_TRY(kind_of(map, &entry, (unsigned int)(in_cluster / unit), &kind));
	if (kind == NOWHERE && image->has_backing)
		return xf_error_at(XF_ERR_FORMAT, image->input->path, entry.from,
				   "a part of the snapshot's machine state is not in the image: "
				   "QEMU would take what its backing file has there");
	if (kind == DATA)
		XF_TRY(place_data(map, &entry, in_cluster, &extent));
	*out = extent;
	return NULL;
}
