/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <json-c/json.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "base/bytes.h"
#include "base/io.h"
#include "base/publish.h"
#include "base/scope.h"
#include "state/edit.h"
#include "state/undo_file.h"

#define SCHEMA 1
/* 1,024 vCPUs with two edits each come to half a megabyte. */
#define MAX_UNDO_FILE ((size_t)4 << 20)
#define MAX_DEPTH 8
/*
 * Bytes around an edit that are summed: of a vCPU before XSTATE_BV its general
 * registers, TSC and MSRs, which no two snapshots of a VM have in common.
 */
#define WIDE_BEFORE 2048
#define WIDE_AFTER 256

void xf_undo_file_deinit(struct xf_undo_file *undo)
{
	free(undo->state_path);
	free(undo->entries);
}

static void put_json(struct json_object **object)
{
	json_object_put(*object);
}

static unsigned long checksum(unsigned long sum, const void *bytes, size_t length)
{
	return crc32_z(sum, bytes, length);
}

static struct xf_error *sum_range(int fd, const char *path, uint64_t from, uint64_t to,
				  unsigned long *sum)
{
	uint8_t bytes[WIDE_BEFORE];

	XF_TRY(xf_read_at(fd, path, from, bytes, (size_t)(to - from)));
	*sum = checksum(*sum, bytes, (size_t)(to - from));
	return NULL;
}

/* Of each edit as far as the neighbouring ones and the file's ends. */
struct xf_error *xf_undo_sum_around(int fd, const char *path, const struct xf_undo_file *undo,
				    unsigned long *out)
{
	unsigned long sum = 0;

	for (size_t i = 0; i < undo->count; i++) {
		const struct xf_undo_entry *entry = &undo->entries[i];
		uint64_t start = entry->edit.offset, end = xf_edit_end(&entry->edit);
		uint64_t low = i ? xf_edit_end(&entry[-1].edit) : 0;
		uint64_t high = i + 1 < undo->count ? entry[1].edit.offset : undo->state_size;

		XF_TRY(sum_range(fd, path, start - low < WIDE_BEFORE ? low : start - WIDE_BEFORE,
				 start, &sum));
		XF_TRY(sum_range(fd, path, end, high - end < WIDE_AFTER ? high : end + WIDE_AFTER,
				 &sum));
	}
	*out = sum;
	return NULL;
}

/* ---- Writing ---- */

static struct json_object *hex_json(const uint8_t *bytes, size_t length)
{
	char text[2 * XF_UNDO_CONTEXT + 1] = "";

	for (size_t i = 0; i < length; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	return json_object_new_string(text);
}

/* Takes `value`; NULL is out of memory. An undo file with a hole in it would undo nothing. */
static bool add(struct json_object *object, const char *key, struct json_object *value)
{
	if (value && json_object_object_add(object, key, value) == 0)
		return true;
	json_object_put(value);
	return false;
}

static bool add_entry(struct json_object *edits, const struct xf_undo_entry *entry)
{
	const struct xf_edit *edit = &entry->edit;
	struct json_object *object = json_object_new_object();

	if (object && add(object, "offset", json_object_new_uint64(edit->offset)) &&
	    add(object, "old", hex_json(edit->old_bytes, edit->length)) &&
	    add(object, "new", hex_json(edit->new_bytes, edit->length)) &&
	    add(object, "before", hex_json(entry->before, entry->before_length)) &&
	    add(object, "after", hex_json(entry->after, entry->after_length)) &&
	    json_object_array_add(edits, object) == 0)
		return true;
	json_object_put(object);
	return false;
}

/* Reads what lies right beside edit `i`, with the same bounds. */
static struct xf_error *read_context(int fd, const struct xf_input *input,
				     const struct xf_report *report, size_t i,
				     struct xf_undo_entry *entry)
{
	const struct xf_edit *edit = &report->edits[i];
	uint64_t end = xf_edit_end(edit);
	uint64_t low = i ? xf_edit_end(&edit[-1]) : 0;
	uint64_t high = i + 1 < report->edit_count ? edit[1].offset : input->size;

