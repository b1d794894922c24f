/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "host/nearest.h"

struct xf_nearest xf_nearest(const char *word, size_t len)
{
	/* With more than a third of the letters wrong, and one, it is another word and no slip. */
	return (struct xf_nearest){ .word = word, .len = len, .distance = len / 3 + 2 };
}

static size_t least(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;

	return least < c ? least : c;
}

static bool same(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Levenshtein's distance; `a` has at most XF_WORD_MAX characters. */
static size_t distance(const char *a, size_t a_len, const char *b)
{
	size_t row[XF_WORD_MAX + 1];

	for (size_t i = 0; i <= a_len; i++)
		row[i] = i;
	for (size_t j = 0; b[j]; j++) {
		size_t diagonal = row[0];

		row[0] = j + 1;
		for (size_t i = 0; i < a_len; i++) {
			size_t above = row[i + 1];

			row[i + 1] = least(above + 1, row[i] + 1, diagonal + !same(a[i], b[j]));
			diagonal = above;
		}
	}
	return row[a_len];
}

void xf_nearest_try(struct xf_nearest *nearest, const char *candidate)
{
	if (nearest->len > XF_WORD_MAX)
		return;

	/* What a name begins with is that name cut short: "pve-8" is nearer to "pve-8-6.2" than to
	   "pve-7". */
	bool begins = nearest->len > 2 && strncasecmp(candidate, nearest->word, nearest->len) == 0;
	size_t found = begins ? 0 : distance(nearest->word, nearest->len, candidate);

	if (found < nearest->distance) {
		nearest->best = candidate;
		nearest->distance = found;
	}
}

int xf_shown_length(size_t len)
{
	return (int)(len < XF_WORD_MAX ? len : XF_WORD_MAX);
}
