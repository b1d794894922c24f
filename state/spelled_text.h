/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A text inside a JSON file, and how each of its characters is spelled there: as itself in a
 * string, by an escape, or as a number in an array of bytes. So a character can be changed
 * where it stands.
 */
#ifndef XF_STATE_SPELLED_TEXT_H
#define XF_STATE_SPELLED_TEXT_H

#include "state/edit.h"

struct xf_spelling {
	uint32_t at;   /* in the file */
	uint8_t width; /* bytes it takes there */
};

struct xf_spelled {
	char *text; /* '\0' behind it */
	struct xf_spelling *spelling;
	size_t size;
	size_t room;
	bool as_numbers; /* "[123,34]", not a string */
};

void xf_spelled_deinit(struct xf_spelled *spelled);

/* One more character. */
struct xf_error *xf_spelled_add(struct xf_spelled *spelled, char character,
				struct xf_spelling spelling);

/*
 * All of a string that stands in `json` from `at` to `end`, quotation marks included, and has
 * been understood by a JSON parser. A character beyond ASCII that is escaped becomes '?'.
 */
struct xf_error *xf_spelled_add_string(struct xf_spelled *spelled, const char *json, size_t at,
				       size_t end);

/* Whether another character of ASCII fits into the room of each of these, digits and blanks. */
bool xf_spelled_is_plain(const struct xf_spelled *spelled, size_t at, size_t size);

#define XF_DIGITS_MAX 20

/* A number's digits that may be changed; independent of the text they are of. */
struct xf_digits {
	char text[XF_DIGITS_MAX];
	struct xf_spelling spelling[XF_DIGITS_MAX];
	uint8_t count;
	bool as_numbers;
};

/* Those at `at`, at most XF_DIGITS_MAX. */
struct xf_digits xf_digits_of(const struct xf_spelled *spelled, size_t at, size_t size);

/*
 * The edits that make another number of them, blanks behind it. One that is longer than the old
 * one is XF_ERR_REFUSED.
 */
struct xf_error *xf_digits_edit(const struct xf_digits *digits, const char *file, uint64_t number,
				struct xf_edit_list *out);

#endif
