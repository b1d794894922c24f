/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/scope.h"
#include "state/qemu_signature.h"
#include "state/qemu_tail.h"
#include "state/qemu_wire.h"

#define MARK (1 + XF_QEMU_VMDESC_HEAD) /* EOF, VMDESC, length */

/*
 * A description is looked for at every '{' behind an EOF mark and a length.
 * Devices hold what the guest likes, so a false one may come before the real
 * one; it counts only when the devices it describes take exactly the bytes
 * from the end of RAM to itself, and each is where it says. When two of them
 * do, nobody can tell which is real.
 *
 * Texts have no control characters and marks have, so texts never overlap and
 * each byte is parsed once at most.
 */
struct xf_qemu_tail {
	const char *file;
	uint64_t offset; /* of the first byte in the file */
	size_t early_devices;
	bool knows_footers;
	bool footers;
	bool in_package;
	bool whole_package; /* the limit is its end */
	uint64_t limit;	    /* how many bytes are looked at */
	bool keep_all;

	uint64_t pushed;
	uint8_t *bytes; /* kept until the devices have been found, or longer */
	size_t size;
	size_t room;

	uint8_t last[MARK];		      /* the bytes before the next one */
	struct xf_qemu_vmdesc_reader *reader; /* of the text that is coming in, or NULL */
	uint64_t text;			      /* where it begins, from our first byte */
	uint64_t text_left;
	uint64_t devices_end; /* behind the EOF mark before it */

	struct xf_error *misfit; /* what is wrong with the first text that does not fit */
	struct xf_qemu_vcpus vcpus;
	bool found;
};

struct xf_error *xf_qemu_tail_open(const struct xf_qemu_walk *walk, const char *file,
				   uint64_t limit, bool keep, struct xf_qemu_tail **out)
{
	struct xf_qemu_tail *tail = calloc(1, sizeof(*tail));

	if (!tail)
		return xf_error_memory();
	tail->file = file;
	tail->offset = walk->offset;
	tail->early_devices = walk->early_devices;
	tail->knows_footers = walk->knows_footers;
	tail->footers = walk->footers;
	tail->in_package = walk->package_end != 0;
	tail->limit = limit;
	tail->keep_all = keep;
	if (tail->in_package && walk->package_end - walk->offset <= tail->limit) {
		tail->limit = walk->package_end - walk->offset;
		tail->whole_package = true;
	}
	memset(tail->last, 0xff, sizeof(tail->last));
	*out = tail;
	return NULL;
}

void xf_qemu_tail_close(struct xf_qemu_tail *tail)
{
	if (!tail)
		return;
	xf_qemu_vmdesc_close(tail->reader);
	xf_error_free(tail->misfit);
	free(tail->vcpus.vcpus);
	free(tail->bytes);
	free(tail);
}

static struct xf_error *append(struct xf_qemu_tail *tail, const uint8_t *data, size_t size)
{
	/* Where addresses have 32 bits, a limit may be larger than all that there is of them. */
	if (size > SIZE_MAX / 2 - tail->size)
		return xf_error_memory();
	if (tail->size + size > tail->room) {
		size_t room = tail->room ? tail->room : 65536;

		while (room < tail->size + size)
			room *= 2;

		uint8_t *bytes = realloc(tail->bytes, room);

		if (!bytes)
			return xf_error_memory();
		tail->bytes = bytes;
		tail->room = room;
	}
	memcpy(tail->bytes + tail->size, data, size);
	tail->size += size;
	return NULL;
}

static void close_text(struct xf_qemu_tail *tail)
{
	xf_qemu_vmdesc_close(tail->reader);
	tail->reader = NULL;
}

/* The text does not fit: goes on without it, and keeps the first reason. */
static struct xf_error *misfit(struct xf_qemu_tail *tail, struct xf_error *why)
{
	close_text(tail);
	if (why->code == XF_ERR_MEMORY)
		return why;
	if (tail->misfit)
		xf_error_free(why);
	else
		tail->misfit = why;
	return NULL;
}

static void free_desc(struct xf_qemu_vmdesc *desc)
{
	xf_qemu_vmdesc_deinit(desc);
}

/* Holds the devices against a text that has been read to its end. */
static struct xf_error *try_text(struct xf_qemu_tail *tail)
{
	XF_AUTO(free_desc) struct xf_qemu_vmdesc desc = { 0 };
	struct xf_error *err = xf_qemu_vmdesc_finish(tail->reader, &desc);
	size_t first = tail->early_devices;

	if (err)
		return misfit(tail, err);
	close_text(tail);
	if (first > desc.device_count ||
	    xf_qemu_devices_size(&desc, first, tail->footers) != tail->devices_end)
		return misfit(tail,
			      xf_error_at(XF_ERR_DAMAGED, tail->file, tail->offset + tail->text,
					  "the description here is not of the devices that "
					  "follow RAM at byte %llu",
					  (unsigned long long)tail->offset));
	if (tail->found)
		return xf_error_at(XF_ERR_DAMAGED, tail->file, tail->offset + tail->text,
				   "a second description of the same devices: which one is real "
				   "cannot be told");
	err = xf_qemu_devices_read(&desc, first, tail->footers, tail->bytes, tail->devices_end,
				   tail->file, tail->offset, &tail->vcpus);
	if (err)
		return misfit(tail, err);
	tail->found = true;
	if (!tail->keep_all) {
		free(tail->bytes);
		tail->bytes = NULL;
		tail->size = tail->room = 0;
	}
	return NULL;
}

