/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state/spelled_text.h"

#define FIRST_ROOM ((size_t)16 << 10)

void xf_spelled_deinit(struct xf_spelled *spelled)
{
	free(spelled->text);
	free(spelled->spelling);
	*spelled = (struct xf_spelled){ 0 };
}

static struct xf_error *grow(struct xf_spelled *spelled)
{
	size_t room = spelled->room ? spelled->room * 2 : FIRST_ROOM;
	char *text = realloc(spelled->text, room);

	if (!text)
		return xf_error_memory();
	spelled->text = text;

	struct xf_spelling *spelling =
		reallocarray(spelled->spelling, room, sizeof(*spelled->spelling));

	if (!spelling)
		return xf_error_memory();
	spelled->spelling = spelling;
	spelled->room = room;
	return NULL;
}

struct xf_error *xf_spelled_add(struct xf_spelled *spelled, char character,
				struct xf_spelling spelling)
{
	if (spelled->size + 1 >= spelled->room)
		XF_TRY(grow(spelled));
	spelled->text[spelled->size] = character;
	spelled->spelling[spelled->size++] = spelling;
	spelled->text[spelled->size] = '\0';
	return NULL;
}

/* What the four digits behind "\u" stand for; they have been found to be hexadecimal. */
static char of_code(const char *digits)
{
	char four[5] = { digits[0], digits[1], digits[2], digits[3] };
	unsigned long code = strtoul(four, NULL, 16);

	return code < 0x80 ? (char)code : '?';
}

/* One escape, `json[0]` is the backslash; gives the bytes it takes. */
static uint8_t unescape(const char *json, char *out)
{
	static const char letters[] = "bfnrt";
	static const char meanings[] = "\b\f\n\r\t";
	const char *letter = strchr(letters, json[1]);

	if (json[1] == 'u') {
		*out = of_code(json + 2);
		return 6;
	}
	*out = letter ? meanings[letter - letters] : json[1];
	return 2;
}

struct xf_error *xf_spelled_add_string(struct xf_spelled *spelled, const char *json, size_t at,
				       size_t end)
{
	for (at++; at < end - 1;) {
		struct xf_spelling spelling = { (uint32_t)at, 1 };
		char character = json[at];

		if (character == '\\')
			spelling.width = unescape(json + at, &character);
		XF_TRY(xf_spelled_add(spelled, character, spelling));
		at += spelling.width;
	}
	return NULL;
}

/* The codes of digits and of the blank have two digits of their own. */
static uint8_t plain_width(bool as_numbers)
{
	return as_numbers ? 2 : 1;
}

bool xf_spelled_is_plain(const struct xf_spelled *spelled, size_t at, size_t size)
{
	for (size_t i = at; i < at + size; i++)
		if (spelled->spelling[i].width != plain_width(spelled->as_numbers))
			return false;
	return true;
}

struct xf_digits xf_digits_of(const struct xf_spelled *spelled, size_t at, size_t size)
{
	struct xf_digits digits = {
		.count = (uint8_t)size,
		.as_numbers = spelled->as_numbers,
	};

	memcpy(digits.text, spelled->text + at, size);
	memcpy(digits.spelling, spelled->spelling + at, size * sizeof(*digits.spelling));
	return digits;
}

static void spell(const struct xf_digits *digits, char character, uint8_t out[2])
{
	unsigned int code = (unsigned char)character;

	out[0] = digits->as_numbers ? (uint8_t)('0' + code / 10) : (uint8_t)code;
	out[1] = (uint8_t)('0' + code % 10);
}

static struct xf_edit edit_of(const struct xf_digits *digits, size_t i, char to)
{
	struct xf_edit edit = {
		.offset = digits->spelling[i].at,
		.length = digits->spelling[i].width,
	};

	spell(digits, digits->text[i], edit.old_bytes);
	spell(digits, to, edit.new_bytes);
	return edit;
}

/* Adds an edit, to the one before it where they touch. */
static struct xf_error *add_edit(struct xf_edit_list *list, size_t first,
				 const struct xf_edit *edit)
{
	struct xf_edit *last = list->count > first ? &list->edits[list->count - 1] : NULL;

	if (!last || xf_edit_end(last) != edit->offset || last->length + edit->length > XF_EDIT_MAX)
		return xf_edit_list_add(list, edit);
	memcpy(last->old_bytes + last->length, edit->old_bytes, edit->length);
	memcpy(last->new_bytes + last->length, edit->new_bytes, edit->length);
	last->length += edit->length;
	return NULL;
}

struct xf_error *xf_digits_edit(const struct xf_digits *digits, const char *file, uint64_t number,
				struct xf_edit_list *out)
{
	char text[XF_DIGITS_MAX + 1];
	int length = snprintf(text, sizeof(text), "%-*" PRIu64, digits->count, number);
	size_t first = out->count;

	if (length != digits->count)
		return xf_error_at(XF_ERR_REFUSED, file, digits->spelling[0].at,
				   "there is no room for the number %" PRIu64, number);
	for (size_t i = 0; i < digits->count; i++) {
		struct xf_edit edit = edit_of(digits, i, text[i]);

		if (text[i] != digits->text[i])
			XF_TRY(add_edit(out, first, &edit));
	}
	return NULL;
}
