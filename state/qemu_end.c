/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/io.h"
#include "base/scope.h"
#include "state/qemu_end.h"
#include "state/qemu_walk.h"
#include "state/qemu_wire.h"

/* All this together stays below 64 KiB. */
#define HEAD_SIZE 4096
#define BLOCK_SIZE 8192	    /* the description is read in such pieces */
#define BEFORE_MAX 4096	    /* what is looked at before the devices: the end of RAM, or near it */
#define HOPS_MAX (44 << 10) /* for following RAM's records */
#define HOP_MIN 16
#define HOP_MAX 2048

/* ---- The description ---- */

/* A piece of the file's end. Pieces are read backwards and parsed forwards. */
struct block {
	struct block *next; /* the one behind it in the file */
	size_t size;
	uint8_t bytes[];
};

static void free_blocks(struct block **first)
{
	while (*first) {
		struct block *block = *first;

		*first = block->next;
		free(block);
	}
}

static struct xf_error *read_block(struct xf_view *view, uint64_t offset, size_t size,
				   struct block **first)
{
	struct block *block = malloc(sizeof(*block) + size);

	if (!block)
		return xf_error_memory();
	block->next = *first;
	block->size = size;
	*first = block;
	return xf_view_read(view, offset, block->bytes, size);
}

/* Copies `size` bytes from `at` on, which may lie in the first block and the one behind it. */
static bool copy_from(const struct block *first, size_t at, uint8_t *out, size_t size)
{
	const struct block *block = first;

	for (size_t i = 0; i < size; i++, at++) {
		while (block && at >= block->size) {
			at -= block->size;
			block = block->next;
		}
		if (!block)
			return false;
		out[i] = block->bytes[at];
	}
	return true;
}

/* Whether EOF, VMDESC and a length that reaches the file's end are at `at` of the first block. */
static bool is_description(const struct block *first, size_t at, uint64_t to_end)
{
	uint8_t p[1 + XF_QEMU_VMDESC_HEAD];

	return copy_from(first, at, p, sizeof(p)) && p[0] == XF_QEMU_EOF &&
	       p[1] == XF_QEMU_VMDESC && xf_be32(p + 2) + sizeof(p) == to_end;
}

/*
 * How many of the bytes are left when what is at their end and has no control characters is
 * taken off, as far as that goes by eights.
 */
static size_t skip_text(const uint8_t *bytes, size_t size)
{
	const uint64_t each = UINT64_MAX / UINT8_MAX;
	uint64_t eight;

	for (; size >= sizeof(eight); size -= sizeof(eight)) {
		memcpy(&eight, bytes + size - sizeof(eight), sizeof(eight));
		/* Of a byte below ' ', the highest bit is set by this. */
		if ((eight - each * ' ') & ~eight & each * 0x80)
			break;
	}
	return size;
}

/*
 * Reads backwards until the start of the description is there. JSON has no
 * control characters, so the first one seen must belong to the four bytes of
 * the length, or to the 06 before them: not much is read in vain.
 */
static struct xf_error *find_description(struct xf_view *view, struct block **first,
					 uint64_t *first_offset, uint64_t *text)
{
	uint64_t start = view->end;
	uint64_t limit =
		start - view->start > XF_QEMU_TAIL_MAX ? start - XF_QEMU_TAIL_MAX : view->start;
	uint64_t last = 0; /* no description begins before it */

	*text = 0;
	while (start > limit && start > last) {
		size_t size = start - limit < BLOCK_SIZE ? (size_t)(start - limit) : BLOCK_SIZE;

		start -= size;
		XF_TRY(read_block(view, start, size, first));
		for (size_t i = size; (i = skip_text((*first)->bytes, i)) && start + i > last;) {
			uint8_t byte = (*first)->bytes[--i];

			/* Of a marker that reaches into the next block, the start is here. */
			if (byte == XF_QEMU_EOF &&
			    is_description(*first, i, view->end - start - i)) {
				*first_offset = start;
				*text = start + i + 1 + XF_QEMU_VMDESC_HEAD;
				return NULL;
			}
			if (byte < ' ' && byte != '\n' && byte != '\t' && byte != '\r' && !last)
				last = start + i > 6 ? start + i - 6 : 0;
		}
	}
	return NULL;
}

