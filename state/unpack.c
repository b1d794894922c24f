/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <archive.h>
#include <archive_entry.h>
#include <string.h>
#include <zlib.h>

#include "base/scope.h"
#include "core/bytes.h"
#include "host/text.h"
#include "state/child.h"
#include "state/unpack.h"

/* What is read of the file at a time. */
#define PIECE (128 * 1024)
#define PROGRESS_STEP ((uint64_t)1 << 20)
/* At the end of gzip's data: the CRC of what was packed, and its length. */
#define GZIP_TRAILER 8

struct xf_unpack {
	const struct xf_packing *packing;
	struct archive *archive; /* or NULL: a program does it */
	struct xf_child child;
	const uint8_t *given; /* of the piece, what the program has not taken yet */
	size_t to_give;
	struct xf_view *from;
	uint64_t start; /* of the packed bytes in `from` */
	uint64_t at;	/* behind what was read of them */
	uint64_t total;
	uint64_t told; /* how far progress has been told */
	const struct xf_progress *progress;
	struct xf_error *err; /* what reading the file has failed with */

	const uint8_t *block; /* what is unpacked and not yet given out */
	size_t left;
	uint64_t unpacked;
	bool ended;
	unsigned long crc;
	uint8_t last[GZIP_TRAILER]; /* of the packed bytes, the last ones read */

	struct xf_view view;
	char *name;
	uint8_t piece[PIECE];
	uint8_t of_child[PIECE];
};

/* ---- The packed bytes, as those who unpack ask for them ---- */

static void tell_progress(struct xf_unpack *unpack)
{
	if (!unpack->progress || unpack->at - unpack->told < PROGRESS_STEP)
		return;
	unpack->told = unpack->at;
	unpack->progress->step(unpack->progress->data, unpack->at, unpack->total);
}

static void remember_last(struct xf_unpack *unpack, size_t got)
{
	size_t kept = got < GZIP_TRAILER ? GZIP_TRAILER - got : 0;

	memmove(unpack->last, unpack->last + GZIP_TRAILER - kept, kept);
	memcpy(unpack->last + kept, unpack->piece + got - (GZIP_TRAILER - kept),
	       GZIP_TRAILER - kept);
}

/*
 * The next piece. The first is long enough to tell that the data begins as it should:
 * libarchive would say less clearly that it does not.
 */
static struct xf_error *read_piece(struct xf_unpack *unpack, size_t *size)
{
	const struct xf_packing *packing = unpack->packing;
	bool first = unpack->at == unpack->start;
	size_t least = first ? packing->magic_size : 1, got = 1;

	for (*size = 0; *size < least && got; *size += got)
		XF_TRY(unpack->from->read(unpack->from, unpack->at + *size, unpack->piece + *size,
					  PIECE - *size, &got));
	if (first && !xf_packing_fits(packing, unpack->piece, *size))
		return xf_error_at(XF_ERR_DAMAGED, unpack->from->name, unpack->at,
				   "%s data is expected here, as the header says", packing->name);
	return NULL;
}

/* In `piece`. No bytes: that was all. */
static struct xf_error *next_piece(struct xf_unpack *unpack, size_t *size)
{
	XF_TRY(read_piece(unpack, size));
	unpack->at += *size;
	remember_last(unpack, *size);
	tell_progress(unpack);
	return NULL;
}

static la_ssize_t read_packed(struct archive *archive, void *data, const void **bytes)
{
	struct xf_unpack *unpack = data;
	size_t size = 0;

	unpack->err = unpack->err ? unpack->err : next_piece(unpack, &size);
	if (unpack->err) {
		archive_set_error(archive, -1, "the file cannot be read");
		return -1;
	}
	*bytes = unpack->piece;
	return (la_ssize_t)size;
}

static struct xf_error *give_child(struct xf_unpack *unpack)
{
	if (unpack->to_give || unpack->child.in < 0)
		return NULL;
	XF_TRY(next_piece(unpack, &unpack->to_give));
	unpack->given = unpack->piece;
	if (!unpack->to_give)
		xf_child_end_input(&unpack->child);
	return NULL;
}

/* ---- What comes of them ---- */

static struct xf_error *cannot(struct xf_unpack *unpack, const char *text)
{
	if (unpack->err)
		return xf_take(unpack->err);
	return xf_packing_error(unpack->packing,
				unpack->archive ? archive_errno(unpack->archive) : 0, text,
				unpack->from->name, unpack->at, "unpacked");
}

/* libarchive holds the others' checksums against the data, but not gzip's. */
static struct xf_error *check_gzip(const struct xf_unpack *unpack)
{
	if (xf_get_le32(unpack->last) == unpack->crc &&
	    xf_get_le32(unpack->last + 4) == (uint32_t)unpack->unpacked)
		return NULL;
	return xf_error_at(XF_ERR_DAMAGED, unpack->from->name, unpack->at,
			   "its gzip data does not fit the checksum at its end");
}

static struct xf_error *end(struct xf_unpack *unpack)
{
	unpack->ended = true;
	return unpack->packing == &xf_packing_gzip ? check_gzip(unpack) : NULL;
}

