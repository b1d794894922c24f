/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Opens a saved state: recognises the format by content and has it read. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/scope.h"
#include "host/evidence.h"
#include "host/text.h"
#include "state/place.h"
#include "state/raw_area.h"
#include "state/state.h"
#include "state/undo_file.h"

/* clang-format off: one a line */
static const struct xf_format *const formats[] = {
	&xf_format_qemu,	&xf_format_libvirt,	     &xf_format_qcow2,
	&xf_format_firecracker, &xf_format_cloud_hypervisor, &xf_format_elf,
	&xf_format_criu,
};
/* clang-format on */

/* Kinds of files that people try, and what to tell them. */
static const struct {
	const char *magic;
	size_t length;
	const char *answer;
	const char *unpacker; /* or NULL: that does not help */
} foreign[] = {
#define MAGIC(bytes) bytes, sizeof(bytes) - 1
	{ MAGIC("\x1f\x8b"), "compressed by gzip", "zcat" },
	{ MAGIC("\x28\xb5\x2f\xfd"), "compressed by zstd", "zstdcat" },
	{ MAGIC("\xfd"
		"7zXZ"),
	  "compressed by xz", "xzcat" },
	{ MAGIC("BZh"), "compressed by bzip2", "bzcat" },
	{ MAGIC("\x89LZO"), "compressed by lzop", "lzop -dc" },
	{ MAGIC("\x11\x22\x33\x44"),
	  "one of the channels of a multifd migration: switch the capability 'multifd' off" },
#undef MAGIC
};

struct xf_error *xf_format_unknown(const char *path, const char *verb, const uint8_t *head,
				   size_t size)
{
	if (size == 0)
		return xf_error_new(XF_ERR_DAMAGED, path, "is empty");
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
		if (size < foreign[i].length ||
		    memcmp(head, foreign[i].magic, foreign[i].length) != 0)
			continue;
		if (!foreign[i].unpacker)
			return xf_error_new(XF_ERR_FORMAT, path, "is %s", foreign[i].answer);
		return xf_error_new(XF_ERR_FORMAT, path, "is %s: use '%s FILE | xferry %s'",
				    foreign[i].answer, foreign[i].unpacker, verb);
	}
	return xf_error_new(XF_ERR_FORMAT, path,
			    "is no saved state that xferry reads: a QEMU migration stream "
			    "begins with 'QEVM'");
}

void xf_record_deinit(struct xf_record *record, const struct xf_format *format)
{
	if (record->own && format->free_own)
		format->free_own(record->own);
	free(record->title);
	free(record->machine);
	free(record->vcpus);
	xf_evidence_free(record->evidence);
	*record = (struct xf_record){ 0 };
}

void xf_names_deinit(struct xf_names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->names[i]);
	free(names->names);
	*names = (struct xf_names){ 0 };
}

/* ---- Opening ---- */

/* The format that knows the file's first bytes, or NULL. */
static const struct xf_format *format_of(const struct xf_input *input)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (formats[i]->recognise(input->head, input->head_size))
			return formats[i];
	return NULL;
}

static char *name_of(const char *file, const char *part)
{
	return part ? xf_text("%s#%s", file, part) : strdup(file);
}

/* The file, open; of its content the head has been read, and its format, if it has one, is known.
 */
static struct xf_error *open_any_file(struct xf_place *place, const struct xf_progress *progress,
				      struct xf_state *state)
{
	XF_TRY(xf_input_open(place->path, progress, &state->input));
	state->input.part = xf_take(place->part);
	state->name = name_of(state->input.path, state->input.part);
	if (!state->name)
		return xf_error_memory();
	XF_TRY(xf_input_read_head(&state->input));
	state->format = format_of(&state->input);
	return NULL;
}

static struct xf_error *open_file(struct xf_place *place, const struct xf_progress *progress,
				  struct xf_state *state)
{
	XF_TRY(open_any_file(place, progress, state));
	if (!state->format && xf_raw_area_is_likely(state->input.head, state->input.head_size))
		return xf_error_new(XF_ERR_FORMAT, state->input.path,
				    "looks like a raw XSAVE area: --layout says of which host");
	if (!state->format)
		return xf_format_unknown(state->input.path, "check -", state->input.head,
					 state->input.head_size);
	if (state->input.part && !state->format->list)
		return xf_error_new(XF_ERR_USAGE, state->input.path,
				    "holds one state, and none of the name '%s'",
				    state->input.part);
	return NULL;
}

