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
#include <string.h>

#include "base/bytes.h"
#include "base/scope.h"
#include "state/qemu.h"
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

/* The bytes of the view, from the first one on. */
struct source {
	struct xf_view *view;
	uint64_t at;
	uint64_t told; /* how far progress has been told */
	uint8_t *buffer;
};

static void tell_progress(struct source *source)
{
	const struct xf_view *view = source->view;

	if (!view->progress || source->at - source->told < PROGRESS_STEP)
		return;
	source->told = source->at;
	view->progress->step(view->progress->data, source->at, view->end);
}

/* The next bytes, some at least; none at the end. */
static struct xf_error *next(struct source *source, const uint8_t **data, size_t *size)
{
	struct xf_view *view = source->view;

	tell_progress(source);
	XF_TRY(view->read(view, source->at, source->buffer, CHUNK, size));
	*data = source->buffer;
	source->at += *size;
	return NULL;
}

/* Jumps over what does not matter, if that saves reading it. */
static void jump(struct source *source, struct xf_qemu_walk *walk)
{
	uint64_t n = walk->skip;

	if (!source->view->seekable || n < CHUNK)
		return;
	if (n > source->view->end - source->at)
		n = source->view->end - source->at;
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

static struct xf_error *read_from_start(struct xf_view *view, struct xf_record *record)
{
	XF_AUTO_FREE uint8_t *buffer = malloc(CHUNK);
	struct source source = { view, view->start, view->start, buffer };
	XF_AUTO(deinit_walk) struct xf_qemu_walk walk;
	XF_AUTO(close_tail) struct xf_qemu_tail *tail = NULL;
	struct xf_qemu_vcpus vcpus = { 0 };
	enum xf_found_by found_by = XF_FOUND_WALK;
	const uint8_t *data = NULL;
	size_t size = 0;

	xf_qemu_walk_init(&walk, view->name);
	walk.offset = view->start;
	if (!buffer)
		return xf_error_memory();
	XF_TRY(walk_to_tail(&source, &walk, &data, &size));
	XF_TRY(xf_qemu_tail_open(&walk, view->name, XF_QEMU_TAIL_MAX, false, &tail));
	XF_TRY(read_tail(&source, tail, data, size, &vcpus, &found_by));
	record->machine = xf_take(walk.machine);
	record->found_by = found_by;
	record->vcpus = vcpus.vcpus;
	record->vcpu_count = vcpus.count;
	return NULL;
}

struct xf_error *xf_qemu_read(struct xf_view *view, struct xf_record *out)
{
	bool found = false;

	if (view->seekable && view->whole)
		XF_TRY(xf_qemu_read_from_end(view, out, &found));
	return found ? NULL : read_from_start(view, out);
}

static struct xf_error *read_stream(struct xf_input *input, struct xf_record *out)
{
	struct xf_view view = xf_view_of_input(input, 0);

	return xf_qemu_read(&view, out);
}

const struct xf_format xf_format_qemu = {
	.name = "qemu",
	.title = "QEMU migration stream",
	.recognise = recognise,
	.read = read_stream,
};