	*entry = (struct xf_undo_entry){ .edit = *edit };
	entry->before_length =
		edit->offset - low < XF_UNDO_CONTEXT ? edit->offset - low : XF_UNDO_CONTEXT;
	entry->after_length = high - end < XF_UNDO_CONTEXT ? high - end : XF_UNDO_CONTEXT;
	XF_TRY(xf_read_at(fd, input->path, edit->offset - entry->before_length, entry->before,
			  entry->before_length));
	return xf_read_at(fd, input->path, end, entry->after, entry->after_length);
}

/* The name by which the undo file finds its state: relative when they lie side by side. */
static char *name_of_state(const char *undo_path, const char *state_path)
{
	size_t length = strlen(state_path);
	XF_AUTO_FREE char *copy = strdup(state_path);

	if (!copy)
		return NULL;
	if (strncmp(undo_path, state_path, length) == 0 && !strchr(undo_path + length, '/'))
		return strdup(basename(copy));

	/* Not through the last link: a volume's name lasts, the /dev/dm-N behind it does not. */
	XF_AUTO_FREE char *other = strdup(state_path);
	XF_AUTO_FREE char *directory = other ? realpath(dirname(other), NULL) : NULL;
	char *path = NULL;

	if (!directory || asprintf(&path, "%s/%s", directory, basename(copy)) < 0)
		return NULL;
	return path;
}

/* All that the undo file will say, but for the state's name. */
static struct xf_error *collect(int fd, const struct xf_input *input,
				const struct xf_report *report, struct xf_undo_file *undo)
{
	undo->state_size = input->size;
	undo->entries = calloc(report->edit_count, sizeof(*undo->entries));
	if (!undo->entries)
		return xf_error_memory();
	for (; undo->count < report->edit_count; undo->count++)
		XF_TRY(read_context(fd, input, report, undo->count, &undo->entries[undo->count]));
	return xf_undo_sum_around(fd, input->path, undo, &undo->around);
}

static struct json_object *sum_json(unsigned long sum)
{
	char text[16];

	snprintf(text, sizeof(text), "%08lx", sum);
	return json_object_new_string(text);
}

static struct xf_error *undo_json(const struct xf_undo_file *undo, struct json_object **out)
{
	XF_AUTO(put_json) struct json_object *root = json_object_new_object();
	struct json_object *edits = NULL;