static void scope_close_state(struct xf_state **state)
{
	xf_state_close(*state);
}

/*
 * A repair in several places that is killed between two of them leaves what no format takes for
 * sound: a checksum that does not fit. Who meets it must learn that there is a way back.
 */
static struct xf_error *not_readable(const struct xf_place *place, const struct xf_state *state,
				     struct xf_error *err)
{
	XF_AUTO(xf_undo_file_deinit) struct xf_undo_file undo = { 0 };
	XF_AUTO_FREE char *undo_path = NULL;

	/* A file on standard input has no name by which its undo file could be found. */
	if (err->code != XF_ERR_DAMAGED || xf_is_stdin(place->path))
		return err;
	undo_path = xf_text("%s.xfundo", state->name);
	if (!undo_path || access(undo_path, F_OK) < 0)
		return err;

	struct xf_error *none = xf_undo_file_read(undo_path, &undo);

	if (none) {
		xf_error_free(none);
		return err;
	}
	return xf_error_advise(err, "a repair may have been cut short: xferry undo", undo_path);
}

/* Takes what `place` holds. */
static struct xf_error *open_place(struct xf_place *place, const struct xf_progress *progress,
				   struct xf_state **out)
{
	XF_AUTO(scope_close_state) struct xf_state *state = calloc(1, sizeof(*state));

	if (!state)
		return xf_error_memory();
	state->input.fd = -1;
	XF_TRY(open_file(place, progress, state));

	struct xf_error *err = state->format->read(&state->input, &state->record);

	if (err)
		return not_readable(place, state, err);
	XF_TRY(xf_input_unchanged(&state->input));
	state->input.progress = NULL; /* the caller's may not live as long */
	*out = xf_take(state);
	return NULL;
}

struct xf_error *xf_state_open(const char *path, const struct xf_progress *progress,
			       struct xf_state **out)
{
	XF_AUTO(xf_place_deinit) struct xf_place place = { 0 };

	XF_TRY(xf_place_of(path, &place));
	return open_place(&place, progress, out);
}

struct xf_error *xf_state_open_part(const char *path, const char *part,
				    const struct xf_progress *progress, struct xf_state **out)
{
	XF_AUTO(xf_place_deinit) struct xf_place place = { 0 };

	XF_TRY(xf_place_at(path, part, &place));
	return open_place(&place, progress, out);
}

struct xf_error *xf_state_open_area(const char *path, const struct xf_layout *layout,
				    struct xf_state **out)
{
	XF_AUTO(scope_close_state) struct xf_state *state = calloc(1, sizeof(*state));
	XF_AUTO(xf_place_deinit) struct xf_place place = { 0 };
	struct xf_bit where;

	if (!state)
		return xf_error_memory();
	if (xf_layout_check(layout, &where) != XF_LAYOUT_OK)
		return xf_error_new(XF_ERR_USAGE, NULL, "the area's layout cannot be a CPU's");
	state->input.fd = -1;
	XF_TRY(xf_place_of(path, &place));
	XF_TRY(open_any_file(&place, NULL, state));
	if (state->format)
		return xf_error_new(XF_ERR_USAGE, state->input.path,
				    "is no raw XSAVE area, and needs no layout: %s",
				    state->format->title);
	if (state->input.part)
		return xf_error_new(XF_ERR_USAGE, state->input.path,
				    "is to be read as a raw XSAVE area, which has no part '%s'",
				    state->input.part);
	state->format = &xf_format_area;
	XF_TRY(xf_raw_area_read(&state->input, layout, &state->record));
	XF_TRY(xf_input_unchanged(&state->input));
	*out = xf_take(state);
	return NULL;
}

void xf_state_close(struct xf_state *state)
{
	if (!state)
		return;
	xf_record_deinit(&state->record, state->format);
	xf_input_close(&state->input);
	free(state->name);
	free(state);
}

struct xf_error *xf_format_at(const char *path, const char **out)
{
	XF_AUTO(xf_place_deinit) struct xf_place place = { 0 };
	XF_AUTO(xf_input_close) struct xf_input input = { .fd = -1 };

	XF_TRY(xf_place_of(path, &place));
	XF_TRY(xf_input_open(place.path, NULL, &input));
	XF_TRY(xf_input_read_head(&input));

	const struct xf_format *format = format_of(&input);

