/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/io.h"
#include "base/scope.h"
#include "state/qcow2_refs.h"

/* Entries of L1 that are looked at, those that name a table, and bytes of such tables. */
#define MAX_ENTRIES ((uint64_t)64 << 20)
#define MAX_TABLES ((size_t)4 << 20)
#define MAX_TABLE_BYTES ((uint64_t)16 << 30)
/* References to the places: a table that many L1 entries share multiplies its own. */
#define MAX_REFERENCES ((uint64_t)64 << 20)
#define STEP 4096 /* numbers that are read at once */

#define CHECK_IT "; 'qemu-img check' tells more"

/* An entry of an L1 table that names an L2 table. */
struct use {
	uint64_t table;
	uint32_t owner; /* the snapshot's position; the number of snapshots: the disk as it is */
	uint32_t index;
};

struct search {
	const struct xf_qcow2 *image;
	const struct xf_qcow2_snapshot *snapshot;
	const struct xf_qcow2_place *places;
	size_t count;
	uint64_t *counts; /* references to each place, as the image counts them */
	uint64_t *found;  /* those that are there */
	bool *own;	  /* whether the snapshot's own is one of them */
	uint64_t references;
	struct use *uses;
	size_t use_count, room;
	uint64_t seen; /* entries of L1 */
};

static struct xf_error *too_much(const struct search *search)
{
	return xf_error_new(XF_ERR_FORMAT, search->image->input->path,
			    "has too many tables for a repair: who shares what is to be changed "
			    "cannot be found out");
}

static const struct xf_qcow2_l1 *l1_of(const struct search *search, uint32_t owner)
{
	return owner < search->image->count ? &search->image->snapshots[owner].l1
					    : &search->image->l1;
}

/* "the disk as it is", "the snapshot 'before' (id 1)". */
static void name_owner(const struct search *search, uint32_t owner, char *out, size_t size)
{
	if (owner < search->image->count)
		snprintf(out, size, "the snapshot '%s' (id %s)",
			 search->image->snapshots[owner].name, search->image->snapshots[owner].id);
	else
		snprintf(out, size, "the disk as it is");
}

/* ---- L1 tables ---- */

static struct xf_error *add_use(struct search *search, const struct use *use)
{
	if (search->use_count == search->room) {
		size_t room = search->room ? 2 * search->room : 1024;
		struct use *more = reallocarray(search->uses, room, sizeof(*more));

		if (!more)
			return xf_error_memory();
		search->uses = more;
		search->room = room;
	}
	search->uses[search->use_count++] = *use;
	return search->use_count > MAX_TABLES ? too_much(search) : NULL;
}

static struct xf_error *read_l1(struct search *search, uint32_t owner)
{
	const struct xf_qcow2_l1 *l1 = l1_of(search, owner);
	const struct xf_input *input = search->image->input;
	uint8_t bytes[8 * STEP];
	char name[128];

	name_owner(search, owner, name, sizeof(name));
	XF_TRY(xf_qcow2_l1_check(search->image, l1, name));
	search->seen += l1->size;
	if (search->seen > MAX_ENTRIES)
		return too_much(search);
	for (uint64_t i = 0; i < l1->size; i++) {
		uint64_t left = l1->size - i, n = left < STEP ? left : STEP;

		if (i % STEP == 0)
			XF_TRY(xf_read_at(input->fd, input->path, l1->offset + 8 * i, bytes,
					  (size_t)(8 * n)));

		uint64_t table = xf_be64(bytes + 8 * (i % STEP)) & XF_QCOW2_OFFSET;
		struct use use = { .table = table, .owner = owner, .index = (uint32_t)i };

		if (table)
			XF_TRY(add_use(search, &use));
	}
	return NULL;
}

static int by_table(const void *one, const void *other)
{
	const struct use *a = one, *b = other;

	return a->table < b->table ? -1 : a->table > b->table;
}

