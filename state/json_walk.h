/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * JSON text, value by value, each with its path and its place in the text: for the formats that
 * change a number where it stands.
 *
 *	static struct xf_error *on_value(void *data, const struct xf_json_path *path,
 *					 const struct xf_json_value *value)
 *	{
 *		if (xf_json_path_is(path, "vcpus/#/xcr0") && value->kind == XF_JSON_NUMBER)
 *			return xf_json_uint(path, value, UINT64_MAX, &xcr0);
 *		return NULL;
 *	}
 */
#ifndef XF_STATE_JSON_WALK_H
#define XF_STATE_JSON_WALK_H

#include "base/error.h"

enum xf_json_kind {
	XF_JSON_OTHER, /* null, true, false */
	XF_JSON_NUMBER,
	XF_JSON_STRING,
	XF_JSON_MAP,   /* begins */
	XF_JSON_ARRAY, /* begins */
	XF_JSON_END,   /* of a map or an array: its path again */
};

struct xf_json_value {
	enum xf_json_kind kind;
	const char *text; /* a number's digits; a string without quotes and escapes. No '\0'. */
	size_t size;
	size_t at;  /* its first byte: of a string the quotation mark */
	size_t end; /* behind its last */
};

/* Longer keys match nothing. */
#define XF_JSON_KEY 32
/* Levels whose values are told; those below are only counted. */
#define XF_JSON_LEVELS 10

struct xf_json_level {
	bool is_array;
	size_t index;	       /* in an array: of the element */
	char key[XF_JSON_KEY]; /* in a map; too long: "" */
};

struct xf_json_path {
	struct xf_json_level levels[XF_JSON_LEVELS];
	size_t depth;	  /* 0: the text's own value */
	const char *file; /* for messages */
	const char *what; /* "vCPU 3's state"; NULL: the file itself, and places are its offsets */
};

/* A pattern: keys with '/' between; '*' is any key, '#' any element of an array. */
bool xf_json_path_is(const struct xf_json_path *path, const char *pattern);

struct xf_json_reader {
	struct xf_error *(*value)(void *data, const struct xf_json_path *path,
				  const struct xf_json_value *value);
	void *data;
};

/* Walks the whole text. What is not JSON, or nested too deep, is XF_ERR_DAMAGED. */
struct xf_error *xf_json_walk(const char *file, const char *what, const char *text, size_t size,
			      const struct xf_json_reader *reader);

/* XF_ERR_DAMAGED with the file, the place, and what the text is of. */
struct xf_error *xf_json_damaged(const struct xf_json_path *path, const struct xf_json_value *value,
				 const char *format, ...)
	__attribute__((format(printf, 3, 4), returns_nonnull));

/* A number that is an integer, not negative, and at most `max`. */
struct xf_error *xf_json_uint(const struct xf_json_path *path, const struct xf_json_value *value,
			      uint64_t max, uint64_t *out);

#endif
