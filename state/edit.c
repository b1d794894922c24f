/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/io.h"
#include "core/bytes.h"
#include "state/edit.h"

/* `size` is 4 or 8. */
static void put_field(uint8_t *bytes, const struct xf_field *field, bool little_endian,
		      uint64_t value)
{
	if (little_endian)
		xf_put_le64(bytes, value);
	else
		xf_put_be64(bytes, value << (64 - 8 * field->size));
}

static struct xf_edit edit_field(const struct xf_field *field, bool little_endian, uint64_t value)
{
	struct xf_edit edit = { .offset = field->offset, .length = field->size };

	put_field(edit.old_bytes, field, little_endian, field->value);
	put_field(edit.new_bytes, field, little_endian, value);
	return edit;
}

size_t xf_edits_of_vcpu(const struct xf_vcpu *vcpu, uint64_t drop,
			struct xf_edit out[XF_EDITS_PER_VCPU])
{
	size_t count = 0;

	if (!drop)
		return 0;
	out[count++] =
		edit_field(&vcpu->xstate_bv, vcpu->little_endian, vcpu->xstate_bv.value & ~drop);
	/*
	 * With its bit clear KVM takes no notice of PKRU's value, but QEMU would carry
	 * it on to the next host: a leaked value goes with its bit.
	 */
	if ((drop & XF_PKRU) && vcpu->pkru.size && vcpu->pkru.value)
		out[count++] = edit_field(&vcpu->pkru, vcpu->little_endian, 0);
	return count;
}

void xf_edit_list_deinit(struct xf_edit_list *list)
{
	free(list->edits);
	*list = (struct xf_edit_list){ 0 };
}

struct xf_error *xf_edit_list_add(struct xf_edit_list *list, const struct xf_edit *edit)
{
	if (list->count == list->room) {
		size_t room = list->room ? list->room * 2 : 16;
		struct xf_edit *edits = realloc(list->edits, room * sizeof(*edits));

		if (!edits)
			return xf_error_memory();
		list->edits = edits;
		list->room = room;
	}
	list->edits[list->count++] = *edit;
	return NULL;
}

/* The edit's place among the bytes. */
static struct xf_error *place_of(const struct xf_edited *in, const struct xf_edit *edit,
				 uint8_t **out)
{
	uint64_t at = edit->offset - in->offset;

	if (edit->offset < in->offset || at > in->size || in->size - at < edit->length)
		return xf_error_at(XF_ERR_REFUSED, in->path, edit->offset,
				   "what is to be edited is not in what was kept");
	*out = in->bytes + at;
	return NULL;
}

static struct xf_error *get_bytes(const struct xf_edited *in, const struct xf_edit *edit,
				  uint8_t *bytes)
{
	uint8_t *place;

	if (!in->bytes)
		return xf_read_at(in->fd, in->path, edit->offset, bytes, edit->length);
	XF_TRY(place_of(in, edit, &place));
	memcpy(bytes, place, edit->length);
	return NULL;
}

static struct xf_error *put_bytes(const struct xf_edited *in, const struct xf_edit *edit)
{
	uint8_t *place;

	if (!in->bytes)
		return xf_write_at(in->fd, in->path, edit->offset, edit->new_bytes, edit->length);
	XF_TRY(place_of(in, edit, &place));
	memcpy(place, edit->new_bytes, edit->length);
	return NULL;
}

struct xf_error *xf_edits_verify(const struct xf_edited *in, const struct xf_edit *edits,
				 size_t count)
{
	uint8_t bytes[sizeof(edits->old_bytes)];

	for (size_t i = 0; i < count; i++) {
		XF_TRY(get_bytes(in, &edits[i], bytes));
		if (memcmp(bytes, edits[i].old_bytes, edits[i].length) != 0)
			return xf_error_at(
				XF_ERR_REFUSED, in->path, edits[i].offset,
				"the bytes are not those that were judged: the file has changed");
	}
	return NULL;
}

struct xf_error *xf_edits_write(const struct xf_edited *in, const struct xf_edit *edits,
				size_t count)
{
	for (size_t i = 0; i < count; i++)
		XF_TRY(put_bytes(in, &edits[i]));
	return NULL;
}
