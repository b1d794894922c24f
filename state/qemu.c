/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * QEMU migration streams: what `migrate` to a file, savevm and Proxmox's
 * snapshots write. Three ways to the vCPUs, from strong to weak evidence, are
 * each in a file of their own:
 *
 *	qemu_end.c		from the end of the file, through the description
 *	qemu_walk.c, qemu_tail.c	from the start, through RAM to the description
 *	qemu_signature.c	from the start, and no description there
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/bytes.h"
#include "base/scope.h"
#include "state/format.h"
#include "state/qemu_end.h"
#include "state/qemu_tail.h"
#include "state/qemu_walk.h"
#include "state/qemu_wire.h"

/* Large enough for the disk, small enough for the cache. */
#define CHUNK (128 * 1024)
#define PROGRESS_STEP ((uint64_t)4 << 20)

static bool recognise(const uint8_t *head, size_t size)
{
	return size >= 4 && xf_be32(head) == XF_QEMU_MAGIC;
}

/* The bytes of the input, from the first one on. */
struct source {
	struct xf_input *input;
	const uint8_t *head; /* read from the input already */
	size_t head_size;
	uint64_t at;
	uint64_t told; /* how far progress has been told */
	uint8_t *buffer;
};

static void tell_progress(struct source *source)
{
	const struct xf_progress *progress = source->input->progress;

	if (!progress || source->at - source->told < PROGRESS_STEP)
		return;
	source->told = source->at;
	progress->step(progress->data, source->at, source->input->size);
}

static ssize_t read_some(struct source *source)
{
	const struct xf_input *input = source->input;

	return input->seekable ? pread(input->fd, source->buffer, CHUNK, (off_t)source->at)
			       : read(input->fd, source->buffer, CHUNK);
}

/* The next bytes, some at least; none at the end of the input. */
static struct xf_error *next(struct source *source, const uint8_t **data, size_t *size)
{
	ssize_t n;

	if (source->at < source->head_size) {
		*data = source->head + source->at;
		*size = source->head_size - (size_t)source->at;
		source->at = source->head_size;
		return NULL;
	}
	tell_progress(source);
	do
		n = read_some(source);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return xf_error_errno(source->input->path, "read");
	*data = source->buffer;
	*size = (size_t)n;
	source->at += (size_t)n;
	return NULL;
}

/* Jumps over what does not matter, if that saves reading it. */
static void jump(struct source *source, struct xf_qemu_walk *walk)
{
	uint64_t n = walk->skip;

	if (!source->input->seekable || n < CHUNK || source->at < source->head_size)
		return;
	if (n > source->input->size - source->at)
		n = source->input->size - source->at;
	source->at += n;
	xf_qemu_walk_jumped(walk, n);
}

/* Reads up to the device tail. `*data` and `*size` are what was read of it already. */
static struct xf_error *walk_to_tail(struct source *source, struct xf_qemu_walk *walk,
				     const uint8_t **data, size_t *size)
{
	*size = 0;
	while (walk->phase != XF_QEMU_TAIL) {
		size_t used;

		if (*size == 0) {
			jump(source, walk);
			XF_TRY(next(source, data, size));
			if (*size == 0)
				return xf_qemu_walk_cut(walk);
		}
		XF_TRY(xf_qemu_walk_push(walk, *data, *size, &used));
		*data += used;
		*size -= used;
	}
	return NULL;
}

static struct xf_error *read_tail(struct source *source, struct xf_qemu_tail *tail,
				  const uint8_t *data, size_t size, struct xf_qemu_vcpus *vcpus,
				  enum xf_found_by *found_by)
{
	bool more = true;

	while (more) {
		XF_TRY(xf_qemu_tail_push(tail, data, size, &more));
		if (!more)
			break;
		XF_TRY(next(source, &data, &size));
		if (size == 0)
			break;
	}
	return xf_qemu_tail_finish(tail, vcpus, found_by);
}

static void deinit_walk(struct xf_qemu_walk *walk)
{
	xf_qemu_walk_deinit(walk);
}

static void close_tail(struct xf_qemu_tail **tail)
{
	xf_qemu_tail_close(*tail);
}

static struct xf_error *read_from_start(struct xf_input *input, const uint8_t *head,
					size_t head_size, struct xf_record *record)
{
	XF_AUTO_FREE uint8_t *buffer = malloc(CHUNK);
	struct source source = { input, head, head_size, 0, 0, buffer };
	XF_AUTO(deinit_walk) struct xf_qemu_walk walk;
	XF_AUTO(close_tail) struct xf_qemu_tail *tail = NULL;
	struct xf_qemu_vcpus vcpus = { 0 };
	enum xf_found_by found_by;
	const uint8_t *data;
	size_t size;

	xf_qemu_walk_init(&walk, input->path);
	if (!buffer)
		return xf_error_memory();
	if (input->seekable)
		posix_fadvise(input->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	XF_TRY(walk_to_tail(&source, &walk, &data, &size));
	XF_TRY(xf_qemu_tail_open(&walk, input->path, XF_QEMU_TAIL_MAX, false, &tail));
	XF_TRY(read_tail(&source, tail, data, size, &vcpus, &found_by));
	*record = (struct xf_record){
		.machine = xf_take(walk.machine),
		.found_by = found_by,
		.vcpus = vcpus.vcpus,
		.vcpu_count = vcpus.count,
	};
	return NULL;
}

static void deinit_record(struct xf_record *record)
{
	xf_record_deinit(record);
}

static struct xf_error *read_stream(struct xf_input *input, const uint8_t *head, size_t head_size,
				    struct xf_record *out)
{
	XF_AUTO(deinit_record) struct xf_record record = { 0 };
	bool found = false;

	if (xf_qemu_end_is_trusted(input))
		XF_TRY(xf_qemu_read_from_end(input, head, head_size, &record, &found));
	if (!found)
		XF_TRY(read_from_start(input, head, head_size, &record));
	XF_TRY(xf_input_unchanged(input));
	*out = record;
	record = (struct xf_record){ 0 };
	return NULL;
}

const struct xf_format xf_format_qemu = {
	.name = "qemu",
	.recognise = recognise,
	.read = read_stream,
};
