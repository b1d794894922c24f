/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Makes the error values of xferry.h: a code, a place, and one line for a person. */
#ifndef XF_BASE_ERROR_H
#define XF_BASE_ERROR_H

#include "xferry.h"

/*
 * A new error. `file` may be NULL; with an offset other than XF_NO_OFFSET the text
 * reads "FILE: at byte N: …". Control characters in the text become '?', since
 * names come from hostile files. Never NULL: out of memory gives a static error.
 */
struct xf_error *xf_error_at(enum xf_error_code code, const char *file, uint64_t offset,
			     const char *format, ...)
	__attribute__((format(printf, 4, 5), returns_nonnull));

#define xf_error_new(code, file, ...) xf_error_at(code, file, XF_NO_OFFSET, __VA_ARGS__)

/*
 * Makes every control character '?', those of U+0080 to U+009F too: one line, and none that
 * steers a terminal, whatever a hostile file put into a name.
 */
void xf_make_printable(char *text);

/*
 * XF_ERR_IO with strerror(errno) behind ": ". `doing` is what failed: "open", "write".
 * errno stays as it is.
 */
struct xf_error *xf_error_errno(const char *file, const char *doing)
	__attribute__((returns_nonnull));

/* The same error of a file that the caller knows: `err` has none. Takes `err`. */
struct xf_error *xf_error_in(const char *file, struct xf_error *err)
	__attribute__((returns_nonnull));

/*
 * The same error with what helps behind it: "TEXT; ADVICE NAME". Takes `err`. Without memory
 * for it, the error as it is.
 */
struct xf_error *xf_error_advise(struct xf_error *err, const char *advice, const char *name)
	__attribute__((returns_nonnull));

/* XF_ERR_MEMORY; needs no memory itself. */
struct xf_error *xf_error_memory(void) __attribute__((returns_nonnull));

/* Returns from the calling function with the error of `call`, if it has one. */
#define XF_TRY(call)                               \
	do {                                       \
		struct xf_error *xf_try_ = (call); \
		if (xf_try_)                       \
			return xf_try_;            \
	} while (0)

#endif
