/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/io.h"
#include "base/scope.h"
#include "state/qcow2_image.h"

#define HEADER_V2 72
#define HEADER_V3 104
#define UNDERSTOOD                                                                       \
	(XF_QCOW2_DIRTY | XF_QCOW2_CORRUPT | XF_QCOW2_DATA_FILE | XF_QCOW2_COMPRESSION | \
	 XF_QCOW2_EXTENDED_L2)
/* As QEMU has them. */
#define MIN_CLUSTER_BITS 9
#define MAX_CLUSTER_BITS 21
#define MIN_EXTENDED_BITS 14
#define MAX_REFCOUNT_ORDER 6
#define MAX_REFCOUNTS ((uint64_t)8 << 20)
#define MAX_SNAPSHOTS 65536
#define MAX_TABLE ((uint64_t)64 << 20)
/*
 * Each snapshot that is judged has the table read anew, so the time is theirs squared: no more than
 * these are read, and a table of what QEMU reckons with for so many.
 */
#define READ_SNAPSHOTS 4096
#define READ_TABLE ((uint64_t)READ_SNAPSHOTS * 1024)
#define MAX_EXTRA 1024

/* An entry of the snapshot table, before its extra data, id and name. */
#define ENTRY 40
#define EXTRA_STATE_SIZE 8 /* bytes of extra data that have it, and */
#define EXTRA_DISK_SIZE 16 /* the disk's size as well */

#define damaged(image, at, ...) xf_error_at(XF_ERR_DAMAGED, (image)->input->path, at, __VA_ARGS__)

void xf_qcow2_deinit(struct xf_qcow2 *image)
{
	for (size_t i = 0; i < image->count; i++) {
		free(image->snapshots[i].id);
		free(image->snapshots[i].name);
	}
	free(image->snapshots);
	*image = (struct xf_qcow2){ 0 };
}

/* Whether `size` bytes at `offset` are within the file. */
static bool is_within(const struct xf_qcow2 *image, uint64_t offset, uint64_t size)
{
	return offset <= image->input->size && size <= image->input->size - offset;
}

static bool is_aligned(const struct xf_qcow2 *image, uint64_t offset)
{
	return offset % xf_qcow2_cluster_size(image) == 0;
}

uint64_t xf_qcow2_state_base(const struct xf_qcow2 *image, const struct xf_qcow2_l1 *l1)
{
	uint64_t covered = (uint64_t)1 << xf_qcow2_l1_bits(image);
	uint64_t rest = l1->disk_size & (covered - 1);

	return rest ? l1->disk_size - rest + covered : l1->disk_size;
}

struct xf_error *xf_qcow2_l1_check(const struct xf_qcow2 *image, const struct xf_qcow2_l1 *l1,
				   const char *whose)
{
	if (l1->disk_size > INT64_MAX)
		return damaged(image, l1->offset, "the disk of %s has %" PRIu64 " bytes", whose,
			       l1->disk_size);
	if (!is_aligned(image, l1->offset))
		return damaged(image, l1->offset,
			       "the L1 table of %s does not begin with a cluster", whose);
	if (l1->size > XF_QCOW2_MAX_L1 / 8)
		return damaged(image, l1->offset,
			       "the L1 table of %s has %" PRIu64 " entries; QEMU takes %" PRIu64
			       " at most",
			       whose, l1->size, XF_QCOW2_MAX_L1 / 8);
	if (!is_within(image, l1->offset, 8 * l1->size))
		return damaged(image, l1->offset,
			       "the L1 table of %s, %" PRIu64
			       " entries, reaches beyond the file's end",
			       whose, l1->size);
	return NULL;
}

/* ---- Header ---- */

static struct xf_error *read_features(struct xf_qcow2 *image, const uint8_t *head)
{
	uint64_t unknown;
	uint32_t length;

	image->entry_bits = 3;
	image->refcount_order = 4;
	if (image->version == 2)
		return NULL;
	image->features = xf_be64(head + 72);
	image->refcount_order = xf_be32(head + 96);
	length = xf_be32(head + 100);
	if (length < HEADER_V3 || length > xf_qcow2_cluster_size(image))
		return damaged(image, 100, "the header's length is %" PRIu32, length);
	if (image->refcount_order > MAX_REFCOUNT_ORDER)
		return damaged(image, 96, "reference counts of 2^%" PRIu32 " bits are not possible",
			       image->refcount_order);
	unknown = image->features & ~UNDERSTOOD;
	if (unknown)
		return xf_error_at(XF_ERR_FORMAT, image->input->path, 72,
				   "the qcow2 image has incompatible features that are not known: "
				   "0x%" PRIx64,
				   unknown);
	if (!(image->features & XF_QCOW2_EXTENDED_L2))
		return NULL;
	if (image->cluster_bits < MIN_EXTENDED_BITS)
		return damaged(image, 20, "clusters of %" PRIu64 " bytes cannot have subclusters",
			       xf_qcow2_cluster_size(image));
	image->entry_bits = 4;
	return NULL;
}

