/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Internal snapshots of qcow2 images, as QEMU's savevm makes them: the machine's state is a QEMU
 * stream behind the disk's end, in clusters all over the file.
 *
 *	qcow2_image.c	header and table of snapshots
 *	qcow2_name.c	which of them is meant
 *	qcow2_map.c	where its state lies
 *	qcow2_refs.c	who else has these clusters
 *	qcow2_lock.c	who else has the file
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/io.h"
#include "base/scope.h"
#include "state/edit.h"
#include "state/qcow2_lock.h"
#include "state/qcow2_map.h"
#include "state/qcow2_name.h"
#include "state/qcow2_refs.h"
#include "state/qemu.h"
#include "state/state.h"

#define MAGIC 0x514649fb /* "QFI", 0xfb */

/* What a repair needs of the reading. */
struct own {
	struct xf_qcow2 image;
	struct xf_qcow2_map map;
};

static void free_own(void *data)
{
	struct own *own = data;

	if (own)
		xf_qcow2_deinit(&own->image);
	free(own);
}

static void scope_free_own(struct own **own)
{
	free_own(*own);
}

static bool recognise(const uint8_t *head, size_t size)
{
	return size >= 4 && xf_be32(head) == MAGIC;
}

static struct xf_error *open_image(const struct xf_input *input, struct xf_qcow2 *out)
{
	XF_TRY(xf_qcow2_not_in_use(input));
	return xf_qcow2_open(input, out);
}

static struct xf_error *list(struct xf_input *input, struct xf_names *out)
{
	XF_AUTO(xf_qcow2_deinit) struct xf_qcow2 image = { 0 };

	XF_TRY(open_image(input, &image));
	return xf_qcow2_names(&image, out);
}

/* ---- Reading ---- */

static struct xf_error *read_state(struct xf_view *view, uint64_t at, void *buffer, size_t size,
				   size_t *got)
{
	struct xf_qcow2_map *map = view->source;
	const struct xf_input *input = map->image->input;
	struct xf_qcow2_extent extent;

	*got = 0;
	if (at >= view->end)
		return NULL;
	XF_TRY(xf_qcow2_map_at(map, at, &extent));
	if (extent.size < size)
		size = (size_t)extent.size;
	if (extent.zero)
		memset(buffer, 0, size);
	else
		XF_TRY(xf_read_at(input->fd, input->path, extent.offset, buffer, size));
	*got = size;
	return NULL;
}

static struct xf_error *read_stream(struct own *own, const struct xf_qcow2_snapshot *snapshot,
				    struct xf_record *out)
{
	const struct xf_input *input = own->image.input;
	XF_AUTO_FREE char *name = NULL;
	struct xf_view view = {
		.seekable = true,
		.whole = true,
		.end = snapshot->state_size,
		.progress = input->progress,
		.read = read_state,
		.source = &own->map,
	};

	if (asprintf(&name, "%s#%s", input->path, snapshot->name) < 0) {
		name = NULL;
		return xf_error_memory();
	}
	view.name = name;
	return xf_qemu_read(&view, out);
}

static struct xf_error *read_snapshot(struct xf_input *input, struct xf_record *out)
{
	XF_AUTO(scope_free_own) struct own *own = calloc(1, sizeof(*own));
	const struct xf_qcow2_snapshot *snapshot = NULL;

	if (!own)
		return xf_error_memory();
	XF_TRY(open_image(input, &own->image));
	XF_TRY(xf_qcow2_find(&own->image, input->part, &snapshot));
	XF_TRY(xf_qcow2_is_readable(&own->image));
	XF_TRY(xf_qcow2_map_init(&own->image, snapshot, &own->map));
	XF_TRY(read_stream(own, snapshot, out));
	out->piece = xf_qcow2_cluster_size(&own->image);
	out->own = xf_take(own);
	return NULL;
}

/* ---- Edits ---- */

/* The part of an edit from its byte `from` on, `size` of them, which lies at `offset`. */
static struct xf_edit part_of(const struct xf_edit *edit, uint32_t from, uint32_t size,
			      uint64_t offset)
{
	struct xf_edit part = { .offset = offset, .length = size };

	memcpy(part.old_bytes, edit->old_bytes + from, size);
	memcpy(part.new_bytes, edit->new_bytes + from, size);
	return part;
}

static bool changes(const struct xf_edit *edit)
{
	return memcmp(edit->old_bytes, edit->new_bytes, edit->length) != 0;
}

/* One edit may be in several clusters, and some of its bytes be zeros that are in none. */
static struct xf_error *place_edit(struct own *own, const struct xf_edit *edit,
				   struct xf_edit_list *out)
{
	struct xf_qcow2_extent extent;

	for (uint32_t done = 0, size; done < edit->length; done += size) {
		XF_TRY(xf_qcow2_map_at(&own->map, edit->offset + done, &extent));
		size = edit->length - done;
		if (extent.size < size)
			size = (uint32_t)extent.size;

		struct xf_edit part = part_of(edit, done, size, extent.offset);

		if (extent.zero && changes(&part))
			return xf_error_new(XF_ERR_DAMAGED, own->image.input->path,
					    "what is to be changed is not in the file");
		if (!extent.zero && changes(&part))
			XF_TRY(xf_edit_list_add(out, &part));
	}
	return NULL;
}

static int by_offset(const void *one, const void *other)
{
	const struct xf_edit *a = one, *b = other;

	return a->offset < b->offset ? -1 : a->offset > b->offset;
}

