/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Carries out a report's edits: on a copy, or in place behind an undo file. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/publish.h"
#include "base/scope.h"
#include "state/attributes.h"
#include "state/copy.h"
#include "state/edit.h"
#include "state/replace.h"
#include "state/state.h"
#include "state/undo_file.h"

static struct xf_error *may_be_repaired(const struct xf_state *state,
					const struct xf_report *report)
{
	if (report->state != state)
		return xf_error_new(XF_ERR_USAGE, state->name, "the report is of another state");
	if (state->format->read_only)
		return xf_error_new(
			XF_ERR_REFUSED, state->name,
			"holds a process's registers and no virtual machine's: xferry tells "
			"what is in it and never changes it");
	if (!state->input.seekable)
		return xf_error_new(XF_ERR_USAGE, state->name,
				    "a pipe cannot be repaired: save it to a file first");
	return state->format->may_fix ? state->format->may_fix(state, report, false) : NULL;
}

static struct xf_error *copy_and_edit(const struct xf_state *state, const struct xf_report *report,
				      int fd, const char *path, const struct xf_progress *progress)
{
	struct xf_edited copy = { .path = path, .fd = fd };

	XF_TRY(xf_copy_all(&state->input, fd, path, progress));
	XF_TRY(xf_input_unchanged(&state->input));
	XF_TRY(xf_edits_verify(&copy, report->edits, report->edit_count));
	return xf_edits_write(&copy, report->edits, report->edit_count);
}

struct xf_error *xf_fix_copy(const struct xf_state *state, const struct xf_report *report,
			     const char *path, const struct xf_progress *progress)
{
	XF_AUTO(xf_publish_end) struct xf_publish publish = { .fd = -1 };

	XF_TRY(may_be_repaired(state, report));
	XF_TRY(xf_attributes_publish(&state->input, path, 0666, &publish));
	if (state->record.rewritten) {
		XF_TRY(state->format->rewrite(state, report, publish.fd, path, progress));
		XF_TRY(xf_input_unchanged(&state->input));
	} else {
		XF_TRY(copy_and_edit(state, report, publish.fd, path, progress));
	}
	return xf_publish_commit(&publish);
}

static struct xf_error *write_edits(const struct xf_edited *file, const struct xf_report *report)
{
	XF_TRY(xf_edits_write(file, report->edits, report->edit_count));
	if (fdatasync(file->fd) < 0)
		return xf_error_errno(file->path, "fdatasync");
	return NULL;
}

/* Whoever meets this error must learn that there is a way back. */
static struct xf_error *half_done(struct xf_error *err, const char *undo_path)
{
	struct xf_error *full =
		xf_error_new(err->code, NULL, "%s; to take the repair back: xferry undo %s",
			     err->text, undo_path);

	xf_error_free(err);
	return full;
}

static struct xf_error *edit_in_place(const struct xf_input *input, const struct xf_report *report,
				      int fd, const char *undo_path)
{
	struct xf_edited file = { .path = input->path, .fd = fd };

	XF_TRY(xf_edits_verify(&file, report->edits, report->edit_count));
	XF_TRY(xf_undo_file_write(undo_path, fd, input, report));

	struct xf_error *err = write_edits(&file, report);

	return err ? half_done(err, undo_path) : NULL;
}

static struct xf_error *replace(const struct xf_state *state, const struct xf_report *report,
				int fd, const char *undo_path, const struct xf_progress *progress)
{
	bool replaced;
	struct xf_error *err = xf_replace(state, report, fd, undo_path, progress, &replaced);

	return err && replaced ? half_done(err, undo_path) : err;
}

struct xf_error *xf_fix_in_place(const struct xf_state *state, const struct xf_report *report,
				 const char *undo_path, const struct xf_progress *progress)
{
	const struct xf_input *input = &state->input;
	XF_AUTO_FREE char *beside = NULL;
	XF_AUTO_CLOSE int fd = -1;

	XF_TRY(may_be_repaired(state, report));
	if (!report->edit_count)
		return NULL;
	if (!undo_path && S_ISBLK(input->before.st_mode))
		return xf_error_new(
			XF_ERR_USAGE, input->path,
			"is a block device: name an undo file on a disk, as what is put "
			"beside it in /dev is gone after a reboot");
	if (!undo_path && asprintf(&beside, "%s.xfundo", state->name) < 0) {
		beside = NULL;
		return xf_error_memory();
	}
	undo_path = undo_path ? undo_path : beside;
	XF_TRY(xf_input_open_for_writing(input, &fd));
	XF_TRY(xf_input_unchanged(input));
	if (state->format->may_fix)
		XF_TRY(state->format->may_fix(state, report, true));
	return state->record.rewritten ? replace(state, report, fd, undo_path, progress)
				       : edit_in_place(input, report, fd, undo_path);
}
