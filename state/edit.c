/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "base/bytes.h"
#include "base/io.h"
#include "state/edit.h"

/* A field of QEMU's stream is big-endian; `size` is 4 or 8. */
static struct xf_edit edit_field(const struct xf_field *field, uint64_t value)
{
	struct xf_edit edit = { .offset = field->offset, .length = field->size };
	unsigned int shift = 64 - 8 * field->size;

	xf_put_be64(edit.old_bytes, field->value << shift);
	xf_put_be64(edit.new_bytes, value << shift);
	return edit;
}

size_t xf_edits_of_vcpu(const struct xf_vcpu *vcpu, uint64_t drop,
			struct xf_edit out[XF_EDITS_PER_VCPU])
{
	size_t count = 0;

	if (!drop)
		return 0;
	out[count++] = edit_field(&vcpu->xstate_bv, vcpu->xstate_bv.value & ~drop);
	/*
	 * With its bit clear KVM takes no notice of PKRU's value, but QEMU would carry
	 * it on to the next host: a leaked value goes with its bit.
	 */
	if ((drop & XF_PKRU) && vcpu->pkru.size && vcpu->pkru.value)
		out[count++] = edit_field(&vcpu->pkru, 0);
	return count;
}

static struct xf_error *compare(int fd, const char *path, const struct xf_edit *edit)
{
	uint8_t bytes[sizeof(edit->old_bytes)];

	XF_TRY(xf_read_at(fd, path, edit->offset, bytes, edit->length));
	if (memcmp(bytes, edit->old_bytes, edit->length) != 0)
		return xf_error_at(
			XF_ERR_REFUSED, path, edit->offset,
			"the bytes are not those that were judged: the file has changed");
	return NULL;
}

struct xf_error *xf_edits_verify(int fd, const char *path, const struct xf_edit *edits,
				 size_t count)
{
	for (size_t i = 0; i < count; i++)
		XF_TRY(compare(fd, path, &edits[i]));
	return NULL;
}

struct xf_error *xf_edits_write(int fd, const char *path, const struct xf_edit *edits, size_t count)
{
	for (size_t i = 0; i < count; i++)
		XF_TRY(xf_write_at(fd, path, edits[i].offset, edits[i].new_bytes, edits[i].length));
	return NULL;
}
