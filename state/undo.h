/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The undo file: one line of JSON (path and size of the state, each edit with
 * its old and new bytes and what lies around them), then "crc32 XXXXXXXX" of
 * that line. It is durable before the first byte of the state changes.
 */
#ifndef XF_STATE_UNDO_H
#define XF_STATE_UNDO_H

#include "state/input.h"

/* Writes the undo file of a repair that `fd`, the state itself, is about to get. */
struct xf_error *xf_undo_write(const char *undo_path, int fd, const struct xf_input *input,
			       const struct xf_report *report);

#endif
