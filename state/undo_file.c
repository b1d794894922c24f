/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/io.h"
#include "base/scope.h"
#include "state/edit.h"
#include "state/state.h"
#include "state/undo_file.h"
#include "state/undo_json.h"

/* Versions of the undo file: bytes changed in their place, and a file that was replaced. */
enum { IN_PLACE = 1, REPLACED = 2 };

#define SUM_PIECE (256 * 1024)

/*
 * Bytes around an edit that are summed: of a vCPU before XSTATE_BV its general
 * registers, TSC and MSRs, which no two snapshots of a VM have in common.
 */
#define WIDE_BEFORE 2048
#define WIDE_AFTER 256

void xf_undo_file_deinit(struct xf_undo_file *undo)
{
	free(undo->state_path);
	free(undo->original_name);
	free(undo->entries);
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

/* The bytes from `low` to `high`, but for an edit among them. */
struct surroundings {
	uint64_t low;
	uint64_t high;
};

/*
 * As far as the neighbouring edits and the file's ends. Other pieces of the file are others', who
 * may have changed them since.
 */
static struct surroundings around_entry(const struct xf_undo_file *undo, size_t i)
{
	const struct xf_undo_entry *entry = &undo->entries[i];
	struct surroundings around = {
		.low = i ? xf_edit_end(&entry[-1].edit) : 0,
		.high = i + 1 < undo->count ? entry[1].edit.offset : undo->state_size,
	};

	if (undo->piece) {
		uint64_t start = entry->edit.offset & ~(undo->piece - 1);

		if (around.low < start)
			around.low = start;
		if (around.high - start > undo->piece)
			around.high = start + undo->piece;
	}
	return around;
}

struct xf_error *xf_undo_sum_around(int fd, const char *path, const struct xf_undo_file *undo,
				    unsigned long *out)
{
	unsigned long sum = 0;

	for (size_t i = 0; i < undo->count; i++) {
		const struct xf_edit *edit = &undo->entries[i].edit;
		const struct surroundings around = around_entry(undo, i);
		uint64_t start = edit->offset, end = xf_edit_end(edit);
		uint64_t low = around.low, high = around.high;

		XF_TRY(sum_range(fd, path, start - low < WIDE_BEFORE ? low : start - WIDE_BEFORE,
				 start, &sum));
		XF_TRY(sum_range(fd, path, end, high - end < WIDE_AFTER ? high : end + WIDE_AFTER,
				 &sum));
	}
	*out = sum;
	return NULL;
}

struct xf_error *xf_undo_sum_all(int fd, const char *path, struct xf_whole *out)
{
	XF_AUTO_FREE uint8_t *bytes = malloc(SUM_PIECE);
	struct xf_whole whole = { 0 };
	ssize_t n = 1;

	if (!bytes)
		return xf_error_memory();
	while (n) {
		n = pread(fd, bytes, SUM_PIECE, (off_t)whole.size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return xf_error_errno(path, "read");
		whole.sum = checksum(whole.sum, bytes, (size_t)n);
		whole.size += (size_t)n;
	}
	*out = whole;
	return NULL;
}

/* ---- Writing ---- */

static bool add_entry(struct json_object *edits, const struct xf_undo_entry *entry)
{
	const struct xf_edit *edit = &entry->edit;
	struct json_object *object = json_object_new_object();

	if (object && xf_json_add(object, "offset", json_object_new_uint64(edit->offset)) &&
	    xf_json_add(object, "old", xf_json_hex(edit->old_bytes, edit->length)) &&
	    xf_json_add(object, "new", xf_json_hex(edit->new_bytes, edit->length)) &&
	    xf_json_add(object, "before", xf_json_hex(entry->before, entry->before_length)) &&
	    xf_json_add(object, "after", xf_json_hex(entry->after, entry->after_length)) &&
	    json_object_array_add(edits, object) == 0)
		return true;
	json_object_put(object);
	return false;
}

static struct xf_error *list_edits(const struct xf_report *report, struct xf_undo_file *undo)
{
	undo->entries = calloc(report->edit_count + 1, sizeof(*undo->entries));
	if (!undo->entries)
		return xf_error_memory();
	for (; undo->count < report->edit_count; undo->count++)
		undo->entries[undo->count].edit = report->edits[undo->count];
	return NULL;
}

/* Reads what lies right beside edit `i`. */
static struct xf_error *read_context(int fd, const char *path, const struct xf_undo_file *undo,
				     size_t i)
{
	struct xf_undo_entry *entry = &undo->entries[i];
	const struct surroundings around = around_entry(undo, i);
	uint64_t start = entry->edit.offset, end = xf_edit_end(&entry->edit);
	uint64_t before = start - around.low, after = around.high - end;

	entry->before_length = before < XF_UNDO_CONTEXT ? before : XF_UNDO_CONTEXT;
	entry->after_length = after < XF_UNDO_CONTEXT ? after : XF_UNDO_CONTEXT;
	XF_TRY(xf_read_at(fd, path, start - entry->before_length, entry->before,
			  entry->before_length));
	return xf_read_at(fd, path, end, entry->after, entry->after_length);
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
	undo->grows = report->state->format->grows;
	undo->piece = report->state->record.piece;
	XF_TRY(list_edits(report, undo));
	for (size_t i = 0; i < undo->count; i++)
		XF_TRY(read_context(fd, input->path, undo, i));
	return xf_undo_sum_around(fd, input->path, undo, &undo->around);
}

static bool add_edits(struct json_object *root, const struct xf_undo_file *undo)
{
	struct json_object *edits = json_object_new_array();

	if (!xf_json_add(root, "edits", edits))
		return false;
	for (size_t i = 0; i < undo->count; i++)
		if (!add_entry(edits, &undo->entries[i]))
			return false;
	return true;
}

/* What tells that the state is as the repair left it. */
static bool add_marks(struct json_object *root, const struct xf_undo_file *undo)
{
	const struct xf_whole *original = &undo->original;

	if (!undo->original_name)
		return xf_json_add(root, "around", xf_json_sum(undo->around));
	return xf_json_add(root, "crc32", xf_json_sum(undo->sum)) &&
	       xf_json_add(root, "original", json_object_new_string(undo->original_name)) &&
	       xf_json_add(root, "original_size", json_object_new_uint64(original->size)) &&
	       xf_json_add(root, "original_crc32", xf_json_sum(original->sum));
}

static struct xf_error *write_undo(const char *undo_path, const struct xf_input *input,
				   const struct xf_undo_file *undo)
{
	XF_AUTO(xf_json_put) struct json_object *root = json_object_new_object();
	int version = undo->original_name ? REPLACED : IN_PLACE;

	if (!root || !xf_json_add(root, "xferry_undo", json_object_new_int(version)) ||
	    !xf_json_add(root, "state", json_object_new_string(undo->state_path)) ||
	    !xf_json_add(root, "size", json_object_new_uint64(undo->state_size)) ||
	    (undo->piece && !xf_json_add(root, "piece", json_object_new_uint64(undo->piece))) ||
	    (undo->grows && !xf_json_add(root, "grows", json_object_new_boolean(true))) ||
	    !add_marks(root, undo) || !add_edits(root, undo))
		return xf_error_memory();
	return xf_undo_json_write(undo_path, input, root);
}

struct xf_error *xf_undo_file_write(const char *undo_path, int fd, const struct xf_input *input,
				    const struct xf_report *report)
{
	XF_AUTO(xf_undo_file_deinit)
	struct xf_undo_file undo = { .state_path = name_of_state(undo_path, input->path) };

	if (!undo.state_path)
		return xf_error_errno(input->path, "find");
	XF_TRY(collect(fd, input, report, &undo));
	return write_undo(undo_path, input, &undo);
}

struct xf_error *xf_undo_file_write_replaced(const char *undo_path, const struct xf_input *input,
					     const struct xf_report *report,
					     const struct xf_undo_replaced *replaced)
{
	XF_AUTO(xf_undo_file_deinit)
	struct xf_undo_file undo = {
		.state_path = name_of_state(undo_path, input->path),
		.state_size = replaced->repaired.size,
		.sum = replaced->repaired.sum,
		.original = replaced->original,
	};

	if (!undo.state_path)
		return xf_error_errno(input->path, "find");
	undo.original_name = strdup(replaced->original_name);
	if (!undo.original_name)
		return xf_error_memory();
	/* The edits alone, for people: what undoes them is the original. */
	XF_TRY(list_edits(report, &undo));
	return write_undo(undo_path, input, &undo);
}

/* ---- Reading: nothing in an undo file is believed before it has been checked ---- */

static bool parse_entry(struct json_object *from, struct xf_undo_entry *out)
{
	struct xf_edit *edit = &out->edit;
	size_t old_length, new_length;

	if (!json_object_is_type(from, json_type_object) ||
	    !xf_json_get_number(from, "offset", &edit->offset) ||
	    !xf_json_get_hex(from, "old", edit->old_bytes, sizeof(edit->old_bytes), &old_length) ||
	    !xf_json_get_hex(from, "new", edit->new_bytes, sizeof(edit->new_bytes), &new_length) ||
	    !xf_json_get_hex(from, "before", out->before, XF_UNDO_CONTEXT, &out->before_length) ||
	    !xf_json_get_hex(from, "after", out->after, XF_UNDO_CONTEXT, &out->after_length))
		return false;
	edit->length = (uint32_t)old_length;
	return old_length && old_length == new_length;
}

/* What lies beside an edit is of the same piece of the file. */
static bool is_in_one_piece(const struct xf_undo_entry *entry, uint64_t piece)
{
	uint64_t start = entry->edit.offset - entry->before_length;
	uint64_t end = xf_edit_end(&entry->edit) + entry->after_length;

	return !piece || start / piece == (end - 1) / piece;
}

/* Entries come in the order of offsets, do not overlap and lie within the file. */
static bool fits(const struct xf_undo_entry *entry, uint64_t low, uint64_t size)
{
	const struct xf_edit *edit = &entry->edit;

	return edit->offset >= low && edit->offset - low >= entry->before_length &&
	       edit->offset <= size && size - edit->offset >= edit->length + entry->after_length;
}

static struct xf_error *parse_entries(const char *path, struct json_object *edits, uint64_t size,
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
		    !fits(entry, low, size) || !is_in_one_piece(entry, undo->piece))
			return xf_undo_damaged(path, "an edit in it is malformed");
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

/* The original lies beside the state: its name is no path. */
static struct xf_error *parse_original(const char *path, struct json_object *root,
				       struct xf_undo_file *undo)
{
	const char *name;

	if (!xf_json_get_sum(root, "crc32", &undo->sum) ||
	    !xf_json_get_text(root, "original", &name) ||
	    !xf_json_get_number(root, "original_size", &undo->original.size) ||
	    !xf_json_get_sum(root, "original_crc32", &undo->original.sum))
		return xf_undo_damaged(path, "a key is missing or of the wrong type");
	if (!*name || strchr(name, '/'))
		return xf_undo_damaged(path, "the original's name is a path");
	undo->original_name = strdup(name);
	return undo->original_name ? NULL : xf_error_memory();
}

/* Files from before there were pieces have none. */
static bool parse_piece(struct json_object *root, uint64_t *out)
{
	if (!json_object_object_get_ex(root, "piece", NULL))
		return true;
	return xf_json_get_number(root, "piece", out) && *out && !(*out & (*out - 1));
}

static struct xf_error *parse_root(const char *path, struct json_object *root,
				   struct xf_undo_file *undo)
{
	struct json_object *edits, *grows;
	const char *name;
	uint64_t version;

	if (!json_object_is_type(root, json_type_object) ||
	    !xf_json_get_number(root, "xferry_undo", &version))
		return xf_undo_damaged(path, "it has no key xferry_undo");
	if (version != IN_PLACE && version != REPLACED)
		return xf_error_new(XF_ERR_FORMAT, path,
				    "is an undo file of version %" PRIu64 ", expected %d or %d",
				    version, IN_PLACE, REPLACED);
	if (!xf_json_get_text(root, "state", &name) ||
	    !xf_json_get_number(root, "size", &undo->state_size) ||
	    (version == IN_PLACE && !xf_json_get_sum(root, "around", &undo->around)) ||
	    !parse_piece(root, &undo->piece) || !json_object_object_get_ex(root, "edits", &edits) ||
	    !json_object_is_type(edits, json_type_array))
		return xf_undo_damaged(path, "a key is missing or of the wrong type");
	undo->grows =
		json_object_object_get_ex(root, "grows", &grows) && json_object_get_boolean(grows);
	undo->state_path = resolve(path, name);
	if (!undo->state_path)
		return xf_error_memory();
	if (version == IN_PLACE)
		return parse_entries(path, edits, undo->state_size, undo);
	XF_TRY(parse_original(path, root, undo));
	return parse_entries(path, edits, INT64_MAX, undo);
}

struct xf_error *xf_undo_file_read(const char *path, struct xf_undo_file *out)
{
	XF_AUTO(xf_undo_file_deinit) struct xf_undo_file undo = { 0 };
	XF_AUTO(xf_json_put) struct json_object *root = NULL;

	XF_TRY(xf_undo_json_read(path, &undo.about, &root));
	XF_TRY(parse_root(path, root, &undo));
	*out = undo;
	undo = (struct xf_undo_file){ 0 };
	return NULL;
}

/* ---- Whose word it is ---- */

struct xf_error *xf_undo_file_trust(const struct xf_undo_file *undo, const char *undo_path,
				    const struct stat *state)
{
	const struct stat *about = &undo->about;
	mode_t others = about->st_mode & (S_IWGRP | S_IWOTH);

	if (about->st_uid != geteuid() && about->st_uid != 0 && about->st_uid != state->st_uid)
		return xf_error_new(XF_ERR_REFUSED, undo_path,
				    "belongs to user %lu, who is neither you nor the owner of %s: "
				    "it is not believed",
				    (unsigned long)about->st_uid, undo->state_path);
	if (others & ~state->st_mode)
		return xf_error_new(XF_ERR_REFUSED, undo_path,
				    "can be written by others, who cannot write %s: it is not "
				    "believed",
				    undo->state_path);
	return NULL;
}
