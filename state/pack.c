/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <archive.h>
#include <archive_entry.h>

#include "base/io.h"
#include "base/scope.h"
#include "state/child.h"
#include "state/pack.h"

/* What is written to the file at a time. */
#define BLOCK (256 * 1024)

struct xf_pack {
	const struct xf_packing *packing;
	struct archive *archive; /* or NULL: a program does it */
	struct xf_child child;
	int fd;
	const char *path;
	uint64_t at;	      /* where the next packed bytes go */
	struct xf_error *err; /* what writing the file has failed with */
	uint8_t of_child[BLOCK];
};

static la_ssize_t write_packed(struct archive *archive, void *data, const void *bytes, size_t size)
{
	struct xf_pack *pack = data;

	if (!pack->err)
		pack->err = xf_write_at(pack->fd, pack->path, pack->at, bytes, size);
	if (pack->err) {
		archive_set_error(archive, -1, "the file cannot be written");
		return -1;
	}
	pack->at += size;
	return (la_ssize_t)size;
}

static struct xf_error *cannot(struct xf_pack *pack)
{
	if (pack->err)
		return xf_take(pack->err);
	return xf_packing_error(pack->packing, archive_errno(pack->archive),
				archive_error_string(pack->archive), pack->path, pack->at,
				"packed");
}

static int add_filter(const struct xf_pack *pack)
{
	const struct xf_packing *packing = pack->packing;
	const char *const *option = packing->option;
	int status = archive_write_add_filter(pack->archive, packing->filter);

	if (status != ARCHIVE_OK || !option[0])
		return status;
	return archive_write_set_filter_option(pack->archive, option[0], option[1], option[2]);
}

/* One nameless entry is all that libarchive's format "raw" has; it must be a regular file. */
static int begin_entry(struct archive *archive)
{
	struct archive_entry *entry = archive_entry_new2(archive);

	if (!entry)
		return ARCHIVE_FATAL;
	archive_entry_set_filetype(entry, AE_IFREG);

	int status = archive_write_header(archive, entry);

	archive_entry_free(entry);
	return status;
}

static void scope_close(struct xf_pack **pack)
{
	xf_pack_close(*pack);
}

static struct xf_error *start_archive(struct xf_pack *pack)
{
	pack->archive = archive_write_new();
	if (!pack->archive)
		return xf_error_memory();
	/* Nothing behind the data: by itself libarchive fills a tape's block up. */
	if (archive_write_set_format_raw(pack->archive) != ARCHIVE_OK ||
	    archive_write_set_bytes_per_block(pack->archive, BLOCK) != ARCHIVE_OK ||
	    archive_write_set_bytes_in_last_block(pack->archive, 1) != ARCHIVE_OK ||
	    add_filter(pack) != ARCHIVE_OK ||
	    archive_write_open(pack->archive, pack, NULL, write_packed, NULL) != ARCHIVE_OK ||
	    begin_entry(pack->archive) != ARCHIVE_OK)
		return cannot(pack);
	return NULL;
}

struct xf_error *xf_pack_open(const struct xf_packing *packing, int fd, const char *path,
			      uint64_t start, struct xf_pack **out)
{
	XF_AUTO(scope_close) struct xf_pack *pack = calloc(1, sizeof(*pack));

	if (!pack)
		return xf_error_memory();
	pack->packing = packing;
	pack->child = XF_CHILD_NONE;
	pack->fd = fd;
	pack->path = path;
	pack->at = start;
	XF_TRY(packing->pack ? xf_child_start(packing->pack, path, &pack->child)
			     : start_archive(pack));
	*out = xf_take(pack);
	return NULL;
}

void xf_pack_close(struct xf_pack *pack)
{
	if (!pack)
		return;
	if (pack->archive)
		archive_write_free(pack->archive);
	xf_child_stop(&pack->child);
	xf_error_free(pack->err);
	free(pack);
}

/* ---- By libarchive ---- */

static struct xf_error *write_to_archive(struct xf_pack *pack, const uint8_t *from, size_t size)
{
	la_ssize_t n;

	for (; size; from += n, size -= (size_t)n) {
		n = archive_write_data(pack->archive, from, size);
		if (n <= 0)
			return cannot(pack);
	}
	return NULL;
}

/* ---- By a program ---- */

static struct xf_error *pass_on(struct xf_pack *pack, const uint8_t **from, size_t *size)
{
	size_t got;

	XF_TRY(xf_child_move(&pack->child, from, size, pack->of_child, BLOCK, &got));
	XF_TRY(xf_write_at(pack->fd, pack->path, pack->at, pack->of_child, got));
	pack->at += got;
	return NULL;
}

static struct xf_error *finish_child(struct xf_pack *pack)
{
	const uint8_t *none = NULL;
	size_t size = 0;

	xf_child_end_input(&pack->child);
	while (pack->child.out >= 0)
		XF_TRY(pass_on(pack, &none, &size));
	return xf_packing_ended(pack->packing, xf_child_wait(&pack->child), pack->path, pack->at,
				"packed");
}

static struct xf_error *write_to_child(struct xf_pack *pack, const uint8_t *from, size_t size)
{
	while (size && pack->child.in >= 0)
		XF_TRY(pass_on(pack, &from, &size));
	if (!size)
		return NULL;
	XF_TRY(finish_child(pack));
	return xf_error_new(XF_ERR_IO, pack->path, "the program %s has not taken all",
			    pack->packing->name);
}

/* ---- By either ---- */

struct xf_error *xf_pack_write(struct xf_pack *pack, const void *bytes, size_t size)
{
	XF_AUTO(xf_no_sigpipe_end) struct xf_no_sigpipe no_sigpipe;

	xf_no_sigpipe_begin(&no_sigpipe);
	return pack->archive ? write_to_archive(pack, bytes, size)
			     : write_to_child(pack, bytes, size);
}

struct xf_error *xf_pack_finish(struct xf_pack *pack)
{
	XF_AUTO(xf_no_sigpipe_end) struct xf_no_sigpipe no_sigpipe;

	xf_no_sigpipe_begin(&no_sigpipe);
	if (!pack->archive)
		return finish_child(pack);
	return archive_write_close(pack->archive) == ARCHIVE_OK ? NULL : cannot(pack);
}
