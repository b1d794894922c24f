/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "base/bytes.h"
#include "base/io.h"
#include "base/publish.h"
#include "base/scope.h"
#include "state/attributes.h"
#include "state/undo_json.h"

/* 1,024 vCPUs with two edits each come to half a megabyte. */
#define MAX_UNDO_FILE ((size_t)4 << 20)
#define MAX_DEPTH 8
#define MAX_HEX 32 /* bytes in a value */

void xf_json_put(struct json_object **object)
{
	json_object_put(*object);
}

struct xf_error *xf_undo_damaged(const char *path, const char *what)
{
	return xf_error_new(XF_ERR_DAMAGED, path, "is no intact undo file: %s", what);
}

/* ---- Values ---- */

bool xf_json_add(struct json_object *object, const char *key, struct json_object *value)
{
	if (value && json_object_object_add(object, key, value) == 0)
		return true;
	json_object_put(value);
	return false;
}

struct json_object *xf_json_hex(const uint8_t *bytes, size_t length)
{
	char text[2 * MAX_HEX + 1] = "";

	for (size_t i = 0; i < length; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	return json_object_new_string(text);
}

struct json_object *xf_json_sum(unsigned long sum)
{
	char text[16];

	snprintf(text, sizeof(text), "%08lx", sum);
	return json_object_new_string(text);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

bool xf_json_get_hex(struct json_object *from, const char *key, uint8_t *out, size_t max,
		     size_t *length)
{
	struct json_object *value;

	if (!json_object_object_get_ex(from, key, &value) ||
	    !json_object_is_type(value, json_type_string))
		return false;

	const char *text = json_object_get_string(value);
	size_t digits = (size_t)json_object_get_string_len(value);

	if (digits % 2 || digits / 2 > max)
		return false;
	for (size_t i = 0; i < digits / 2; i++) {
		int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	*length = digits / 2;
	return true;
}

bool xf_json_get_number(struct json_object *from, const char *key, uint64_t *out)
{
	struct json_object *value;

	if (!json_object_object_get_ex(from, key, &value) ||
	    !json_object_is_type(value, json_type_int) || json_object_get_int64(value) < 0)
		return false;
	*out = (uint64_t)json_object_get_int64(value);
	return true;
}

bool xf_json_get_sum(struct json_object *from, const char *key, unsigned long *out)
{
	uint8_t bytes[4];
	size_t length;

	if (!xf_json_get_hex(from, key, bytes, sizeof(bytes), &length) || length != sizeof(bytes))
		return false;
	*out = xf_be32(bytes);
	return true;
}

bool xf_json_get_text(struct json_object *from, const char *key, const char **out)
{
	struct json_object *value;

	if (!json_object_object_get_ex(from, key, &value) ||
	    !json_object_is_type(value, json_type_string) ||
	    strlen(json_object_get_string(value)) != (size_t)json_object_get_string_len(value))
		return false;
	*out = json_object_get_string(value);
	return true;
}

/* ---- The file ---- */

static unsigned long checksum(const char *text, size_t length)
{
	return crc32_z(0, (const uint8_t *)text, length);
}

struct xf_error *xf_undo_json_write(const char *path, const struct xf_input *state,
				    struct json_object *root)
{
	XF_AUTO(xf_publish_end) struct xf_publish publish = { .fd = -1 };
	XF_AUTO_FREE char *text = NULL;

	XF_TRY(xf_attributes_publish(state, path, 0644, &publish));

	const char *line = json_object_to_json_string_ext(root, JSON_C_TO_STRING_PLAIN);

	if (!line)
		return xf_error_memory();

	int length = asprintf(&text, "%s\ncrc32 %08lx\n", line, checksum(line, strlen(line)));

	if (length < 0) {
		text = NULL;
		return xf_error_memory();
	}
	/* What could not be read back would undo nothing. */
	if ((size_t)length > MAX_UNDO_FILE)
		return xf_error_new(XF_ERR_REFUSED, path, "would have more than %zu bytes",
				    MAX_UNDO_FILE);
	XF_TRY(xf_write_at(publish.fd, path, 0, text, (size_t)length));
	return xf_publish_commit(&publish);
}

/* Splits "LINE\ncrc32 XXXXXXXX\n" and checks the sum; '\n' behind LINE becomes '\0'. */
static struct xf_error *check_sum(const char *path, char *text)
{
	char *newline = strchr(text, '\n');
	char expected[32];

	if (!newline)
		return xf_undo_damaged(path, "its checksum is missing");
	*newline = '\0';
	snprintf(expected, sizeof(expected), "crc32 %08lx\n",
		 checksum(text, (size_t)(newline - text)));
	if (strcmp(newline + 1, expected) != 0)
		return xf_undo_damaged(path, "its checksum does not fit");
	return NULL;
}

static void free_tokener(struct json_tokener **tokener)
{
	if (*tokener)
		json_tokener_free(*tokener);
}

struct xf_error *xf_undo_json_read(const char *path, struct stat *about, struct json_object **out)
{
	XF_AUTO_FREE char *text = NULL;
	XF_AUTO_CLOSE int fd = -1;
	struct stat found;
	size_t size;

	XF_TRY(xf_open_to_read(path, &fd));
	if (fstat(fd, &found) < 0)
		return xf_error_errno(path, "stat");
	XF_TRY(xf_read_open_text(fd, path, MAX_UNDO_FILE, &text, &size));
	if (strlen(text) != size)
		return xf_undo_damaged(path, "it has a zero byte");
	XF_TRY(check_sum(path, text));

	XF_AUTO(free_tokener) struct json_tokener *tokener = json_tokener_new_ex(MAX_DEPTH);

	if (!tokener)
		return xf_error_memory();
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);

	struct json_object *root = json_tokener_parse_ex(tokener, text, (int)strlen(text) + 1);

	if (!root)
		return xf_undo_damaged(path,
				       json_tokener_error_desc(json_tokener_get_error(tokener)));
	*about = found;
	*out = root;
	return NULL;
}