static struct xf_error *check_tables(const struct xf_qcow2 *image, uint32_t snapshots)
{
	XF_TRY(xf_qcow2_l1_check(image, &image->l1, "the disk"));
	if (!is_aligned(image, image->refcounts) || image->refcounts_size > MAX_REFCOUNTS ||
	    !is_within(image, image->refcounts, image->refcounts_size))
		return damaged(image, 48,
			       "the table of reference counts, %" PRIu64 " bytes at %" PRIu64
			       ", cannot be there",
			       image->refcounts_size, image->refcounts);
	if (snapshots > MAX_SNAPSHOTS)
		return damaged(image, 60, "%" PRIu32 " snapshots; QEMU takes %u at most", snapshots,
			       MAX_SNAPSHOTS);
	if (snapshots > READ_SNAPSHOTS)
		return xf_error_at(XF_ERR_FORMAT, image->input->path, 60,
				   "%" PRIu32 " snapshots; xferry reads images with %d at most",
				   snapshots, READ_SNAPSHOTS);
	if (snapshots && (!is_aligned(image, image->table) || !is_within(image, image->table, 1)))
		return damaged(image, 64,
			       "the table of snapshots cannot be at %" PRIu64
			       ": it begins with a cluster of the file",
			       image->table);
	return NULL;
}

static struct xf_error *read_header(struct xf_qcow2 *image, uint32_t *snapshots)
{
	const uint8_t *head = image->input->head;
	size_t size = image->input->head_size;

	if (size < HEADER_V2)
		return damaged(image, size, "the file ends within the qcow2 header");
	image->version = xf_be32(head + 4);
	if (image->version != 2 && image->version != 3)
		return xf_error_at(XF_ERR_FORMAT, image->input->path, 4,
				   "a qcow image of version %" PRIu32 "; versions 2 and 3 are read",
				   image->version);
	if (image->version == 3 && size < HEADER_V3)
		return damaged(image, size, "the file ends within the qcow2 header");
	image->cluster_bits = xf_be32(head + 20);
	if (image->cluster_bits < MIN_CLUSTER_BITS || image->cluster_bits > MAX_CLUSTER_BITS)
		return damaged(image, 20, "clusters of 2^%u bytes are not possible",
			       image->cluster_bits);
	XF_TRY(read_features(image, head));
	image->has_backing = xf_be64(head + 8) != 0;
	image->encrypted = xf_be32(head + 32) != 0;
	image->l1 = (struct xf_qcow2_l1){
		.offset = xf_be64(head + 40),
		.size = xf_be32(head + 36),
		.disk_size = xf_be64(head + 24),
	};
	image->refcounts = xf_be64(head + 48);
	image->refcounts_size = (uint64_t)xf_be32(head + 56) << image->cluster_bits;
	image->table = xf_be64(head + 64);
	*snapshots = xf_be32(head + 60);
	return check_tables(image, *snapshots);
}

/* ---- Snapshots ---- */

/* The table of snapshots, a piece at a time: each has a few small parts. */
struct window {
	uint64_t start; /* in the file */
	uint64_t size;
	uint8_t bytes[64 << 10];
};

/* Moves the window to `at`. What is to be read there is within the file. */
static struct xf_error *move(const struct xf_qcow2 *image, struct window *window, uint64_t at)
{
	uint64_t left = image->input->size - at;

	window->size = 0;
	window->start = at;
	if (left > sizeof(window->bytes))
		left = sizeof(window->bytes);
	XF_TRY(xf_read_at(image->input->fd, image->input->path, at, window->bytes, left));
	window->size = left;
	return NULL;
}

static bool holds(const struct window *window, uint64_t at, uint64_t size)
{
	return at >= window->start && at - window->start <= window->size &&
	       size <= window->size - (at - window->start);
}

/* Reads the next bytes of the snapshot table, fewer than the window has. */
static struct xf_error *take(struct xf_qcow2 *image, struct window *window, void *buffer,
			     uint64_t size)
{
	uint64_t at = image->table + image->table_size;

	if (!is_within(image, at, size))
		return damaged(image, at, "the table of snapshots reaches beyond the file's end");
	if (size > MAX_TABLE - image->table_size)
		return damaged(image, at,
			       "the table of snapshots is longer than %" PRIu64
			       " bytes, which is all that QEMU takes",
			       MAX_TABLE);
	if (size > READ_TABLE - image->table_size)
		return xf_error_at(XF_ERR_FORMAT, image->input->path, at,
				   "the table of snapshots is longer than %" PRIu64
				   " bytes, which is all that xferry reads",
				   READ_TABLE);
	if (!holds(window, at, size))
		XF_TRY(move(image, window, at));
	memcpy(buffer, window->bytes + (at - window->start), size);
	image->table_size += size;
	return NULL;
}

