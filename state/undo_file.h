/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The undo file (its form: state/undo_json.h) is durable before the state changes. Of version
 * 1, bytes were changed in their place: it has path and size of the state, each edit with its
 * old and new bytes, and what lies around them. Of version 2, a new file has taken the
 * state's place: it names the original, which is kept, and has size and sum of both.
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

/* A whole file, as it is recognised. */
struct xf_whole {
	uint64_t size;
	unsigned long sum; /* CRC-32 */
};

/* What an undo file says. */
struct xf_undo_file {
	struct stat about; /* of the undo file itself */
	char *state_path;
	uint64_t state_size;
	bool grows;	      /* it may be longer by now: others write to the file, elsewhere */
	unsigned long around; /* xf_undo_sum_around, when the state was repaired */
	uint64_t piece;	      /* what lies around an edit ends with its piece; 0: with the file */
	/* Where a new file has taken the state's place; else original_name is NULL. */
	char *original_name; /* of the file beside the state that was the state */
	struct xf_whole original;
	unsigned long sum; /* of the repaired state */
	struct xf_undo_entry
		*entries; /* in the order of offsets, not overlapping, within the state */
	size_t count;
};

void xf_undo_file_deinit(struct xf_undo_file *undo);

/* Writes the undo file of a repair that `fd`, the state itself, is about to get. */
struct xf_error *xf_undo_file_write(const char *undo_path, int fd, const struct xf_input *input,
				    const struct xf_report *report);

/* A state and the one that takes its place. */
struct xf_undo_replaced {
	const char *original_name; /* under which it is kept, beside it */
	struct xf_whole original;
	struct xf_whole repaired;
};

/* Writes the undo file of a state that is about to be replaced. */
struct xf_error *xf_undo_file_write_replaced(const char *undo_path, const struct xf_input *input,
					     const struct xf_report *report,
					     const struct xf_undo_replaced *replaced);

/* Reads one; nothing in it is believed before it has been checked. */
struct xf_error *xf_undo_file_read(const char *undo_path, struct xf_undo_file *out);

/*
 * An undo file says which file is to be changed, and how. XF_ERR_REFUSED: it may be by
 * somebody who is neither the caller nor root, and could not change that file.
 */
struct xf_error *xf_undo_file_trust(const struct xf_undo_file *undo, const char *undo_path,
				    const struct stat *state);

/*
 * The sum of what lies around all edits in the state: enough of each vCPU to tell
 * two snapshots of a VM apart.
 */
struct xf_error *xf_undo_sum_around(int fd, const char *path, const struct xf_undo_file *undo,
				    unsigned long *out);

/* Size and sum of a whole file. */
struct xf_error *xf_undo_sum_all(int fd, const char *path, struct xf_whole *out);

#endif
