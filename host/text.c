/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "host/text.h"

char *xf_text(const char *format, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, format);
	int n = vasprintf(&text, format, args);
	va_end(args);
	return n < 0 ? NULL : text;
}

char *xf_text_end(FILE *stream, char **text)
{
	int failed = ferror(stream);

	/* glibc's fclose may fail to make the last copy and not say so: the text is NULL then. */
	if (!fclose(stream) && !failed)
		return *text;
	free(*text);
	return NULL;
}

bool xf_piece_is(struct xf_piece piece, const char *word)
{
	return piece.text && strlen(word) == piece.len && memcmp(piece.text, word, piece.len) == 0;
}
