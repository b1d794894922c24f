/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A file or pipe that holds saved state. A seekable one is read where needed;
 * a pipe is read once, from start to end.
 */
#ifndef XF_STATE_INPUT_H
#define XF_STATE_INPUT_H

#include <sys/stat.h>

#include "base/error.h"

/* How many bytes from the start a format is recognised by, if the input has them. */
#define XF_INPUT_HEAD 4096

struct xf_input {
	int fd;
	char *path; /* of the file; "standard input" for "-" */
	char *part; /* one of several states in the file: its name; or NULL */
	bool seekable;
	uint64_t size;			    /* bytes; of a pipe: not known, 0 */
	struct stat before;		    /* to notice that the file changed while it was read */
	const struct xf_progress *progress; /* or NULL */
	uint8_t head[XF_INPUT_HEAD];	    /* the first bytes; of a pipe they are gone from it */
	size_t head_size;
};

/*
 * Opens for reading. A directory, a character device, a FIFO that nobody
 * writes to: an error that says so. A block device's size is asked for.
 */
struct xf_error *xf_input_open(const char *path, const struct xf_progress *progress,
			       struct xf_input *out);
void xf_input_close(struct xf_input *input);

/* Reads the head. A pipe may give it in pieces. */
struct xf_error *xf_input_read_head(struct xf_input *input);

/* XF_ERR_REFUSED when the file was written to or replaced since it was opened. */
struct xf_error *xf_input_unchanged(const struct xf_input *input);

/*
 * Opens the same file once more, to change it, and locks it against another
 * repair or undo. XF_ERR_REFUSED when the path is another file by now or locked.
 */
struct xf_error *xf_input_open_for_writing(const struct xf_input *input, int *out);

#endif