/* Bytes of a text, up to its end or the first that cannot be in one. */
static struct xf_error *push_text(struct xf_qemu_tail *tail, const uint8_t *data, size_t size,
				  size_t *used)
{
	size_t n = 0;

	if (size > tail->text_left)
		size = (size_t)tail->text_left;
	while (n < size &&
	       (data[n] >= ' ' || data[n] == '\n' || data[n] == '\t' || data[n] == '\r'))
		n++;
	*used = n;

	struct xf_error *err = xf_qemu_vmdesc_push(tail->reader, data, n);

	if (err)
		return misfit(tail, err);
	tail->text_left -= n;
	if (tail->text_left == 0)
		return try_text(tail);
	if (n < size)
		return misfit(tail, xf_error_at(XF_ERR_DAMAGED, tail->file,
						tail->offset + tail->pushed + n,
						"the stream's description goes on here, but not as "
						"text"));
	return NULL;
}

/* Remembers the last bytes of `data`, which has been looked through. */
static void remember(struct xf_qemu_tail *tail, const uint8_t *data, size_t size)
{
	if (size >= MARK) {
		memcpy(tail->last, data + size - MARK, MARK);
		return;
	}
	memmove(tail->last, tail->last + size, MARK - size);
	memcpy(tail->last + MARK - size, data, size);
}

/* Looks for the start of a text. */
static struct xf_error *push_search(struct xf_qemu_tail *tail, const uint8_t *data, size_t size,
				    size_t *used)
{
	const uint8_t *brace = memchr(data, '{', size);
	size_t n = brace ? (size_t)(brace - data) : size;

	remember(tail, data, n);
	*used = n;
	if (!brace)
		return NULL;

	uint64_t at = tail->pushed + n;

	if (tail->last[0] != XF_QEMU_EOF || tail->last[1] != XF_QEMU_VMDESC ||
	    xf_be32(tail->last + 2) < 2) {
		remember(tail, brace, 1);
		*used = n + 1;
		return NULL;
	}
	tail->text = at;
	tail->text_left = xf_be32(tail->last + 2);
	tail->devices_end = at - XF_QEMU_VMDESC_HEAD;
	memset(tail->last, 0xff, MARK);
	return xf_qemu_vmdesc_open(tail->file, tail->offset + at, &tail->reader);
}

struct xf_error *xf_qemu_tail_push(struct xf_qemu_tail *tail, const uint8_t *data, size_t size,
				   bool *more)
{
	if (size > tail->limit - tail->pushed)
		size = (size_t)(tail->limit - tail->pushed);
	if (!tail->found || tail->keep_all)
		XF_TRY(append(tail, data, size));
	while (size) {
		size_t used;

		XF_TRY(tail->reader ? push_text(tail, data, size, &used)
				    : push_search(tail, data, size, &used));
		tail->pushed += used;
		data += used;
		size -= used;
	}
	*more = tail->pushed < tail->limit;
	return NULL;
}

/*
 * Whether devices may lie beyond what was pushed: the limit is reached, and no package's end.
 * Beyond the usual one there are only a volume's stale bytes.
 */
static bool is_cut(const struct xf_qemu_tail *tail)
{
	return tail->pushed == tail->limit && tail->limit < XF_QEMU_TAIL_MAX &&
	       !tail->whole_package;
}

uint64_t xf_qemu_tail_left(const struct xf_qemu_tail *tail)
{
	return tail->limit - tail->pushed;
}

uint8_t *xf_qemu_tail_bytes(struct xf_qemu_tail *tail, size_t *size)
{
	*size = tail->size;
	return tail->bytes;
}

struct xf_error *xf_qemu_tail_finish(struct xf_qemu_tail *tail, struct xf_qemu_vcpus *out,
				     enum xf_found_by *found_by)
{
	struct xf_qemu_tail_bytes bytes = {
		.bytes = tail->bytes,
		.size = tail->size,
		.offset = tail->offset,
		.file = tail->file,
		.in_package = tail->in_package,
	};

	if (tail->reader && !tail->found)
		XF_TRY(misfit(tail,
			      xf_error_at(XF_ERR_DAMAGED, tail->file, tail->offset + tail->pushed,
					  "the file ends here, in the stream's description")));
	if (tail->found) {
		*out = tail->vcpus;
		tail->vcpus.vcpus = NULL;
		*found_by = XF_FOUND_WALK;
		return NULL;
	}
	if (tail->in_package && tail->pushed < tail->limit)
		return xf_error_at(XF_ERR_DAMAGED, tail->file, tail->offset + tail->pushed,
				   "the file ends here, in the package with the devices");
	if (!tail->knows_footers)
		tail->footers = xf_qemu_signature_footers(&bytes);
	/*
	 * Without footers only the end of all shows that no vCPU is missing. Where a limit
	 * cuts it, the bytes may look whole: a zero is an end's mark, too.
	 */
	if (!tail->footers && is_cut(tail))
		return xf_error_at(XF_ERR_FORMAT, tail->file, tail->offset + tail->pushed,
				   "the stream has no description within %" PRIu64
				   " bytes behind RAM, and no more are read",
				   tail->limit);
	/*
	 * Without footers nothing shows where the stream ends: a description that does
	 * not fit may be its own. With them, its own would be right behind it.
	 */
	if (tail->misfit && !tail->footers)
		return xf_take(tail->misfit);

	struct xf_error *err = xf_qemu_signature_read(&bytes, tail->footers, out);

	if (err && tail->misfit && err->code == XF_ERR_DAMAGED) {
		xf_error_free(err);
		return xf_take(tail->misfit);
	}
	XF_TRY(err);
	*found_by = XF_FOUND_SIGNATURE;
	return NULL;
}