	if (format && format->is_state && !format->is_state(input.head, input.head_size))
		format = NULL;
	*out = format ? format->name : NULL;
	return NULL;
}

/* ---- Several states in a file ---- */

static void scope_free_states(struct xf_states **states)
{
	xf_states_free(*states);
}

/* Adds a state to the list, which has room. `path` is how people call it. */
static struct xf_error *add_state(struct xf_states *states, const char *part, char *path)
{
	size_t i = states->count++;

	states->paths[i] = path;
	states->parts[i] = part ? strdup(part) : NULL;
	return path && (!part || states->parts[i]) ? NULL : xf_error_memory();
}

static struct xf_error *list_states(const char *path, struct xf_place *place,
				    const struct xf_names *names, struct xf_states *states)
{
	states->paths = calloc(names->count + 1, sizeof(*states->paths));
	states->parts = calloc(names->count + 1, sizeof(*states->parts));
	states->file = xf_take(place->path);
	if (!states->paths || !states->parts)
		return xf_error_memory();
	for (size_t i = 0; i < names->count; i++)
		XF_TRY(add_state(states, names->names[i], name_of(path, names->names[i])));
	return NULL;
}

struct xf_error *xf_states_at(const char *path, struct xf_states **out)
{
	XF_AUTO(scope_close_state) struct xf_state *state = calloc(1, sizeof(*state));
	XF_AUTO(scope_free_states) struct xf_states *states = calloc(1, sizeof(*states));
	XF_AUTO(xf_names_deinit) struct xf_names names = { 0 };
	XF_AUTO(xf_place_deinit) struct xf_place place = { 0 };

	if (!state || !states)
		return xf_error_memory();
	state->input.fd = -1;
	XF_TRY(xf_place_of(path, &place));
	XF_TRY(open_file(&place, NULL, state));

	bool several = state->format->list && !state->input.part;

	if (several)
		XF_TRY(state->format->list(&state->input, &names));
	XF_TRY(list_states(state->input.path, &place, &names, states));
	if (!several)
		XF_TRY(add_state(states, state->input.part, strdup(path)));
	*out = xf_take(states);
	return NULL;
}

void xf_states_free(struct xf_states *states)
{
	if (!states)
		return;
	for (size_t i = 0; i < states->count; i++) {
		free(states->paths[i]);
		free(states->parts[i]);
	}
	free(states->paths);
	free(states->parts);
	free(states->file);
	free(states);
}

/* ---- What was read ---- */

const struct xf_evidence *xf_state_evidence(const struct xf_state *state)
{
	return state->record.evidence;
}

struct xf_error *xf_state_began_on(struct xf_state *state, const struct xf_host *host)
{
	struct xf_evidence *evidence = NULL;

	if (!state->record.evidence || !state->record.evidence->all_of_host)
		return xf_error_new(XF_ERR_USAGE, state->name,
				    "nothing that the guest was shown depends on the host that "
				    "it began on, which --from tells: leave that out");
	XF_TRY(xf_evidence_began_on(state->record.evidence, host, &evidence));
	xf_evidence_free(state->record.evidence);
	state->record.evidence = evidence;
	return NULL;
}

const char *xf_state_path(const struct xf_state *state)
{
	return state->name;
}

const char *xf_state_format(const struct xf_state *state)
{
	return state->format->name;
}

const char *xf_state_title(const struct xf_state *state)
{
	return state->record.title ? state->record.title : state->format->title;
}

const char *xf_state_machine(const struct xf_state *state)
{
	return state->record.machine;
}

enum xf_found_by xf_state_found_by(const struct xf_state *state)
{
	return state->record.found_by;
}

const char *xf_found_by_name(enum xf_found_by found_by)
{
	switch (found_by) {
	case XF_FOUND_STRUCTURE:
		return "structure";
	case XF_FOUND_DESCRIPTION:
		return "description";
	case XF_FOUND_WALK:
		return "walk";
	default:
		return "signature";
	}
}

bool xf_state_read_only(const struct xf_state *state)
{
	return state->format->read_only;
}

bool xf_state_is_rewritten(const struct xf_state *state)
{
	return state->record.rewritten;
}

size_t xf_state_vcpu_count(const struct xf_state *state)
{
	return state->record.vcpu_count;
}

const struct xf_vcpu *xf_state_vcpu(const struct xf_state *state, size_t i)
{
	return &state->record.vcpus[i];
}