/* The next unpacked bytes, none where that was all. */
static struct xf_error *block_of_archive(struct xf_unpack *unpack)
{
	const void *block = NULL;
	la_int64_t offset;
	int status;

	do
		status = archive_read_data_block(unpack->archive, &block, &unpack->left, &offset);
	while (status == ARCHIVE_OK && !unpack->left);
	if (status == ARCHIVE_OK) {
		unpack->block = block;
		return NULL;
	}
	unpack->left = 0;
	return status == ARCHIVE_EOF ? NULL : cannot(unpack, archive_error_string(unpack->archive));
}

static struct xf_error *block_of_child(struct xf_unpack *unpack)
{
	struct xf_child *child = &unpack->child;

	unpack->block = unpack->of_child;
	while (!unpack->left && child->out >= 0) {
		XF_TRY(give_child(unpack));
		XF_TRY(xf_child_move(child, &unpack->given, &unpack->to_give, unpack->of_child,
				     PIECE, &unpack->left));
	}
	return unpack->left ? NULL
			    : xf_packing_ended(unpack->packing, xf_child_wait(child),
					       unpack->from->name, unpack->at, "unpacked");
}

/* The next unpacked bytes, some at least unless that was all. */
static struct xf_error *next_block(struct xf_unpack *unpack)
{
	XF_AUTO(xf_no_sigpipe_end) struct xf_no_sigpipe no_sigpipe;

	xf_no_sigpipe_begin(&no_sigpipe);
	if (unpack->left || unpack->ended)
		return NULL;
	XF_TRY(unpack->archive ? block_of_archive(unpack) : block_of_child(unpack));
	if (!unpack->left)
		return unpack->unpacked ? end(unpack) : cannot(unpack, NULL);
	unpack->unpacked += unpack->left;
	if (unpack->packing == &xf_packing_gzip)
		unpack->crc = crc32_z(unpack->crc, unpack->block, unpack->left);
	return NULL;
}

static struct xf_error *read_unpacked(struct xf_view *view, uint64_t at, void *buffer, size_t size,
				      size_t *got)
{
	struct xf_unpack *unpack = view->source;

	(void)at; /* where the last call has ended */
	XF_TRY(next_block(unpack));
	*got = unpack->left < size ? unpack->left : size;
	if (*got)
		memcpy(buffer, unpack->block, *got);
	unpack->block += *got;
	unpack->left -= *got;
	return NULL;
}

struct xf_error *xf_unpack_finish(struct xf_unpack *unpack, uint64_t limit)
{
	uint64_t stop = unpack->unpacked + limit;

	while (!unpack->ended && unpack->unpacked <= stop) {
		unpack->left = 0;
		XF_TRY(next_block(unpack));
	}
	return NULL;
}

struct xf_view *xf_unpack_view(struct xf_unpack *unpack)
{
	return &unpack->view;
}

/* ---- Beginning and end ---- */

static void scope_close(struct xf_unpack **unpack)
{
	xf_unpack_close(*unpack);
}

static struct xf_error *start_archive(struct xf_unpack *unpack)
{
	struct archive_entry *entry;

	unpack->archive = archive_read_new();
	if (!unpack->archive)
		return xf_error_memory();
	/* What the packing is, is known: nothing is guessed. */
	if (archive_read_support_format_raw(unpack->archive) != ARCHIVE_OK ||
	    archive_read_append_filter(unpack->archive, unpack->packing->filter) != ARCHIVE_OK ||
	    archive_read_open(unpack->archive, unpack, NULL, read_packed, NULL) != ARCHIVE_OK)
		return cannot(unpack, NULL);
	/* What fails in the first bytes, libarchive calls a format that it does not know. */
	return archive_read_next_header(unpack->archive, &entry) == ARCHIVE_OK
		       ? NULL
		       : cannot(unpack, NULL);
}

struct xf_error *xf_unpack_open(const struct xf_packing *packing, struct xf_view *from,
				uint64_t start, uint64_t total, const struct xf_progress *progress,
				struct xf_unpack **out)
{
	XF_AUTO(scope_close) struct xf_unpack *unpack = calloc(1, sizeof(*unpack));

	if (!unpack)
		return xf_error_memory();
	unpack->packing = packing;
	unpack->child = XF_CHILD_NONE;
	unpack->from = from;
	unpack->start = start;
	unpack->at = start;
	unpack->total = total;
	unpack->progress = progress;
	unpack->name = xf_text("%s, unpacked", from->name);
	if (!unpack->name)
		return xf_error_memory();
	unpack->view = (struct xf_view){
		.name = unpack->name,
		.read = read_unpacked,
		.source = unpack,
	};
	XF_TRY(packing->unpack ? xf_child_start(packing->unpack, from->name, &unpack->child)
			       : start_archive(unpack));
	*out = xf_take(unpack);
	return NULL;
}

void xf_unpack_close(struct xf_unpack *unpack)
{
	if (!unpack)
		return;
	if (unpack->archive)
		archive_read_free(unpack->archive);
	xf_child_stop(&unpack->child);
	xf_error_free(unpack->err);
	free(unpack->name);
	free(unpack);
}
