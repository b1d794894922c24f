/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A whole file in memory, for the formats whose files are small and have to be read whole. */
#ifndef XF_STATE_CONTENTS_H
#define XF_STATE_CONTENTS_H

#include "state/input.h"

/*
 * All of an input whose head has been read, from its first byte on, '\0' behind it. One with
 * more than `max` bytes is XF_ERR_DAMAGED: no file of `kind` is as large. Free with free().
 */
struct xf_error *xf_input_contents(struct xf_input *input, size_t max, const char *kind,
				   uint8_t **out, size_t *size);

#endif