static struct xf_error *place(const struct xf_state *state, const struct xf_edit *edits,
			      size_t count, struct xf_edit_list *out)
{
	for (size_t i = 0; i < count; i++)
		XF_TRY(place_edit(state->record.own, &edits[i], out));
	if (out->count)
		qsort(out->edits, out->count, sizeof(*out->edits), by_offset);
	for (size_t i = 1; i < out->count; i++)
		if (xf_edit_end(&out->edits[i - 1]) > out->edits[i].offset)
			return xf_error_at(XF_ERR_DAMAGED, state->name, out->edits[i].offset,
					   "two places of the machine's state are the same bytes");
	return NULL;
}

/* ---- Whether it may be repaired ---- */

/* The clusters that a repair changes, or may. */
struct places {
	struct xf_qcow2_place *places;
	size_t count;
};

static void places_deinit(struct places *places)
{
	free(places->places);
}

/* The list has room. */
static struct xf_error *add_place(struct own *own, uint64_t at, struct places *out)
{
	uint64_t mask = xf_qcow2_cluster_size(&own->image) - 1;
	struct xf_qcow2_extent extent;

	XF_TRY(xf_qcow2_map_at(&own->map, at, &extent));
	if (!extent.zero)
		out->places[out->count++] =
			(struct xf_qcow2_place){ extent.offset & ~mask, at & ~mask };
	return NULL;
}

static int by_place(const void *one, const void *other)
{
	const struct xf_qcow2_place *a = one, *b = other;

	if (a->offset != b->offset)
		return a->offset < b->offset ? -1 : 1;
	return a->address < b->address ? -1 : a->address > b->address;
}

static void sort_places(struct places *places)
{
	size_t kept = 0;

	if (!places->count)
		return;
	qsort(places->places, places->count, sizeof(*places->places), by_place);
	for (size_t i = 1; i < places->count; i++)
		if (by_place(&places->places[i], &places->places[kept]) != 0)
			places->places[++kept] = places->places[i];
	places->count = kept + 1;
}

static struct xf_error *find_places(const struct xf_state *state, struct own *own,
				    const struct xf_report *report, struct places *out)
{
	/* The first and the last byte of each of two fields. */
	out->places = calloc(report->vcpu_count + 1, 4 * sizeof(*out->places));
	if (!out->places)
		return xf_error_memory();
	for (size_t i = 0; i < report->vcpu_count; i++) {
		const struct xf_vcpu *vcpu = &state->record.vcpus[i];
		const struct xf_field *fields[] = { &vcpu->xstate_bv, &vcpu->pkru };

		for (size_t j = 0; report->vcpus[i].drop && j < 2; j++) {
			if (!fields[j]->size)
				continue;
			XF_TRY(add_place(own, fields[j]->offset, out));
			XF_TRY(add_place(own, fields[j]->offset + fields[j]->size - 1, out));
		}
	}
	sort_places(out);
	return NULL;
}

/* The edits, once more, by the tables as they are now, must be those that were judged. */
static struct xf_error *is_where_it_was(const struct xf_state *state, struct own *now,
					const struct xf_report *report)
{
	XF_AUTO(xf_edit_list_deinit) struct xf_edit_list placed = { 0 };
	struct xf_edit edits[XF_EDITS_PER_VCPU];
	bool same;

	for (size_t i = 0; i < report->vcpu_count; i++) {
		size_t count =
			xf_edits_of_vcpu(&state->record.vcpus[i], report->vcpus[i].drop, edits);

		for (size_t j = 0; j < count; j++)
			XF_TRY(place_edit(now, &edits[j], &placed));
	}
	if (placed.count)
		qsort(placed.edits, placed.count, sizeof(*placed.edits), by_offset);
	same = placed.count == report->edit_count;
	for (size_t i = 0; same && i < placed.count; i++)
		same = placed.edits[i].offset == report->edits[i].offset &&
		       placed.edits[i].length == report->edits[i].length;
	return same ? NULL
		    : xf_error_new(XF_ERR_REFUSED, state->name,
				   "is not where it was when it was read: nothing was changed");
}

/*
 * The image as it is now, whatever was read of it before. Once we have the lock nobody else has
 * one; our own would look as if somebody had.
 */
static struct xf_error *read_again(const struct xf_state *state, bool locked, struct own *out)
{
	const struct xf_qcow2_snapshot *snapshot = NULL;

	if (!locked)
		XF_TRY(xf_qcow2_not_in_use(&state->input));
	XF_TRY(xf_qcow2_open(&state->input, &out->image));
	XF_TRY(xf_qcow2_find(&out->image, state->input.part, &snapshot));
	return xf_qcow2_map_init(&out->image, snapshot, &out->map);
}

static struct xf_error *may_fix(const struct xf_state *state, const struct xf_report *report,
				bool locked)
{
	XF_AUTO(scope_free_own) struct own *now = calloc(1, sizeof(*now));
	XF_AUTO(places_deinit) struct places places = { 0 };

	if (!report->edit_count)
		return NULL;
	if (!now)
		return xf_error_memory();
	XF_TRY(read_again(state, locked, now));
	if (now->image.features & XF_QCOW2_CORRUPT)
		return xf_error_new(
			XF_ERR_REFUSED, state->name,
			"the image is marked as corrupt: 'qemu-img check -r all' first");
	if (now->image.features & XF_QCOW2_DIRTY)
		return xf_error_new(XF_ERR_REFUSED, state->name,
				    "the image was not closed, so its reference counts may be "
				    "wrong: 'qemu-img check -r all' first");
	XF_TRY(is_where_it_was(state, now, report));
	XF_TRY(find_places(state, now, report, &places));
	return xf_qcow2_only_of(&now->image, now->map.snapshot, places.places, places.count);
}

const struct xf_format xf_format_qcow2 = {
	.name = "qcow2",
	.title = "internal snapshot of a qcow2 image",
	.grows = true,
	.recognise = recognise,
	.read = read_snapshot,
	.list = list,
	.place = place,
	.may_fix = may_fix,
	.free_own = free_own,
};