static struct xf_error *read_all_l1(struct search *search)
{
	for (size_t i = 0; i <= search->image->count; i++)
		XF_TRY(read_l1(search, (uint32_t)i));
	if (search->use_count)
		qsort(search->uses, search->use_count, sizeof(*search->uses), by_table);
	return NULL;
}

/* ---- L2 tables ---- */

/* The position of the first place that ends behind `offset`. */
static size_t first_behind(const struct search *search, uint64_t offset)
{
	uint64_t size = xf_qcow2_cluster_size(search->image);
	size_t low = 0, high = search->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (search->places[middle].offset + size > offset)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* Which of the places have one of `size` bytes at `offset`: `*first` and how many. */
static size_t meeting(const struct search *search, uint64_t offset, uint64_t size, size_t *first)
{
	size_t end = *first = first_behind(search, offset);

	while (end < search->count && search->places[end].offset < offset + size)
		end++;
	return end - *first;
}

/* What an entry of L2 takes of the file: a cluster, or sectors of compressed data. */
static void place_of_entry(const struct xf_qcow2 *image, uint64_t entry, uint64_t *offset,
			   uint64_t *size)
{
	unsigned int bits = 62 - (image->cluster_bits - 8);

	if (!(entry & XF_QCOW2_COMPRESSED)) {
		*offset = entry & XF_QCOW2_OFFSET;
		*size = *offset ? xf_qcow2_cluster_size(image) : 0;
		return;
	}
	*offset = entry & (((uint64_t)1 << bits) - 1) & ~(uint64_t)511;
	*size = 512 * (((entry & (XF_QCOW2_COMPRESSED - 1)) >> bits) + 1);
}

/* One more has a cluster, at `address` of its disk or behind it: it must be a remnant. */
static struct xf_error *judge_use(const struct search *search, const struct use *use,
				  uint64_t address, uint64_t cluster)
{
	const struct xf_qcow2 *image = search->image;
	const struct xf_qcow2_l1 *l1 = l1_of(search, use->owner);
	const struct xf_qcow2_snapshot *owner =
		use->owner < image->count ? &image->snapshots[use->owner] : NULL;
	uint64_t base = xf_qcow2_state_base(image, l1);
	char name[128];

	if (owner && address >= base && address - base >= owner->state_size)
		return NULL;
	if (!owner && address >= base)
		return NULL;
	name_owner(search, use->owner, name, sizeof(name));
	return xf_error_at(XF_ERR_REFUSED, image->input->path, cluster,
			   "what would be repaired is a part of %s%s, too: nothing was "
			   "changed",
			   address >= base ? "the machine's state of " : "", name);
}

/*
 * An error as soon as there is one too many, as they may be very many. Where fewer are there than
 * are counted, that is a leak, as QEMU leaves some: nobody reads through it.
 */
static struct xf_error *add_reference(struct search *search, size_t which)
{
	if (search->found[which] >= search->counts[which])
		return xf_error_at(XF_ERR_DAMAGED, search->image->input->path,
				   search->places[which].offset,
				   "%" PRIu64 " references to this cluster are counted, and more "
				   "are there: nothing was changed" CHECK_IT,
				   search->counts[which]);
	search->found[which]++;
	return ++search->references > MAX_REFERENCES ? too_much(search) : NULL;
}

/* A reference to a cluster, through entry `index` of a table that all of `uses` share. */
static struct xf_error *count_uses(struct search *search, const struct use *uses, size_t count,
				   uint64_t index, size_t which)
{
	const struct xf_qcow2 *image = search->image;
	uint64_t base = xf_qcow2_state_base(image, &search->snapshot->l1);
	unsigned int l1_bits = xf_qcow2_l1_bits(image);

	for (size_t i = 0; i < count; i++) {
		uint64_t address =
			((uint64_t)uses[i].index << l1_bits) + (index << image->cluster_bits);
		bool own = uses[i].owner < image->count &&
			   &image->snapshots[uses[i].owner] == search->snapshot &&
			   address == base + search->places[which].address;

		if (own)
			search->own[which] = true;
		else
			XF_TRY(judge_use(search, &uses[i], address, search->places[which].offset));
		XF_TRY(add_reference(search, which));
	}
	return NULL;
}

static struct xf_error *look_at_entry(struct search *search, const struct use *uses, size_t count,
				      uint64_t index, uint64_t entry)
{
	uint64_t offset, size;
	size_t first;

	place_of_entry(search->image, entry, &offset, &size);

	size_t met = size ? meeting(search, offset, size, &first) : 0;

	for (size_t i = 0; i < met; i++)
		XF_TRY(count_uses(search, uses, count, index, first + i));
	return NULL;
}

static struct xf_error *look_through_table(struct search *search, const struct use *uses,
					   size_t count)
{
	const struct xf_qcow2 *image = search->image;
	uint64_t size = xf_qcow2_cluster_size(image), table = uses->table;
	unsigned int entry_bits = image->entry_bits;
	uint8_t bytes[8 * STEP];
	size_t first;

	if (table % size || table >= image->input->size || size > image->input->size - table)
		return xf_error_at(XF_ERR_DAMAGED, image->input->path, table,
				   "an L2 table cannot be here" CHECK_IT);
	if (meeting(search, table, size, &first))
		return xf_error_at(XF_ERR_DAMAGED, image->input->path, table,
				   "an L2 table and a snapshot's machine state are in the same "
				   "place" CHECK_IT);
	for (uint64_t done = 0; done < size; done += sizeof(bytes)) {
		uint64_t left = size - done, n = left < sizeof(bytes) ? left : sizeof(bytes);

		XF_TRY(xf_read_at(image->input->fd, image->input->path, table + done, bytes,
				  (size_t)n));
		for (uint64_t i = 0; i < n; i += (uint64_t)1 << entry_bits)
			XF_TRY(look_at_entry(search, uses, count, (done + i) >> entry_bits,
					     xf_be64(bytes + i)));
	}
	return NULL;
}

static struct xf_error *look_through_tables(struct search *search)
{
	uint64_t bytes = 0;

	for (size_t i = 0, next; i < search->use_count; i = next) {
		for (next = i + 1; next < search->use_count; next++)
			if (search->uses[next].table != search->uses[i].table)
				break;
		bytes += xf_qcow2_cluster_size(search->image);
		if (bytes > MAX_TABLE_BYTES)
			return too_much(search);
		XF_TRY(look_through_table(search, &search->uses[i], next - i));
	}
	return NULL;
}

/* ---- What is the image's own ---- */

static struct xf_error *is_own(const struct search *search, uint64_t cluster, const char *what)
{
	return xf_error_at(XF_ERR_DAMAGED, search->image->input->path, cluster,
			   "a snapshot's machine state and %s are in the same place" CHECK_IT,
			   what);
}

static struct xf_error *look_at_own(const struct search *search)
{
	const struct xf_qcow2 *image = search->image;

	for (size_t i = 0; i < search->count; i++) {
		const char *own = xf_qcow2_own(image, search->places[i].offset);

		if (own)
			return is_own(search, search->places[i].offset, own);
	}
	for (size_t i = 0; i < image->count; i++) {
		size_t first;

		if (meeting(search, image->snapshots[i].l1.offset, 8 * image->snapshots[i].l1.size,
			    &first))
			return is_own(search, search->places[first].offset,
				      "a snapshot's L1 table");
	}
	return NULL;
}

/* ---- Reference counts ---- */

/* None of the blocks of reference counts is where one of the places is. */
static struct xf_error *look_at_blocks(const struct search *search)
{
	const struct xf_qcow2 *image = search->image;
	uint8_t bytes[8 * STEP];
	size_t first;

	for (uint64_t done = 0; done < image->refcounts_size; done += 8) {
		uint64_t left = image->refcounts_size - done;

		if (done % sizeof(bytes) == 0)
			XF_TRY(xf_read_at(image->input->fd, image->input->path,
					  image->refcounts + done, bytes,
					  left < sizeof(bytes) ? (size_t)left : sizeof(bytes)));

		uint64_t block = xf_be64(bytes + done % sizeof(bytes)) & ~(uint64_t)511;

		if (block && meeting(search, block, xf_qcow2_cluster_size(image), &first))
			return is_own(search, search->places[first].offset, "reference counts");
	}
	return NULL;
}

/* The block that counts the references to a cluster, and the position in it. */
static struct xf_error *find_block(const struct xf_qcow2 *image, uint64_t cluster, uint64_t *block,
				   uint64_t *position)
{
	uint64_t number = cluster >> image->cluster_bits;
	unsigned int block_bits = image->cluster_bits + 3 - image->refcount_order;
	uint64_t at = (number >> block_bits) * 8;
	uint8_t bytes[8];

	*position = number & (((uint64_t)1 << block_bits) - 1);
	*block = 0;
	if (at < image->refcounts_size) {
		XF_TRY(xf_read_at(image->input->fd, image->input->path, image->refcounts + at,
				  bytes, sizeof(bytes)));
		*block = xf_be64(bytes) & ~(uint64_t)511;
	}
	if (*block && (*block % xf_qcow2_cluster_size(image) || *block >= image->input->size))
		return xf_error_at(XF_ERR_DAMAGED, image->input->path, image->refcounts + at,
				   "reference counts cannot be at %" PRIu64 CHECK_IT, *block);
	return NULL;
}

static struct xf_error *read_count(const struct xf_qcow2 *image, uint64_t cluster, uint64_t *out)
{
	unsigned int order = image->refcount_order;
	uint64_t block, position, bit;
	uint8_t bytes[8] = { 0 };
	size_t size = order > 3 ? (size_t)1 << (order - 3) : 1;

	XF_TRY(find_block(image, cluster, &block, &position));
	*out = 0;
	if (!block)
		return NULL;
	bit = position << order;
	XF_TRY(xf_read_at(image->input->fd, image->input->path, block + bit / 8,
			  bytes + sizeof(bytes) - size, size));
	*out = xf_be64(bytes);
	if (order < 3)
		*out = *out >> bit % 8 & ((1U << (1U << order)) - 1);
	return NULL;
}

static struct xf_error *read_counts(struct search *search)
{
	for (size_t i = 0; i < search->count; i++)
		XF_TRY(read_count(search->image, search->places[i].offset, &search->counts[i]));
	return NULL;
}

/* Whose a place is that the snapshot does not name cannot be told. */
static struct xf_error *hold_own(const struct search *search)
{
	for (size_t i = 0; i < search->count; i++)
		if (!search->own[i])
			return xf_error_at(XF_ERR_REFUSED, search->image->input->path,
					   search->places[i].offset,
					   "is no longer the snapshot's: nothing was changed");
	return NULL;
}

static void search_deinit(struct search *search)
{
	free(search->counts);
	free(search->found);
	free(search->own);
	free(search->uses);
}

struct xf_error *xf_qcow2_only_of(const struct xf_qcow2 *image,
				  const struct xf_qcow2_snapshot *snapshot,
				  const struct xf_qcow2_place *places, size_t count)
{
	XF_AUTO(search_deinit)
	struct search search = {
		.image = image,
		.snapshot = snapshot,
		.places = places,
		.count = count,
		.counts = calloc(count + 1, sizeof(*search.counts)),
		.found = calloc(count + 1, sizeof(*search.found)),
		.own = calloc(count + 1, sizeof(*search.own)),
	};

	if (!search.counts || !search.found || !search.own)
		return xf_error_memory();
	XF_TRY(read_all_l1(&search));
	XF_TRY(look_at_own(&search));
	XF_TRY(look_at_blocks(&search));
	XF_TRY(read_counts(&search));
	XF_TRY(look_through_tables(&search));
	return hold_own(&search);
}