static struct xf_error *take_text(struct xf_qcow2 *image, struct window *window, uint16_t length,
				  char **out)
{
	XF_AUTO_FREE char *text = calloc(1, (size_t)length + 1);

	if (!text)
		return xf_error_memory();
	XF_TRY(take(image, window, text, length));
	*out = xf_take(text);
	return NULL;
}

static struct xf_error *take_sizes(struct xf_qcow2 *image, struct window *window,
				   const uint8_t *entry, struct xf_qcow2_snapshot *snapshot)
{
	uint32_t length = xf_be32(entry + 36);
	uint8_t extra[MAX_EXTRA];

	if (length > MAX_EXTRA)
		return damaged(image, snapshot->entry + 36,
			       "%" PRIu32 " bytes of extra data on a snapshot; QEMU takes %d",
			       length, MAX_EXTRA);
	XF_TRY(take(image, window, extra, length));
	snapshot->state_size = length >= EXTRA_STATE_SIZE ? xf_be64(extra) : xf_be32(entry + 32);
	snapshot->l1.disk_size =
		length >= EXTRA_DISK_SIZE ? xf_be64(extra + 8) : image->l1.disk_size;
	return NULL;
}

static struct xf_error *take_snapshot(struct xf_qcow2 *image, struct window *window,
				      struct xf_qcow2_snapshot *snapshot)
{
	uint8_t entry[ENTRY];

	image->table_size += -image->table_size % 8;
	snapshot->entry = image->table + image->table_size;
	XF_TRY(take(image, window, entry, ENTRY));
	snapshot->l1.offset = xf_be64(entry);
	snapshot->l1.size = xf_be32(entry + 8);
	XF_TRY(take_sizes(image, window, entry, snapshot));
	XF_TRY(take_text(image, window, xf_be16(entry + 12), &snapshot->id));
	return take_text(image, window, xf_be16(entry + 14), &snapshot->name);
}

/* Room for another snapshot, as the table may have less than the header says. */
static struct xf_error *make_room(struct xf_qcow2 *image)
{
	struct xf_qcow2_snapshot *more;

	if (image->count & (image->count - 1))
		return NULL;
	more = reallocarray(image->snapshots, image->count ? 2 * image->count : 1, sizeof(*more));
	if (!more)
		return xf_error_memory();
	image->snapshots = more;
	return NULL;
}

static struct xf_error *read_snapshots(struct xf_qcow2 *image, uint32_t count)
{
	XF_AUTO_FREE struct window *window = count ? calloc(1, sizeof(*window)) : NULL;

	if (count && !window)
		return xf_error_memory();
	for (uint32_t i = 0; i < count; i++) {
		XF_TRY(make_room(image));
		image->snapshots[image->count] = (struct xf_qcow2_snapshot){ 0 };
		XF_TRY(take_snapshot(image, window, &image->snapshots[image->count++]));
	}
	return NULL;
}

struct xf_error *xf_qcow2_open(const struct xf_input *input, struct xf_qcow2 *out)
{
	XF_AUTO(xf_qcow2_deinit) struct xf_qcow2 image = { .input = input };
	uint32_t snapshots = 0;

	if (!input->seekable)
		return xf_error_new(XF_ERR_FORMAT, input->path,
				    "is a qcow2 image: it cannot be read from a pipe");
	XF_TRY(read_header(&image, &snapshots));
	XF_TRY(read_snapshots(&image, snapshots));
	*out = image;
	image = (struct xf_qcow2){ 0 };
	return NULL;
}

struct xf_error *xf_qcow2_is_readable(const struct xf_qcow2 *image)
{
	if (image->encrypted)
		return xf_error_new(XF_ERR_FORMAT, image->input->path,
				    "is an encrypted qcow2 image: it is not read");
	if (image->features & XF_QCOW2_DATA_FILE)
		return xf_error_new(XF_ERR_FORMAT, image->input->path,
				    "is a qcow2 image with its data in another file, in which "
				    "QEMU keeps no states");
	return NULL;
}

/* Whether the cluster and `size` bytes at `start` have a byte in common. */
static bool meets(const struct xf_qcow2 *image, uint64_t cluster, uint64_t start, uint64_t size)
{
	return cluster < start + size && start < cluster + xf_qcow2_cluster_size(image);
}

bool xf_qcow2_meets_l1(const struct xf_qcow2 *image, const struct xf_qcow2_l1 *l1, uint64_t offset)
{
	return meets(image, offset & -xf_qcow2_cluster_size(image), l1->offset, 8 * l1->size);
}

const char *xf_qcow2_own(const struct xf_qcow2 *image, uint64_t offset)
{
	uint64_t cluster = offset & -xf_qcow2_cluster_size(image);

	if (cluster == 0)
		return "the header";
	if (xf_qcow2_meets_l1(image, &image->l1, cluster))
		return "the disk's L1 table";
	if (meets(image, cluster, image->refcounts, image->refcounts_size))
		return "the table of reference counts";
	if (meets(image, cluster, image->table, image->table_size))
		return "the table of snapshots";
	return NULL;
}
