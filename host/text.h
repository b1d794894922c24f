/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Text made in memory, and parts of one that is there. */
#ifndef XF_HOST_TEXT_H
#define XF_HOST_TEXT_H

#include <stdbool.h>
#include <stdio.h>

/* printf into memory from malloc, or NULL. */
char *xf_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Closes what open_memstream opened with `*text` as its buffer and gives the
 * text, or NULL when memory ran out on the way; `*text` is not to be used then.
 */
char *xf_text_end(FILE *stream, char **text);

/* A part of a text, which is not followed by '\0'. */
struct xf_piece {
	const char *text; /* NULL: there is none, which is no word either */
	size_t len;
};

bool xf_piece_is(struct xf_piece piece, const char *word);

#endif