/* The bytes of the file from `offset` to the text, which were read with it. */
struct lead {
	uint64_t offset;
	size_t size;
	uint8_t *bytes;
};

static void free_lead(struct lead *lead)
{
	free(lead->bytes);
}

static struct xf_error *save_lead(const struct block *first, uint64_t offset, uint64_t text,
				  struct lead *lead)
{
	lead->offset = offset;
	lead->size = (size_t)(text - offset);
	lead->bytes = malloc(lead->size);
	if (!lead->bytes)
		return xf_error_memory();
	copy_from(first, 0, lead->bytes, lead->size);
	return NULL;
}

static void close_reader(struct xf_qemu_vmdesc_reader **reader)
{
	xf_qemu_vmdesc_close(*reader);
}

/* Parses the blocks behind the first `lead` bytes, and frees each when it is done with. */
static struct xf_error *parse_description(struct xf_view *view, struct block **first, size_t lead,
					  uint64_t text, struct xf_qemu_vmdesc *out)
{
	XF_AUTO(close_reader) struct xf_qemu_vmdesc_reader *reader = NULL;

	XF_TRY(xf_qemu_vmdesc_open(view->name, text, &reader));
	while (*first) {
		struct block *block = *first;
		size_t from = lead < block->size ? lead : block->size;

		lead -= from;
		XF_TRY(xf_qemu_vmdesc_push(reader, block->bytes + from, block->size - from));
		*first = block->next;
		free(block);
	}
	return xf_qemu_vmdesc_finish(reader, out);
}

/* ---- From the start ---- */

/*
 * Walks on with small reads until the phase is another, jumping over what does
 * not matter. `*budget` bytes may be read; false when they do not suffice.
 */
static struct xf_error *hop(struct xf_view *view, struct xf_qemu_walk *walk, size_t *budget,
			    bool *arrived)
{
	enum xf_qemu_phase phase = walk->phase;
	uint8_t bytes[HOP_MAX];
	size_t size = HOP_MIN;

	while (walk->phase == phase) {
		uint64_t left = view->end - walk->offset;
		size_t used;

		/* Many short records in a row are read together, pages are not. */
		size = walk->skip ? HOP_MIN : size * 2 < HOP_MAX ? size * 2 : HOP_MAX;
		xf_qemu_walk_jumped(walk, walk->skip < left ? walk->skip : left);

		uint64_t at = walk->offset + walk->carried;

		left = view->end - at;
		size = left < size ? (size_t)left : size;
		if (size == 0)
			return xf_qemu_walk_cut(walk);
		*arrived = size <= *budget;
		if (!*arrived)
			return NULL;
		*budget -= size;
		XF_TRY(xf_view_read(view, at, bytes, size));
		XF_TRY(xf_qemu_walk_push(walk, bytes, size, &used));
	}
	*arrived = true;
	return NULL;
}

/* To RAM: the machine's name, and the devices that come before RAM. */
static struct xf_error *walk_head(struct xf_view *view, struct xf_qemu_walk *walk)
{
	size_t budget = SIZE_MAX; /* what is there is needed */
	uint8_t head[HEAD_SIZE];
	bool arrived;
	size_t used, size;

	XF_TRY(view->read(view, view->start, head, sizeof(head), &size));
	XF_TRY(xf_qemu_walk_push(walk, head, size, &used));
	return walk->phase == XF_QEMU_HEAD ? hop(view, walk, &budget, &arrived) : NULL;
}

/*
 * Whether the stream that begins with the file is seen to have its devices
 * elsewhere than at `devices`. RAM that cannot be followed shows nothing.
 */
