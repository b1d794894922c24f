/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writes a repaired area as a host of another layout has it. */
#include <string.h>

#include "base/io.h"
#include "base/publish.h"
#include "base/scope.h"
#include "state/attributes.h"
#include "state/raw_area.h"
#include "state/state.h"

static struct xf_error *may_be_relaid(const struct xf_state *state, const struct xf_report *report,
				      const struct xf_layout *to)
{
	struct xf_bit where;

	if (report->state != state)
		return xf_error_new(XF_ERR_USAGE, state->name, "the report is of another state");
	if (state->format != &xf_format_area)
		return xf_error_new(XF_ERR_USAGE, state->name,
				    "is no raw XSAVE area, which alone can be laid out anew: %s",
				    state->format->title);
	if (xf_layout_check(to, &where) != XF_LAYOUT_OK)
		return xf_error_new(XF_ERR_USAGE, NULL, "the layout asked for cannot be a CPU's");
	return xf_input_unchanged(&state->input);
}

/*
 * KVM_GET_XSAVE2's size on such a host: 4096 bytes, or room for all that the layout has, where
 * the guest has a component beyond them or had more room already (it may use AMX then).
 */
static size_t size_for(const struct xf_raw_area *from, const struct xf_layout *to, uint64_t in_use)
{
	uint64_t mask = xf_widen(in_use);

	if (from->size > XF_KVM_XSAVE_SIZE)
		mask |= xf_layout_components(to);

	uint32_t size = xf_layout_standard_size(to, mask);

	return size > XF_KVM_XSAVE_SIZE ? size : XF_KVM_XSAVE_SIZE;
}

/* What is in use is the guest's, or may be: it is never left behind. */
static struct xf_error *no_place(const struct xf_state *state, uint64_t mask)
{
	XF_AUTO_FREE char *names = xf_mask_to_text(mask);

	if (!names)
		return xf_error_memory();
	return xf_error_new(XF_ERR_REFUSED, state->name,
			    "in use, and without a place in the layout asked for: %s", names);
}

/* The components in use that the layout has no room for. */
static uint64_t lacking(const struct xf_raw_area *from, const struct xf_layout *to, uint64_t in_use)
{
	uint64_t mask = 0;

	xf_for_each_bit (bit, in_use & ~XF_FPSSE) {
		const struct xf_component *row = xf_component(bit);
		uint32_t size = from->layout.at[bit.n].size;

		if (!xf_layout_offset(to, 0, bit) ||
		    to->at[bit.n].size < (row && row->size < size ? row->size : size))
			mask |= xf_mask(bit);
	}
	return mask;
}

/* The repaired area, with its own layout. */
static struct xf_error *repaired(const struct xf_raw_area *area, uint64_t drop, uint8_t **out)
{
	uint8_t *bytes = malloc(area->size);

	if (!bytes)
		return xf_error_memory();
	memcpy(bytes, area->bytes, area->size);
	xf_area_clear(bytes, area->size, drop);
	*out = bytes;
	return NULL;
}

static struct xf_error *relay(const struct xf_state *state, uint64_t drop,
			      const struct xf_layout *to, uint8_t **out, size_t *out_size)
{
	const struct xf_raw_area *area = state->record.own;
	uint64_t in_use = state->record.vcpus[0].xstate_bv.value & ~drop;
	uint64_t mask = lacking(area, to, in_use);
	size_t size = size_for(area, to, in_use);
	XF_AUTO_FREE uint8_t *from = NULL;
	XF_AUTO_FREE uint8_t *relaid = NULL;
	struct xf_bit where;

	if (mask)
		return no_place(state, mask);
	XF_TRY(repaired(area, drop, &from));
	relaid = malloc(size);
	if (!relaid)
		return xf_error_memory();
	if (xf_area_relay(from, area->size, &area->layout, relaid, size, to, 0, &where) !=
	    XF_RELAY_OK)
		return xf_error_new(XF_ERR_DAMAGED, state->name, "cannot be laid out anew");
	*out = xf_take(relaid);
	*out_size = size;
	return NULL;
}

struct xf_error *xf_fix_relaid(const struct xf_state *state, const struct xf_report *report,
			       const struct xf_layout *to, const char *path)
{
	XF_AUTO(xf_publish_end) struct xf_publish publish = { .fd = -1 };
	XF_AUTO_FREE uint8_t *relaid = NULL;
	size_t size;

	XF_TRY(may_be_relaid(state, report, to));
	XF_TRY(relay(state, report->vcpus[0].drop, to, &relaid, &size));
	XF_TRY(xf_attributes_publish(&state->input, path, 0666, &publish));
	XF_TRY(xf_write_at(publish.fd, path, 0, relaid, size));
	return xf_publish_commit(&publish);
}