	if (!root || !add(root, "xferry_undo", json_object_new_int(SCHEMA)) ||
	    !add(root, "state", json_object_new_string(undo->state_path)) ||
	    !add(root, "size", json_object_new_uint64(undo->state_size)) ||
	    !add(root, "around", sum_json(undo->around)) ||
	    !add(root, "edits", edits = json_object_new_array()))
		return xf_error_memory();
	for (size_t i = 0; i < undo->count; i++)
		if (!add_entry(edits, &undo->entries[i]))
			return xf_error_memory();
	*out = xf_take(root);
	return NULL;
}

struct xf_error *xf_undo_file_write(const char *undo_path, int fd, const struct xf_input *input,
				    const struct xf_report *report)
{
	XF_AUTO(xf_publish_end) struct xf_publish publish = { .fd = -1 };
	XF_AUTO(xf_undo_file_deinit)
	struct xf_undo_file undo = { .state_path = name_of_state(undo_path, input->path) };
	XF_AUTO(put_json) struct json_object *root = NULL;
	XF_AUTO_FREE char *text = NULL;

	if (!undo.state_path)
		return xf_error_errno(input->path, "find");
	XF_TRY(xf_publish_begin(undo_path, input->before.st_mode & 0666, &publish));
	XF_TRY(collect(fd, input, report, &undo));
	XF_TRY(undo_json(&undo, &root));

	const char *line = json_object_to_json_string_ext(root, JSON_C_TO_STRING_PLAIN);

	if (!line)
		return xf_error_memory();

	int length = asprintf(&text, "%s\ncrc32 %08lx\n", line, checksum(0, line, strlen(line)));

	if (length < 0) {
		text = NULL;
		return xf_error_memory();
	}
	/* What could not be read back would undo nothing. */
	if ((size_t)length > MAX_UNDO_FILE)
		return xf_error_new(XF_ERR_REFUSED, input->path,
				    "needs an undo file of more than %zu bytes", MAX_UNDO_FILE);
	XF_TRY(xf_write_at(publish.fd, undo_path, 0, text, (size_t)length));
	return xf_publish_commit(&publish);
}

/* ---- Reading: nothing in an undo file is believed before it has been checked ---- */

static struct xf_error *damaged(const char *path, const char *what)
{
	return xf_error_new(XF_ERR_DAMAGED, path, "is no intact undo file: %s", what);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* Hex text of at most `max` bytes. */
static bool parse_hex(struct json_object *from, const char *key, uint8_t *out, size_t max,
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

/* A whole number, 0 to 2^63 - 1: no file is larger. */
static bool parse_number(struct json_object *from, const char *key, uint64_t *out)
{
	struct json_object *value;

	if (!json_object_object_get_ex(from, key, &value) ||
	    !json_object_is_type(value, json_type_int) || json_object_get_int64(value) < 0)
		return false;
	*out = (uint64_t)json_object_get_int64(value);
	return true;
}

static bool parse_sum(struct json_object *from, const char *key, unsigned long *out)
{
	uint8_t bytes[4];
	size_t length;

	if (!parse_hex(from, key, bytes, sizeof(bytes), &length) || length != sizeof(bytes))
		return false;
	*out = xf_be32(bytes);
	return true;
}

static bool parse_entry(struct json_object *from, struct xf_undo_entry *out)
{
	struct xf_edit *edit = &out->edit;
	size_t old_length, new_length;

	if (!json_object_is_type(from, json_type_object) ||
	    !parse_number(from, "offset", &edit->offset) ||
	    !parse_hex(from, "old", edit->old_bytes, sizeof(edit->old_bytes), &old_length) ||
	    !parse_hex(from, "new", edit->new_bytes, sizeof(edit->new_bytes), &new_length) ||
	    !parse_hex(from, "before", out->before, XF_UNDO_CONTEXT, &out->before_length) ||
	    !parse_hex(from, "after", out->after, XF_UNDO_CONTEXT, &out->after_length))
		return false;
	edit->length = (uint32_t)old_length;
	return old_length && old_length == new_length;
}

/* Entries come in the order of offsets, do not overlap and lie within the file. */
static bool fits(const struct xf_undo_entry *entry, uint64_t low, uint64_t size)
{
	const struct xf_edit *edit = &entry->edit;

	return edit->offset >= low && edit->offset - low >= entry->before_length &&
	       edit->offset <= size && size - edit->offset >= edit->length + entry->after_length;
}

static struct xf_error *parse_entries(const char *path, struct json_object *edits,
				      struct xf_undo_file *undo)
{
	size_t count = json_object_array_length(edits);
	uint64_t low = 0;

	undo->entries = calloc(count ? count : 1, sizeof(*undo->entries));
	if (!undo->entries)
		return xf_error_memory();
	for (; undo->count < count; undo->count++) {
		struct xf_undo_entry *entry = &undo->entries[undo->count];

		if (!parse_entry(json_object_array_get_idx(edits, undo->count), entry) ||
		    !fits(entry, low, undo->state_size))
			return damaged(path, "an edit in it is malformed");
		low = entry->edit.offset + entry->edit.length;
	}
	return NULL;
}

/* A relative name is relative to where the undo file lies. */
static char *resolve(const char *undo_path, const char *name)
{
	XF_AUTO_FREE char *copy = strdup(undo_path);
	char *path = NULL;

	if (name[0] == '/' || !strchr(undo_path, '/'))
		return strdup(name);
	if (!copy || asprintf(&path, "%s/%s", dirname(copy), name) < 0)
		return NULL;
	return path;
}

/* A string without a zero byte in it. */
static bool is_text(struct json_object *value)
{
	return json_object_is_type(value, json_type_string) &&
	       strlen(json_object_get_string(value)) == (size_t)json_object_get_string_len(value);
}

static struct xf_error *parse_root(const char *path, struct json_object *root,
				   struct xf_undo_file *undo)
{
	struct json_object *name, *edits;
	uint64_t schema;

	if (!json_object_is_type(root, json_type_object) ||
	    !parse_number(root, "xferry_undo", &schema))
		return damaged(path, "it has no key xferry_undo");
	if (schema != SCHEMA)
		return xf_error_new(XF_ERR_FORMAT, path,
				    "is an undo file of version %" PRIu64 ", expected %d", schema,
				    SCHEMA);
	if (!json_object_object_get_ex(root, "state", &name) || !is_text(name) ||
	    !parse_number(root, "size", &undo->state_size) ||
	    !parse_sum(root, "around", &undo->around) ||
	    !json_object_object_get_ex(root, "edits", &edits) ||
	    !json_object_is_type(edits, json_type_array))
		return damaged(path, "a key is missing or of the wrong type");
	undo->state_path = resolve(path, json_object_get_string(name));
	if (!undo->state_path)
		return xf_error_memory();
	return parse_entries(path, edits, undo);
}

/* Splits "LINE\ncrc32 XXXXXXXX\n" and checks the sum; '\n' behind LINE becomes '\0'. */
static struct xf_error *check_sum(const char *path, char *text)
{
	char *newline = strchr(text, '\n');
	char expected[32];

	if (!newline)
		return damaged(path, "its checksum is missing");
	*newline = '\0';
	snprintf(expected, sizeof(expected), "crc32 %08lx\n",
		 checksum(0, text, (size_t)(newline - text)));
	if (strcmp(newline + 1, expected) != 0)
		return damaged(path, "its checksum does not fit");
	return NULL;
}

static void free_tokener(struct json_tokener **tokener)
{
	if (*tokener)
		json_tokener_free(*tokener);
}

struct xf_error *xf_undo_file_read(const char *path, struct xf_undo_file *out)
{
	XF_AUTO(xf_undo_file_deinit) struct xf_undo_file undo = { 0 };
	XF_AUTO_FREE char *text = NULL;
	size_t size;

	XF_TRY(xf_read_text(path, MAX_UNDO_FILE, &text, &size));
	if (strlen(text) != size)
		return damaged(path, "it has a zero byte");
	XF_TRY(check_sum(path, text));

	XF_AUTO(free_tokener) struct json_tokener *tokener = json_tokener_new_ex(MAX_DEPTH);

	if (!tokener)
		return xf_error_memory();
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);

	XF_AUTO(put_json)
	struct json_object *root = json_tokener_parse_ex(tokener, text, (int)strlen(text) + 1);

	if (!root)
		return damaged(path, json_tokener_error_desc(json_tokener_get_error(tokener)));
	XF_TRY(parse_root(path, root, &undo));
	*out = undo;
	undo = (struct xf_undo_file){ 0 };
	return NULL;
}