static struct xf_error *is_other_stream(struct xf_view *view, struct xf_qemu_walk *walk,
					uint64_t devices, bool *other)
{
	size_t budget = HOPS_MAX;
	bool arrived = false;
	struct xf_error *err;

	/* So many pages in between that it would be in vain: then RAM is not touched at all. */
	*other = false;
	if (!walk->mapped_ram && (devices - walk->offset) / 4096 > HOPS_MAX / HOP_MIN)
		return NULL;
	err = hop(view, walk, &budget, &arrived);
	*other = !err && arrived && walk->offset != devices;
	if (err && err->code == XF_ERR_IO)
		return err;
	xf_error_free(err);
	return NULL;
}

/* ---- The devices ---- */

/*
 * Whether the last device has a footer. Only where it begins decides: without
 * footers it begins that much later.
 */
static struct xf_error *find_footers(struct xf_view *view, const struct xf_qemu_vmdesc *desc,
				     uint64_t end, bool *footers)
{
	const struct xf_qemu_device *last = &desc->devices[desc->device_count - 1];
	uint64_t size = XF_QEMU_SECTION_HEAD(last->name_length) + last->size + 1; /* and EOF */
	uint8_t mark[6];

	*footers = true;
	if (size + XF_QEMU_FOOTER_SIZE > end)
		return NULL;
	XF_TRY(xf_view_read(view, end - size - XF_QEMU_FOOTER_SIZE, mark, sizeof(mark)));
	*footers = mark[0] == XF_QEMU_FULL && mark[5] == last->name_length;
	if (*footers)
		return NULL;
	XF_TRY(xf_view_read(view, end - size, mark, sizeof(mark)));
	/* Neither: let the check of the sections say so, for the usual kind of stream. */
	*footers = mark[0] != XF_QEMU_FULL || mark[5] != last->name_length;
	return NULL;
}

/*
 * The section that ends right before the devices, should it not be RAM: others
 * are sent in parts too, dirty bitmaps and some passed-through devices. What
 * its nearest header says must be that, and not a device: then the description
 * would not have all devices.
 */
static bool ends_with_part(const uint8_t *before, size_t size, uint32_t id)
{
	for (size_t i = size - XF_QEMU_FOOTER_SIZE; i-- > 0;) {
		uint8_t type = before[i];

		if (type >= XF_QEMU_START && type <= XF_QEMU_FULL && xf_be32(before + i + 1) == id)
			return type == XF_QEMU_PART || type == XF_QEMU_END;
	}
	return false;
}

/* The `size` bytes before the devices must end with the end of RAM. */
static struct xf_error *check_before(struct xf_view *view, const struct xf_qemu_walk *walk,
				     bool footers, const uint8_t *before, size_t size,
				     uint64_t offset)
{
	const uint8_t *end = before + size;
	bool ends = false;

	if (!footers) {
		ends = xf_be64(end - 8) == XF_QEMU_RAM_EOS;
	} else if (end[-XF_QEMU_FOOTER_SIZE] == XF_QEMU_FOOTER) {
		uint32_t id = xf_be32(end - 4);

		if (walk->has_ram && id == walk->ram_section)
			ends = xf_be64(end - XF_QEMU_FOOTER_SIZE - 8) == XF_QEMU_RAM_EOS;
		else
			ends = ends_with_part(before, size, id);
	}
	if (ends)
		return NULL;
	return xf_error_at(XF_ERR_DAMAGED, view->name, offset,
			   "the first device of the stream's description is here, but RAM does not "
			   "end here");
}

static void free_vcpus(struct xf_qemu_vcpus *vcpus)
{
	free(vcpus->vcpus);
}

/* Reads what of the file has not been read with the description. */
static struct xf_error *read_before(struct xf_view *view, const struct lead *lead, uint64_t offset,
				    uint8_t *bytes, size_t size)
{
	size_t missing = 0;

	if (offset < lead->offset) {
		missing = lead->offset - offset < size ? (size_t)(lead->offset - offset) : size;
		XF_TRY(xf_view_read(view, offset, bytes, missing));
	}
	if (missing < size)
		memcpy(bytes + missing, lead->bytes + (offset + missing - lead->offset),
		       size - missing);
	return NULL;
}

