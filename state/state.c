/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Opens a saved state: recognises the format by content and has it read. */
#include <errno.h>
#include <string.h>

#include "base/io.h"
#include "base/scope.h"
#include "state/state.h"

static const struct xf_format *const formats[] = {
	&xf_format_qemu,
};

/* Kinds of files that people try, and what to tell them. */
static const struct {
	const char *magic;
	size_t length;
	const char *answer;
	const char *unpacker; /* or NULL: that does not help */
} foreign[] = {
#define MAGIC(bytes) bytes, sizeof(bytes) - 1
	{ MAGIC("QFI\xfb"), "a qcow2 image: its internal snapshots are not read yet" },
	{ MAGIC("LibvirtQemudSave"), "a libvirt save image: not read yet" },
	{ MAGIC("LibvirtQemudPart"), "a libvirt save image that was never completed" },
	{ MAGIC("\x1f\x8b"), "compressed by gzip", "zcat" },
	{ MAGIC("\x28\xb5\x2f\xfd"), "compressed by zstd", "zstdcat" },
	{ MAGIC("\xfd"
		"7zXZ"),
	  "compressed by xz", "xzcat" },
	{ MAGIC("BZh"), "compressed by bzip2", "bzcat" },
	{ MAGIC("\x89LZO"), "compressed by lzop", "lzop -dc" },
	{ MAGIC("\x11\x22\x33\x44"),
	  "one of the channels of a multifd migration: switch the capability 'multifd' off" },
	{ MAGIC("\x7f"
		"ELF"),
	  "an ELF file: core dumps are not read yet" },
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

/* The start of the file, as much as there is of it. A pipe may give it in pieces. */
static struct xf_error *read_head(struct xf_input *input, uint8_t head[XF_FORMAT_HEAD],
				  size_t *size)
{
	size_t done = 0;

	while (done < XF_FORMAT_HEAD) {
		ssize_t n = input->seekable ? pread(input->fd, head + done, XF_FORMAT_HEAD - done,
						    (off_t)done)
					    : read(input->fd, head + done, XF_FORMAT_HEAD - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return xf_error_errno(input->path, "read");
		if (n == 0)
			break;
		done += (size_t)n;
	}
	*size = done;
	return NULL;
}

void xf_record_deinit(struct xf_record *record)
{
	free(record->machine);
	free(record->vcpus);
}

static void scope_close_state(struct xf_state **state)
{
	xf_state_close(*state);
}

struct xf_error *xf_state_open(const char *path, const struct xf_progress *progress,
			       struct xf_state **out)
{
	XF_AUTO(scope_close_state) struct xf_state *state = calloc(1, sizeof(*state));
	uint8_t head[XF_FORMAT_HEAD];
	size_t head_size = 0;

	if (!state)
		return xf_error_memory();
	state->input.fd = -1;
	XF_TRY(xf_input_open(path, progress, &state->input));
	XF_TRY(read_head(&state->input, head, &head_size));
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		if (!formats[i]->recognise(head, head_size))
			continue;
		state->format = formats[i];
		XF_TRY(formats[i]->read(&state->input, head, head_size, &state->record));
		state->input.progress = NULL; /* the caller's may not live as long */
		*out = xf_take(state);
		return NULL;
	}
	return xf_format_unknown(state->input.path, "check -", head, head_size);
}

void xf_state_close(struct xf_state *state)
{
	if (!state)
		return;
	xf_record_deinit(&state->record);
	xf_input_close(&state->input);
	free(state);
}

const char *xf_state_path(const struct xf_state *state)
{
	return state->input.path;
}

const char *xf_state_format(const struct xf_state *state)
{
	return state->format->name;
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
	case XF_FOUND_DESCRIPTION:
		return "description";
	case XF_FOUND_WALK:
		return "walk";
	default:
		return "signature";
	}
}

size_t xf_state_vcpu_count(const struct xf_state *state)
{
	return state->record.vcpu_count;
}

const struct xf_vcpu *xf_state_vcpu(const struct xf_state *state, size_t i)
{
	return &state->record.vcpus[i];
}
