/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a misspelt word may have meant. */
#ifndef XF_HOST_NEAREST_H
#define XF_HOST_NEAREST_H

#include <stddef.h>

/* No name that xferry knows is longer; of a longer word an error shows this much. */
#define XF_WORD_MAX 63

struct xf_nearest {
	const char *word;
	size_t len;
	const char *best; /* the nearest of those tried so far, or NULL: none is near */
	size_t distance;
};

struct xf_nearest xf_nearest(const char *word, size_t len);

/* Compares with one more candidate, which must live as long as `nearest`. */
void xf_nearest_try(struct xf_nearest *nearest, const char *candidate);

/* Ready for the end of a message; the text lives as long as `*nearest`. */
#define XF_NEAREST_FORMAT "%s%s%s"
#define XF_NEAREST_ARGS(nearest)                                                                   \
	(nearest)->best ? "; the nearest name is \"" : "", (nearest)->best ? (nearest)->best : "", \
		(nearest)->best ? "\"" : ""

/* The part of a word that is shown, for "%.*s". */
int xf_shown_length(size_t len);

#endif