static struct xf_error *read_devices(struct xf_view *view, const struct xf_qemu_vmdesc *desc,
				     const struct lead *lead, const struct xf_qemu_walk *walk,
				     uint64_t *offset, struct xf_qemu_vcpus *out)
{
	uint64_t end = lead->offset + lead->size - XF_QEMU_VMDESC_HEAD;
	size_t first = walk->early_devices; /* the others end with the EOF mark, at `end` */
	bool footers;

	if (first == desc->device_count)
		return xf_error_new(XF_ERR_FORMAT, view->name, "the stream has no devices");
	XF_TRY(find_footers(view, desc, end, &footers));

	uint64_t size = xf_qemu_devices_size(desc, first, footers);
	uint64_t behind_head = walk->offset + walk->carried;

	if (size > end || end - size < behind_head + 8 + XF_QEMU_FOOTER_SIZE)
		return xf_error_at(XF_ERR_DAMAGED, view->name, end,
				   "the stream's description has %" PRIu64
				   " bytes of devices, more "
				   "than there are before it",
				   size);
	if (size > XF_QEMU_TAIL_MAX)
		return xf_error_at(XF_ERR_FORMAT, view->name, end,
				   "%" PRIu64 " bytes of device state, more than is supported",
				   size);

	uint64_t start = end - size;
	size_t before =
		start - behind_head < BEFORE_MAX ? (size_t)(start - behind_head) : BEFORE_MAX;
	XF_AUTO_FREE uint8_t *bytes = malloc(before + size);
	XF_AUTO(free_vcpus) struct xf_qemu_vcpus vcpus = { 0 };

	if (!bytes)
		return xf_error_memory();
	XF_TRY(read_before(view, lead, start - before, bytes, before + size));
	XF_TRY(xf_qemu_devices_read(desc, first, footers, bytes + before, size, view->name, start,
				    &vcpus));
	XF_TRY(check_before(view, walk, footers, bytes, before, start));
	*offset = start;
	*out = vcpus;
	vcpus.vcpus = NULL;
	return NULL;
}

static void free_walk(struct xf_qemu_walk *walk)
{
	xf_qemu_walk_deinit(walk);
}

static void free_desc(struct xf_qemu_vmdesc *desc)
{
	xf_qemu_vmdesc_deinit(desc);
}

struct xf_error *xf_qemu_read_from_end(struct xf_view *view, struct xf_record *record, bool *found)
{
	XF_AUTO(free_blocks) struct block *blocks = NULL;
	XF_AUTO(free_lead) struct lead lead = { 0 };
	XF_AUTO(free_desc) struct xf_qemu_vmdesc desc = { 0 };
	XF_AUTO(free_walk) struct xf_qemu_walk walk;
	XF_AUTO(free_vcpus) struct xf_qemu_vcpus vcpus = { 0 };
	uint64_t start, text, devices = 0;
	bool other;

	xf_qemu_walk_init(&walk, view->name);
	walk.offset = view->start;
	*found = false;
	XF_TRY(find_description(view, &blocks, &start, &text));
	if (!text)
		return NULL;
	XF_TRY(save_lead(blocks, start, text, &lead));
	XF_TRY(parse_description(view, &blocks, lead.size, text, &desc));
	xf_qemu_walk_use(&walk, &desc);
	XF_TRY(walk_head(view, &walk));
	XF_TRY(read_devices(view, &desc, &lead, &walk, &devices, &vcpus));
	XF_TRY(is_other_stream(view, &walk, devices, &other));
	if (other)
		return NULL;
	record->machine = xf_take(walk.machine);
	record->found_by = XF_FOUND_DESCRIPTION;
	record->vcpus = xf_take(vcpus.vcpus);
	record->vcpu_count = vcpus.count;
	*found = true;
	return NULL;
}
