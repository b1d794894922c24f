/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The undo file: one line of JSON (path and size of the state, each edit with its
 * old and new bytes, and what lies around them), then "crc32 XXXXXXXX" of that
 * line. It is durable before the first byte of the state changes.
 */
#ifndef XF_STATE_UNDO_FILE_H
#define XF_STATE_UNDO_FILE_H

#include "state/input.h"

/* Bytes right beside an edit that are kept as they are, for a person to see. */
#define XF_UNDO_CONTEXT 32

/* An edit and the bytes beside it, by which the place is recognised. */
struct xf_undo_entry {
	struct xf_edit edit;
	uint8_t before[XF_UNDO_CONTEXT];
	uint8_t after[XF_UNDO_CONTEXT];
	size_t before_length;
	size_t after_length;
};

/* What an undo file says. */
struct xf_undo_file {
	char *state_path;
	uint64_t state_size;
	unsigned long around; /* xf_undo_sum_around, when the state was repaired */
	struct xf_undo_entry
		*entries; /* in the order of offsets, not overlapping, within the state */
	size_t count;
};

void xf_undo_file_deinit(struct xf_undo_file *undo);

/* Writes the undo file of a repair that `fd`, the state itself, is about to get. */
struct xf_error *xf_undo_file_write(const char *undo_path, int fd, const struct xf_input *input,
				    const struct xf_report *report);

/* Reads one; nothing in it is believed before it has been checked. */
struct xf_error *xf_undo_file_read(const char *undo_path, struct xf_undo_file *out);

/*
 * The sum of what lies around all edits in the state: enough of each vCPU to tell
 * two snapshots of a VM apart.
 */
struct xf_error *xf_undo_sum_around(int fd, const char *path, const struct xf_undo_file *undo,
				    unsigned long *out);

#endif
