/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/scope.h"
#include "host/mask_text.h"
#include "host/nearest.h"
#include "host/text.h"

char *xf_mask_to_text(uint64_t mask)
{
	if (!mask)
		return strdup("none");

	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);
	const char *space = "";

	if (!stream)
		return NULL;
	xf_for_each_bit (bit, mask) {
		const struct xf_component *component = xf_component(bit);

		if (component)
			fprintf(stream, "%s%s", space, component->label);
		else
			fprintf(stream, "%sbit %u", space, bit.n);
		space = " ";
	}
	return xf_text_end(stream, &text);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool xf_hex(const char *text, size_t len, uint64_t *out)
{
	uint64_t value = 0;

	if (len < 3 || len > 18 || text[0] != '0' || (text[1] | 0x20) != 'x')
		return false;
	for (size_t i = 2; i < len; i++) {
		int digit = hex_digit(text[i]);

		if (digit < 0)
			return false;
		value = value << 4 | (uint64_t)digit;
	}
	*out = value;
	return true;
}

/* "33", a bit's number. */
static bool bit_number(const char *text, size_t len, uint64_t *out)
{
	unsigned int n = 0;

	if (!len || len > 2)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!isdigit((unsigned char)text[i]))
			return false;
		n = n * 10 + (unsigned int)(text[i] - '0');
	}
	if (n >= XF_BITS)
		return false;
	*out = xf_mask(xf_bit(n));
	return true;
}

bool xf_component_word(const char *word, size_t len, uint64_t *out)
{
	uint64_t mask = xf_component_mask(word, len);

	if (mask) {
		*out = mask;
		return true;
	}
	if (len <= 3 || strncasecmp(word, "bit", 3) != 0)
		return false;

	size_t skip = word[3] == ' ' ? 4 : 3;

	return bit_number(word + skip, len - skip, out);
}

static struct xf_error *unknown_word(const char *word, size_t len)
{
	struct xf_nearest nearest = xf_nearest(word, len);

	xf_for_each_bit (bit, XF_DEFINED)
		xf_nearest_try(&nearest, xf_component(bit)->name);
	return xf_error_new(XF_ERR_USAGE, NULL,
			    "unknown state component \"%.*s\"" XF_NEAREST_FORMAT
			    "; a mask is written 0x207 or x87,sse,avx,pkru",
			    xf_shown_length(len), word, XF_NEAREST_ARGS(&nearest));
}

#define SEPARATORS ",| \t"

/* Length of the word at `text`: up to a separator, but "bit 33" is one word. */
static size_t word_length(const char *text)
{
	size_t len = strcspn(text, SEPARATORS);

	if (len == 3 && strncasecmp(text, "bit ", 4) == 0)
		len += 1 + strcspn(text + 4, SEPARATORS);
	return len;
}

struct xf_error *xf_mask_from_text(const char *text, uint64_t *out)
{
	uint64_t mask = 0;
	bool any = false;

	for (const char *word = text + strspn(text, SEPARATORS); *word;
	     word += strspn(word, SEPARATORS)) {
		size_t len = word_length(word);
		uint64_t more = 0;

		if (!xf_hex(word, len, &more) && !xf_component_word(word, len, &more) &&
		    !(len == 4 && strncasecmp(word, "none", 4) == 0))
			return unknown_word(word, len);
		mask |= more;
		any = true;
		word += len;
	}
	if (!any)
		return xf_error_new(
			XF_ERR_USAGE, NULL,
			"no state component named; a mask is written 0x207 or x87,sse,avx,pkru");
	*out = mask;
	return NULL;
}
