/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "base/scope.h"
#include "state/contents.h"

/* Room for the head, what a pipe may give at once, and the '\0'. */
#define FIRST_ROOM (64u << 10)

struct contents {
	uint8_t *bytes;
	size_t size;
	size_t room;
};

static void contents_deinit(struct contents *contents)
{
	free(contents->bytes);
}

static struct xf_error *grow(struct contents *contents)
{
	size_t room = contents->room ? contents->room * 2 : FIRST_ROOM;
	uint8_t *bytes = realloc(contents->bytes, room);

	if (!bytes)
		return xf_error_memory();
	contents->bytes = bytes;
	contents->room = room;
	return NULL;
}

/* Some more bytes; none at the end. */
static struct xf_error *read_some(struct xf_input *input, struct contents *contents, size_t *got)
{
	uint8_t *to = contents->bytes + contents->size;
	size_t room = contents->room - 1 - contents->size;
	ssize_t n;

	do {
		n = input->seekable ? pread(input->fd, to, room, (off_t)contents->size)
				    : read(input->fd, to, room);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return xf_error_errno(input->path, "read");
	*got = (size_t)n;
	return NULL;
}

struct xf_error *xf_input_contents(struct xf_input *input, size_t max, const char *kind,
				   uint8_t **out, size_t *size)
{
	XF_AUTO(contents_deinit) struct contents contents = { 0 };
	size_t got = input->head_size;

	XF_TRY(grow(&contents));
	memcpy(contents.bytes, input->head, got);
	while (got) {
		contents.size += got;
		if (contents.size > max)
			return xf_error_new(XF_ERR_DAMAGED, input->path,
					    "has more than the %zu MiB that %s can have", max >> 20,
					    kind);
		if (contents.size + 1 == contents.room)
			XF_TRY(grow(&contents));
		XF_TRY(read_some(input, &contents, &got));
	}
	contents.bytes[contents.size] = '\0';
	*out = xf_take(contents.bytes);
	*size = contents.size;
	return NULL;
}
