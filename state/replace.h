/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A repair by a new file that takes the state's place, and back. The original keeps its
 * content, owner, times and all else, under another name beside it:
 *
 *	vm.save.xfnew	the new file, from when it is whole until it is vm.save
 *	vm.save.xforig	a second name of the original, its only one in the end
 *	vm.save.xfundo	the undo file
 *
 *	1. the new file is written without a name		killed: nothing has happened
 *	2. undo file, .xfnew, .xforig get their names		killed: undo removes them
 *	3. .xfnew is renamed to vm.save, at once		killed: undo renames .xforig back
 *
 * Each step is durable before the next. A file system that has no files without a name shows
 * a hidden one in step 1, as with every copy (base/publish.h).
 */
#ifndef XF_STATE_REPLACE_H
#define XF_STATE_REPLACE_H

#include "state/state.h"
#include "state/undo_file.h"

/* `fd` is the state, locked. On an error all is as before, but for what `*replaced` says. */
struct xf_error *xf_replace(const struct xf_state *state, const struct xf_report *report, int fd,
			    const char *undo_path, const struct xf_progress *progress,
			    bool *replaced);

/* What the undo file tells is taken back; `*taken_back`, on an error too: it was not so before. */
struct xf_error *xf_replace_undo(const struct xf_undo_file *undo, const char *undo_path,
				 bool *taken_back);

#endif
