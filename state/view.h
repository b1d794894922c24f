/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The bytes of one stream, wherever a format keeps them: a whole file, a part of one,
 * clusters all over a disk image, what a decompressor gives. The readers of a
 * stream (state/qemu*.c) know nothing else of the file.
 *
 * Where a stream lies in its file in one piece, its addresses are the file's own offsets:
 * messages and edits then need no translation. Else they count from 0.
 */
#ifndef XF_STATE_VIEW_H
#define XF_STATE_VIEW_H

#include "state/input.h"

struct xf_view {
	const char *name;		    /* for messages: "vm.qevm", "disk.qcow2#before" */
	bool seekable;			    /* may be read anywhere; else once, from start to end */
	bool whole;			    /* `end` may be taken for the end of the stream */
	uint64_t start;			    /* address of the first byte */
	uint64_t end;			    /* behind the last; not seekable: not known, 0 */
	const struct xf_progress *progress; /* or NULL */

	/*
	 * The bytes at an address, some at least, none at the end. Where it is not seekable,
	 * `at` is where the last call has ended. A short count is not the end.
	 */
	struct xf_error *(*read)(struct xf_view *view, uint64_t at, void *buffer, size_t size,
				 size_t *got);
	void *source; /* for `read` */
};

/*
 * The input from `start` on, to its end. It must live as long as the view.
 *
 * Its end is not always the stream's. A raw volume goes on behind the stream with what was
 * there before, and that can be the complete end of an older snapshot: of the same VM, with
 * the same sections, names and ids. Nothing in a stream's end refers to its start, so only
 * all that lies between can tell them apart. Therefore a block device, and a file whose
 * size is a multiple of 4 KiB, as a copy of a volume has, are not `whole`.
 *
 * Any other file is. It can still be one written over a longer one without truncation; of
 * that doubt a reader from the end may clear up what is cheap (state/qemu_end.h).
 */
struct xf_view xf_view_of_input(struct xf_input *input, uint64_t start);

/* Reads exactly `size` bytes. A view that ends before is XF_ERR_DAMAGED. */
struct xf_error *xf_view_read(struct xf_view *view, uint64_t at, void *buffer, size_t size);

#endif
