/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A program that makes other bytes of those it is given. No other program that is started at the
 * same time, by whichever thread, gets its pipes: it would keep them open, and each wait for the
 * other's end.
 */
#ifndef XF_STATE_CHILD_H
#define XF_STATE_CHILD_H

#include <sys/types.h>

#include "base/error.h"

struct xf_child {
	pid_t pid; /* 0: none, or one that has been waited for */
	int in;	   /* what it is given; -1: nothing any more, or it has stopped reading */
	int out;   /* what it gives; -1: that was all */
};

#define XF_CHILD_NONE ((struct xf_child){ .in = -1, .out = -1 })

/*
 * `words`, with NULL behind them, are the program's name, which is looked for as a shell does, and
 * its arguments. What it says on stderr is lost. `file` is what it is needed for.
 */
struct xf_error *xf_child_start(const char *const *words, const char *file, struct xf_child *out);

/* Ends it, whatever it is at. None is left to be waited for. */
void xf_child_stop(struct xf_child *child);

/*
 * Waits until it takes some of the `*size` bytes at `*in`, or gives some, and moves what can be
 * moved. `*got`, at most `room`, are put at `out`. SIGPIPE must be blocked or ignored.
 */
struct xf_error *xf_child_move(struct xf_child *child, const uint8_t **in, size_t *size, void *out,
			       size_t room, size_t *got);

/* There is no more for it. */
void xf_child_end_input(struct xf_child *child);

/* Waits for its end: its status as of waitpid(), or -1 where somebody else has taken that. */
int xf_child_wait(struct xf_child *child);

#endif
