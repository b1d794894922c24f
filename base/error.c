/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/scope.h"

static struct xf_error out_of_memory = {
	.code = XF_ERR_MEMORY,
	.offset = XF_NO_OFFSET,
	.text = "out of memory",
};

struct xf_error *xf_error_memory(void)
{
	return &out_of_memory;
}

void xf_error_free(struct xf_error *err)
{
	if (!err || err == &out_of_memory)
		return;
	free((char *)err->file);
	free((char *)err->text);
	free(err);
}

void xf_make_printable(char *text)
{
	for (unsigned char *p = (unsigned char *)text; *p; p++)
		if (*p < ' ' || *p == 0x7f)
			*p = '?';
		else if (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0) /* U+0080 to U+009F */
			p[0] = p[1] = '?';
}

static char *place(const char *file, uint64_t offset)
{
	char *text = NULL;
	int n;

	if (!file)
		return strdup("");
	if (offset == XF_NO_OFFSET)
		n = asprintf(&text, "%s: ", file);
	else
		n = asprintf(&text, "%s: at byte %" PRIu64 ": ", file, offset);
	return n < 0 ? NULL : text;
}

struct xf_error *xf_error_at(enum xf_error_code code, const char *file, uint64_t offset,
			     const char *format, ...)
{
	XF_AUTO_FREE char *message = NULL;
	va_list args;

	va_start(args, format);
	int n = vasprintf(&message, format, args);
	va_end(args);
	if (n < 0) {
		message = NULL;
		return xf_error_memory();
	}

	XF_AUTO_FREE char *where = place(file, offset);
	XF_AUTO_FREE char *own_file = file ? strdup(file) : NULL;
	XF_AUTO_FREE char *text = NULL;
	XF_AUTO_FREE struct xf_error *err = malloc(sizeof(*err));

	if (!err || !where || (file && !own_file))
		return xf_error_memory();
	if (asprintf(&text, "%s%s", where, message) < 0) {
		text = NULL;
		return xf_error_memory();
	}
	xf_make_printable(text);
	*err = (struct xf_error){
		.code = code,
		.file = xf_take(own_file),
		.offset = offset,
		.text = xf_take(text),
	};
	return xf_take(err);
}

struct xf_error *xf_error_in(const char *file, struct xf_error *err)
{
	if (err == &out_of_memory)
		return err;

	struct xf_error *placed = xf_error_new(err->code, file, "%s", err->text);

	xf_error_free(err);
	return placed;
}

struct xf_error *xf_error_errno(const char *file, const char *doing)
{
	int error = errno;

	struct xf_error *err =
		error == ENOMEM ? xf_error_memory()
				: xf_error_new(XF_ERR_IO, file, "%s: %s", doing, strerror(error));

	errno = error;
	return err;
}

struct xf_error *xf_error_advise(struct xf_error *err, const char *advice, const char *name)
{
	char *text = NULL;

	/* By now there may be some again. */
	if (err == &out_of_memory)
		return xf_error_new(err->code, NULL, "%s; %s %s", err->text, advice, name);
	if (asprintf(&text, "%s; %s %s", err->text, advice, name) < 0)
		return err;
	xf_make_printable(text);
	free((char *)err->text);
	err->text = text;
	return err;
}
