/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Takes a repair back: compares every place first, then writes the old bytes. */
#include <inttypes.h>
#include <string.h>

#include "base/io.h"
#include "base/publish.h"
#include "base/scope.h"
#include "state/edit.h"
#include "state/replace.h"
#include "state/undo_file.h"

static struct xf_error *not_as_left(const char *path, uint64_t offset)
{
	return xf_error_at(XF_ERR_REFUSED, path, offset,
			   "is not as the repair left it; nothing was changed");
}

/* Once the first byte is written: whoever meets the error must learn that there is a way on. */
static struct xf_error *to_be_continued(struct xf_error *err, const char *undo_path)
{
	return err ? xf_error_advise(err, "to go on: xferry undo", undo_path) : NULL;
}

/* Each byte old or new: a write that was cut short may have left some of both. */
static bool is_old_or_new(const struct xf_edit *edit, const uint8_t *bytes)
{
	for (uint32_t i = 0; i < edit->length; i++)
		if (bytes[i] != edit->old_bytes[i] && bytes[i] != edit->new_bytes[i])
			return false;
	return true;
}

/* Compares one place; tells whether something of the edit is there to be taken back. */
static struct xf_error *compare(int fd, const char *path, const struct xf_undo_entry *entry,
				bool *applied)
{
	const struct xf_edit *edit = &entry->edit;
	uint8_t bytes[XF_UNDO_CONTEXT + sizeof(edit->old_bytes) + XF_UNDO_CONTEXT];
	const uint8_t *middle = bytes + entry->before_length;
	uint64_t start = edit->offset - entry->before_length;

	XF_TRY(xf_read_at(fd, path, start, bytes,
			  entry->before_length + edit->length + entry->after_length));
	if (memcmp(bytes, entry->before, entry->before_length) != 0)
		return not_as_left(path, start);
	if (memcmp(middle + edit->length, entry->after, entry->after_length) != 0)
		return not_as_left(path, xf_edit_end(edit));
	if (!is_old_or_new(edit, middle))
		return not_as_left(path, edit->offset);
	*applied = memcmp(middle, edit->old_bytes, edit->length) != 0;
	return NULL;
}

/* The places alone could be alike in another snapshot of the same VM. */
static struct xf_error *compare_around(int fd, const struct xf_undo_file *undo)
{
	unsigned long sum = 0;

	XF_TRY(xf_undo_sum_around(fd, undo->state_path, undo, &sum));
	if (sum != undo->around)
		return xf_error_new(XF_ERR_REFUSED, undo->state_path,
				    "is not as the repair left it: its vCPUs' other registers "
				    "differ; nothing was changed");
	return NULL;
}

static struct xf_error *write_old(int fd, const struct xf_undo_file *undo, const bool *applied,
				  size_t *taken_back)
{
	size_t count = 0;

	for (size_t i = 0; i < undo->count; i++) {
		const struct xf_edit *edit = &undo->entries[i].edit;

		if (!applied[i])
			continue;
		XF_TRY(xf_write_at(fd, undo->state_path, edit->offset, edit->old_bytes,
				   edit->length));
		count++;
	}
	if (fdatasync(fd) < 0)
		return xf_error_errno(undo->state_path, "fdatasync");
	*taken_back = count;
	return NULL;
}

static struct xf_error *take_back(int fd, const struct xf_undo_file *undo, const char *undo_path,
				  size_t *taken_back)
{
	XF_AUTO_FREE bool *applied = calloc(undo->count + 1, sizeof(*applied));

	if (!applied)
		return xf_error_memory();
	for (size_t i = 0; i < undo->count; i++)
		XF_TRY(compare(fd, undo->state_path, &undo->entries[i], &applied[i]));
	XF_TRY(compare_around(fd, undo));
	return to_be_continued(write_old(fd, undo, applied, taken_back), undo_path);
}

static struct xf_error *open_state(const struct xf_undo_file *undo, const char *undo_path, int *out)
{
	XF_AUTO(xf_input_close) struct xf_input input = { .fd = -1 };

	XF_TRY(xf_input_open(undo->state_path, NULL, &input));
	XF_TRY(xf_undo_file_trust(undo, undo_path, &input.before));

	bool has_grown = undo->grows && input.size > undo->state_size;

	if (!input.seekable || (input.size != undo->state_size && !has_grown))
		return xf_error_new(XF_ERR_REFUSED, undo->state_path,
				    "has %" PRIu64
				    " bytes, the file that was repaired had %" PRIu64,
				    input.size, undo->state_size);

	return xf_input_open_for_writing(&input, out);
}

static struct xf_error *take_edits_back(const struct xf_undo_file *undo, const char *undo_path,
					size_t *taken_back)
{
	XF_AUTO_CLOSE int fd = -1;

	XF_TRY(open_state(undo, undo_path, &fd));
	return take_back(fd, undo, undo_path, taken_back);
}

static struct xf_error *take_original_back(const struct xf_undo_file *undo, const char *undo_path,
					   size_t *taken_back)
{
	bool changed = false;
	struct xf_error *err = xf_replace_undo(undo, undo_path, &changed);

	if (err)
		return changed ? to_be_continued(err, undo_path) : err;
	*taken_back = changed ? undo->count : 0;
	return NULL;
}

struct xf_error *xf_undo(const char *undo_path, struct xf_undo_result *out)
{
	XF_AUTO(xf_undo_file_deinit) struct xf_undo_file undo = { 0 };
	size_t taken_back = 0;

	XF_TRY(xf_undo_file_read(undo_path, &undo));
	if (undo.original_name)
		XF_TRY(take_original_back(&undo, undo_path, &taken_back));
	else
		XF_TRY(take_edits_back(&undo, undo_path, &taken_back));
	if (unlink(undo_path) < 0)
		return to_be_continued(xf_error_errno(undo_path, "remove"), undo_path);
	XF_TRY(xf_sync_directory(undo_path));
	*out = (struct xf_undo_result){ .path = xf_take(undo.state_path), .edits = taken_back };
	return NULL;
}
