/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <yajl/yajl_parse.h>

#include "base/scope.h"
#include "state/json_walk.h"

/* serde_json, which writes what is read here, goes no deeper. */
#define MAX_DEPTH 128

struct walk {
	const struct xf_json_reader *reader;
	struct xf_json_path path;
	size_t depth; /* levels that are open, those not told included */
	const char *text;
	size_t last; /* behind the last word that was understood */
	yajl_handle json;
	struct xf_error *err;
};

/* ---- Paths ---- */

static bool level_is(const struct xf_json_level *level, const char *word, size_t length)
{
	if (length == 1 && *word == '#')
		return level->is_array;
	if (level->is_array)
		return false;
	return (length == 1 && *word == '*') ||
	       (strlen(level->key) == length && memcmp(level->key, word, length) == 0);
}

bool xf_json_path_is(const struct xf_json_path *path, const char *pattern)
{
	for (size_t i = 0; i < path->depth; i++) {
		size_t length = strcspn(pattern, "/");

		if (!length || !level_is(&path->levels[i], pattern, length))
			return false;
		pattern += length;
		pattern += *pattern == '/';
	}
	return !*pattern;
}

/* ---- Messages ---- */

struct xf_error *xf_json_damaged(const struct xf_json_path *path, const struct xf_json_value *value,
				 const char *format, ...)
{
	char said[200];
	va_list args;

	va_start(args, format);
	vsnprintf(said, sizeof(said), format, args);
	va_end(args);
	if (!path->what)
		return xf_error_at(XF_ERR_DAMAGED, path->file, value->at, "%s", said);
	return xf_error_new(XF_ERR_DAMAGED, path->file, "in %s, at byte %zu of its text: %s",
			    path->what, value->at, said);
}

struct xf_error *xf_json_uint(const struct xf_json_path *path, const struct xf_json_value *value,
			      uint64_t max, uint64_t *out)
{
	uint64_t number = 0;
	bool good = value->kind == XF_JSON_NUMBER && value->size;

	for (size_t i = 0; good && i < value->size; i++) {
		unsigned int digit = (unsigned int)value->text[i] - '0';

		good = digit <= 9 && !__builtin_mul_overflow(number, 10, &number) &&
		       !__builtin_add_overflow(number, digit, &number);
	}
	if (!good || number > max)
		return xf_json_damaged(path, value, "expected an integer of at most %llu",
				       (unsigned long long)max);
	*out = number;
	return NULL;
}

/* ---- What yajl tells ---- */

static struct xf_json_level *level(struct walk *walk)
{
	return walk->depth && walk->depth <= XF_JSON_LEVELS ? &walk->path.levels[walk->depth - 1]
							    : NULL;
}

/* The word that yajl has read last. Between two words stand blanks and punctuation. */
static struct xf_json_value word(struct walk *walk, enum xf_json_kind kind)
{
	size_t at = walk->last;

	walk->last = yajl_get_bytes_consumed(walk->json);
	while (at < walk->last && strchr(" \t\r\n:,", walk->text[at]))
		at++;
	return (struct xf_json_value){ .kind = kind, .at = at, .end = walk->last };
}

static int tell(struct walk *walk, const struct xf_json_value *value)
{
	if (walk->depth > XF_JSON_LEVELS)
		return 1;
	walk->path.depth = walk->depth;
	walk->err = walk->reader->value(walk->reader->data, &walk->path, value);
	return !walk->err;
}

/* A value has ended: in an array the next one is another element. */
static int ended(struct walk *walk, int go_on)
{
	struct xf_json_level *in = level(walk);

	if (in && in->is_array)
		in->index++;
	return go_on;
}

static int on_value(struct walk *walk, enum xf_json_kind kind, const char *text, size_t size)
{
	struct xf_json_value value = word(walk, kind);

	value.text = text;
	value.size = size;
	return ended(walk, tell(walk, &value));
}

static int on_null(void *data)
{
	return on_value(data, XF_JSON_OTHER, NULL, 0);
}

static int on_boolean(void *data, int unused)
{
	(void)unused;
	return on_value(data, XF_JSON_OTHER, NULL, 0);
}

static int on_number(void *data, const char *text, size_t size)
{
	return on_value(data, XF_JSON_NUMBER, text, size);
}

static int on_string(void *data, const unsigned char *text, size_t size)
{
	return on_value(data, XF_JSON_STRING, (const char *)text, size);
}

static int begin(struct walk *walk, enum xf_json_kind kind)
{
	struct xf_json_value value = word(walk, kind);

	if (!tell(walk, &value))
		return 0;
	if (walk->depth == MAX_DEPTH) {
		walk->err = xf_json_damaged(&walk->path, &value, "more than %u levels of JSON",
					    MAX_DEPTH);
		return 0;
	}
	walk->depth++;
	if (level(walk))
		*level(walk) = (struct xf_json_level){ .is_array = kind == XF_JSON_ARRAY };
	return 1;
}

static int on_map(void *data)
{
	return begin(data, XF_JSON_MAP);
}

static int on_array(void *data)
{
	return begin(data, XF_JSON_ARRAY);
}

static int on_key(void *data, const unsigned char *text, size_t size)
{
	struct walk *walk = data;
	struct xf_json_level *in = level(walk);

	word(walk, XF_JSON_STRING);
	if (in) {
		bool fits = size < sizeof(in->key) && !memchr(text, '\0', size);

		memset(in->key, 0, sizeof(in->key));
		memcpy(in->key, text, fits ? size : 0);
	}
	return 1;
}

static int on_end(void *data)
{
	struct walk *walk = data;
	struct xf_json_value value = word(walk, XF_JSON_END);

	walk->depth--;
	return ended(walk, tell(walk, &value));
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_boolean,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_start_map = on_map,
	.yajl_map_key = on_key,
	.yajl_end_map = on_end,
	.yajl_start_array = on_array,
	.yajl_end_array = on_end,
};

static struct xf_error *not_json(struct walk *walk)
{
	struct xf_json_value here = { .at = yajl_get_bytes_consumed(walk->json) };
	unsigned char *said = yajl_get_error(walk->json, 0, NULL, 0);
	struct xf_error *err;

	if (!said)
		return xf_error_memory();
	err = xf_json_damaged(&walk->path, &here, "not JSON: %.*s",
			      (int)strcspn((char *)said, "\n"), said);
	yajl_free_error(walk->json, said);
	return err;
}

static struct xf_error *parse(struct walk *walk, size_t size)
{
	bool good =
		yajl_parse(walk->json, (const unsigned char *)walk->text, size) == yajl_status_ok;
	struct xf_json_value end = { .at = size };

	if (!good)
		return walk->err ? walk->err : not_json(walk);
	/* A value that has not ended, or a number that may not have. */
	if (walk->depth || !walk->last)
		return xf_json_damaged(&walk->path, &end, "the text ends in the midst of JSON");
	return NULL;
}

struct xf_error *xf_json_walk(const char *file, const char *what, const char *text, size_t size,
			      const struct xf_json_reader *reader)
{
	struct walk walk = {
		.reader = reader,
		.path = { .file = file, .what = what },
		.text = text,
	};
	struct xf_error *err;

	walk.json = yajl_alloc(&callbacks, NULL, &walk);
	if (!walk.json)
		return xf_error_memory();
	err = parse(&walk, size);
	yajl_free(walk.json);
	return err;
}
