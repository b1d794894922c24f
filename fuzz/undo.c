/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Undo files. The first byte chooses the way:
 *
 *	bit 0	a repair is made of the rest, broken off at any byte, and taken back: what comes out
 *		is what was there, even where others have written elsewhere;
 *	else	the rest is an undo file, and behind its first line break the state.
 *	bit 1	as it is, all of it; else its checksum is made right: nothing gets behind a wrong
 *one bit 2	the sums that it has of the state are made right as well bit 3	the original lies
 *beside the state
 *
 * Whatever the file says, the state is as before or has an edit's old bytes in their place.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "fuzz/json_mutator.h"
#include "state/edit.h"
#include "state/state.h"
#include "state/undo_file.h"

#define MOST 65536 /* bytes of a state here */

enum { MADE = 1, AS_IT_IS = 2, SUMS = 4, ORIGINAL = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char place[64], state_path[80], original_path[96], fresh_path[96], undo_path[96];

/* Bytes, as many as there are. */
struct bytes {
	const uint8_t *at;
	size_t size;
};

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void forget(void)
{
	unlink(state_path);
	unlink(original_path);
	unlink(fresh_path);
	unlink(undo_path);
	rmdir(place);
}

static void prepare(void)
{
	if (*place)
		return;
	snprintf(place, sizeof(place), "/dev/shm/xferry-fuzz-undo-XXXXXX");
	must(mkdtemp(place));
	snprintf(state_path, sizeof(state_path), "%s/state", place);
	snprintf(original_path, sizeof(original_path), "%s.xforig", state_path);
	snprintf(fresh_path, sizeof(fresh_path), "%s.xfnew", state_path);
	snprintf(undo_path, sizeof(undo_path), "%s.xfundo", state_path);
	atexit(forget);
}

static void put(const char *path, const void *bytes, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	must(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
	close(fd);
}

/* How many bytes the file has, and the first of them. */
static size_t get(const char *path, uint8_t *bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, bytes, MOST + 1);

	must(got >= 0);
	close(fd);
	return (size_t)got;
}

static void one_line(struct xf_error *err)
{
	must(err->text && !strchr(err->text, '\n'));
	xf_error_free(err);
}

static uint8_t next(struct bytes *from)
{
	if (!from->size)
		return 0;
	from->size--;
	return *from->at++;
}

/* ---- Made by a repair ---- */

/* Edits one behind the other; each has new bytes where the state has old ones. */
static void take_edits(struct bytes *from, uint8_t *state, size_t size, struct xf_edit_list *edits)
{
	size_t count = next(from) % 8, at = 0;

	for (size_t i = 0; i < count; i++) {
		struct xf_edit edit = { .length = 1 + next(from) % XF_EDIT_MAX };

		at += next(from) * 4u + next(from) % 4;
		if (at + edit.length > size)
			return;
		edit.offset = at;
		memcpy(edit.old_bytes, state + at, edit.length);
		for (uint32_t j = 0; j < edit.length; j++)
			edit.new_bytes[j] = state[at + j] & next(from);
		must(!xf_edit_list_add(edits, &edit));
		at += edit.length;
	}
}

/* The first `left` bytes of all that the edits would write. */
static void write_some(uint8_t *state, const struct xf_edit_list *edits, size_t left)
{
	for (size_t i = 0; i < edits->count; i++)
		for (uint32_t j = 0; j < edits->edits[i].length && left; j++, left--)
			state[edits->edits[i].offset + j] = edits->edits[i].new_bytes[j];
}

/* Others' bytes: of pieces without an edit, and behind the end that the state had. */
static void write_elsewhere(uint8_t *state, size_t size, const struct xf_edit_list *edits,
			    uint64_t piece, uint8_t with)
{
	for (size_t at = 0; at < size; at++) {
		bool ours = false;

		for (size_t i = 0; i < edits->count; i++)
			ours |= at / piece >= edits->edits[i].offset / piece &&
				at / piece <= (xf_edit_end(&edits->edits[i]) - 1) / piece;
		state[at] ^= ours ? 0 : with;
	}
}

static bool is_in_one_piece(const struct xf_edit_list *edits, uint64_t piece)
{
	for (size_t i = 0; piece && i < edits->count; i++)
		if (edits->edits[i].offset / piece != (xf_edit_end(&edits->edits[i]) - 1) / piece)
			return false;
	return true;
}

static void write_undo(const struct xf_edit_list *edits, uint64_t piece, bool grows)
{
	struct xf_format format = { .name = "fuzz", .grows = grows };
	struct xf_state state = { .name = state_path, .format = &format, .record.piece = piece };
	struct xf_report report = { .state = &state,
				    .edits = edits->edits,
				    .edit_count = edits->count };

	must(!xf_input_open(state_path, NULL, &state.input));
	must(!xf_undo_file_write(undo_path, state.input.fd, &state.input, &report));
	xf_input_close(&state.input);
}

static void check_made(struct bytes from)
{
	static uint8_t state[MOST + 2], now[MOST + 1];
	uint8_t choice = next(&from), cut = next(&from), with = next(&from);
	uint64_t piece = choice & 1 ? 64u << (choice >> 2 & 3) : 0;
	struct xf_edit_list edits = { 0 };
	struct xf_undo_result result;
	size_t size = from.size < MOST ? from.size : MOST;

	memcpy(state, from.at, size);
	take_edits(&from, state, size, &edits);
	put(state_path, state, size);
	unlink(undo_path);
	if (edits.count && is_in_one_piece(&edits, piece)) {
		write_undo(&edits, piece, choice & 2);
		if (piece)
			write_elsewhere(state, size, &edits, piece, with);
		memcpy(now, state, size);
		write_some(now, &edits, cut);
		put(state_path, now, size);
		must(!xf_undo(undo_path, &result));
		must(strcmp(result.path, state_path) == 0 && result.edits <= edits.count);
		must(access(undo_path, F_OK) != 0);
		must(get(state_path, now) == size && memcmp(now, state, size) == 0);
		free(result.path);
	}
	xf_edit_list_deinit(&edits);
}

/* ---- As it comes ---- */

/* Puts a checksum in the place of the eight digits that follow `key`. */
static void put_sum(char *text, const char *key, unsigned long sum)
{
	char digits[9], *at = strstr(text, key);

	if (!at || strlen(at) < strlen(key) + 8)
		return;
	snprintf(digits, sizeof(digits), "%08lx", sum);
	memcpy(at + strlen(key), digits, 8);
}

static void put_undo(const char *text)
{
	char *whole;
	int n = asprintf(&whole, "%s\ncrc32 %08lx\n", text,
			 crc32_z(0, (const uint8_t *)text, strlen(text)));

	must(n >= 0);
	put(undo_path, whole, (size_t)n);
	free(whole);
}

static bool read_undo(struct xf_undo_file *out)
{
	struct xf_error *err = xf_undo_file_read(undo_path, out);

	if (!err)
		return true;
	must(err->code == XF_ERR_DAMAGED || err->code == XF_ERR_FORMAT);
	one_line(err);
	return false;
}

/* What is promised of an undo file that was read. */
static void check_read(const struct xf_undo_file *undo)
{
	uint64_t low = 0;

	for (size_t i = 0; i < undo->count; i++) {
		const struct xf_undo_entry *entry = &undo->entries[i];
		uint64_t end = entry->edit.offset + entry->edit.length;

		must(entry->edit.length && entry->edit.length <= XF_EDIT_MAX);
		must(entry->edit.offset >= low && entry->before_length <= entry->edit.offset);
		must(undo->original_name ||
		     (end <= undo->state_size && entry->after_length <= undo->state_size - end));
		low = end;
	}
	must(!undo->original_name || !strchr(undo->original_name, '/'));
}

/* All the sums that would have to fit by chance. */
static void make_sums_right(char *text, const struct xf_undo_file *undo, struct bytes state)
{
	unsigned long sum = 0, whole = crc32_z(0, state.at, state.size);
	int fd = open(state_path, O_RDONLY | O_CLOEXEC);

	must(fd >= 0);
	if (undo->original_name) {
		put_sum(text, "\"crc32\":\"", whole);
		put_sum(text, "\"original_crc32\":\"", whole);
	} else if (undo->state_size <= state.size) {
		must(!xf_undo_sum_around(fd, state_path, undo, &sum));
		put_sum(text, "\"around\":\"", sum);
	}
	close(fd);
}

/* Undone: nothing but old bytes in the place of edits has changed. */
static void check_changes(const struct xf_undo_file *undo, struct bytes before,
			  const uint8_t *after)
{
	size_t at = 0;

	for (size_t i = 0; i < undo->count; i++) {
		const struct xf_edit *edit = &undo->entries[i].edit;

		must(memcmp(before.at + at, after + at, edit->offset - at) == 0);
		must(memcmp(after + edit->offset, edit->old_bytes, edit->length) == 0);
		at = xf_edit_end(edit);
	}
	must(memcmp(before.at + at, after + at, before.size - at) == 0);
}

static void apply(const struct xf_undo_file *undo, struct bytes state)
{
	static uint8_t after[MOST + 1];
	struct xf_undo_result result;
	struct xf_error *err = xf_undo(undo_path, &result);
	size_t size = get(state_path, after);

	must((access(undo_path, F_OK) == 0) == !!err);
	must(size == state.size);
	if (!err && !undo->original_name)
		check_changes(undo, state, after);
	else
		must(memcmp(after, state.at, size) == 0);
	if (err)
		one_line(err);
	else
		free(result.path);
}

/* A name for the state, or the original, that the file chooses is never touched here. */
static bool is_ours(const struct xf_undo_file *undo)
{
	return strcmp(undo->state_path, state_path) == 0 &&
	       (!undo->original_name || strcmp(undo->original_name, "state.xforig") == 0);
}

static void check_text(uint8_t choice, char *text, struct bytes state)
{
	struct xf_undo_file undo = { 0 };

	put(state_path, state.at, state.size);
	unlink(original_path);
	if (choice & ORIGINAL)
		put(original_path, state.at, state.size);
	put_undo(text);
	if (!read_undo(&undo))
		return;
	check_read(&undo);
	if (choice & SUMS) {
		make_sums_right(text, &undo, state);
		xf_undo_file_deinit(&undo);
		put_undo(text);
		undo = (struct xf_undo_file){ 0 };
		if (!read_undo(&undo))
			return;
	}
	if (is_ours(&undo))
		apply(&undo, state);
	xf_undo_file_deinit(&undo);
}

/* What is no undo file, mostly. */
static void check_raw(struct bytes raw)
{
	struct xf_undo_file undo = { 0 };

	put(undo_path, raw.at, raw.size);
	if (!read_undo(&undo))
		return;
	check_read(&undo);
	xf_undo_file_deinit(&undo);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes rest = { data + 1, size - 1 };

	prepare();
	if (!size || size > MOST)
		return 0;
	if (data[0] & (MADE | AS_IT_IS)) {
		(data[0] & MADE ? check_made : check_raw)(rest);
		return 0;
	}

	const uint8_t *end = memchr(rest.at, '\n', rest.size);
	size_t length = end ? (size_t)(end - rest.at) : rest.size;
	char *text = strndup((const char *)rest.at, length);

	must(text);
	check_text(data[0], text,
		   end ? (struct bytes){ end + 1, rest.size - length - 1 }
		       : (struct bytes){ (const uint8_t *)"", 0 });
	free(text);
	return 0;
}

#ifdef XF_LIBFUZZER
/* Of an undo file the first line, of which all depends, or anything. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	struct mutant mutant = { data, size, max, seed };
	const uint8_t *end = size ? memchr(data + 1, '\n', size - 1) : NULL;

	if (!end || !mutant_pick(&mutant, 3))
		return LLVMFuzzerMutate(data, size, max);
	mutate_json(&mutant, 1, (size_t)(end - data));
	return mutant.size;
}
#endif
