/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qcow2 images that are cut or changed at each byte of their structure, and memory and I/O that
 * fail at every place of reading, judging and asking whether a repair may be made.
 */
#include <errno.h>

#include "state/qcow2_map.h"
#include "state/qcow2_name.h"
#include "state/qcow2_refs.h"
#include "state/state.h"
#include "tests/report/failing.h"
#include "tests/state/support.h"

struct outcome {
	size_t edits;
	uint64_t place; /* of the first */
};

/* All that comes before the first byte of a repair is written. */
static struct xf_error *go_through(const char *path, struct outcome *out)
{
	struct xf_evidence *guest = NULL;
	struct xf_report *report = NULL;
	struct xf_state *state = NULL;
	struct xf_error *err = xf_state_open(path, NULL, &state);

	if (!err)
		err = xf_evidence_from_mask("0x3", &guest);
	if (!err)
		err = xf_check(state, guest, NULL, XF_ALL, &report);
	if (!err)
		err = state->format->may_fix(state, report, false);
	if (!err && report->edit_count)
		*out = (struct outcome){ report->edit_count, report->edits[0].offset };
	xf_report_free(report);
	xf_evidence_free(guest);
	xf_state_close(state);
	return err;
}

/* An error of one line, or what is to be edited is where it was. */
static void hold(const struct file *file, uint64_t place)
{
	struct outcome outcome = { 0 };
	struct xf_error *err = go_through(file->path, &outcome);

	if (err) {
		assert_null(strchr(err->text, '\n'));
		assert_int_not_equal(err->code, XF_ERR_MEMORY);
	} else if (outcome.edits) {
		assert_int_equal(outcome.edits, 1);
		assert_int_equal(outcome.place, place);
	}
	xf_error_free(err);
}

/* Where the one edit of a sound image is. */
static uint64_t sound_place(const struct file *file)
{
	struct outcome outcome = { 0 };

	assert_null(go_through(file->path, &outcome));
	assert_int_equal(outcome.edits, 1);
	return outcome.place;
}

static void test_cut(void **unused)
{
	struct bytes bytes = read_made("one");
	struct file file = file_of(bytes.p, bytes.size);
	uint64_t place = sound_place(&file);

	(void)unused;
	for (size_t size = bytes.size; size-- > 0;) {
		/* Whole clusters do not matter by their bytes. */
		if (size > 1024 && size % 64 && size % 512 > 8)
			continue;
		assert_int_equal(ftruncate(file.fd, (off_t)size), 0);
		hold(&file, place);
	}
	close(file.fd);
	bytes_free(&bytes);
}

/* Each byte of what is no state: header, tables, counts. */
static void test_changed(void **unused)
{
	static const uint8_t masks[] = { 0x01, 0x80, 0xff };
	struct bytes bytes = read_made("one");
	struct file file = file_of(bytes.p, bytes.size);
	uint64_t place = sound_place(&file);
	/* The state comes right behind the header's cluster, the tables behind it. */
	size_t tables = (size_t)(place + 512) / 512 * 512;

	(void)unused;
	for (size_t at = 0; at < bytes.size; at++) {
		if (at >= 128 && at < tables)
			continue;
		for (size_t i = 0; i < sizeof(masks); i++) {
			uint8_t byte = bytes.p[at] ^ masks[i];

			assert_int_equal(pwrite(file.fd, &byte, 1, (off_t)at), 1);
			hold(&file, place);
		}
		assert_int_equal(pwrite(file.fd, bytes.p + at, 1, (off_t)at), 1);
	}
	close(file.fd);
	bytes_free(&bytes);
}

/* ---- Changed between the reading and the lock, as on a block device ---- */

static void put(const struct file *file, uint64_t at, uint64_t number)
{
	uint8_t bytes[8];

	for (unsigned int i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(number >> (56 - 8 * i));
	assert_int_equal(pwrite(file->fd, bytes, 8, (off_t)at), 8);
}

/* Where the entry is that names the cluster of `place`. */
static uint64_t entry_of(const struct bytes *bytes, uint64_t place)
{
	uint64_t cluster = place & ~(uint64_t)511;

	for (size_t at = 512; at + 8 <= bytes->size; at += 8) {
		uint64_t number = 0;

		for (unsigned int i = 0; i < 8; i++)
			number = number << 8 | bytes->p[at + i];
		if ((number & XF_QCOW2_OFFSET) == cluster && number >> 62 != 1 &&
		    number >> 56 != 0 && !(number & 511))
			return at;
	}
	fail_msg("nothing names the cluster");
	return 0;
}

static void test_changed_since(void **unused)
{
	struct bytes bytes = read_made("one");
	struct file file = file_of(bytes.p, bytes.size);
	uint64_t place = sound_place(&file), cluster = place & ~(uint64_t)511;
	uint64_t entry = entry_of(&bytes, place);
	struct xf_evidence *guest = NULL;
	struct xf_report *report = NULL;
	struct xf_state *state = NULL;

	(void)unused;
	assert_null(xf_state_open(file.path, NULL, &state));
	assert_null(xf_evidence_from_mask("0x3", &guest));
	assert_null(xf_check(state, guest, NULL, XF_ALL, &report));
	assert_null(state->format->may_fix(state, report, true));
	/* What was read of the tables must not be kept. */
	put(&file, entry, 0);
	assert_refused(state->format->may_fix(state, report, true), XF_ERR_DAMAGED,
		       "is not in the file");
	/* A copy of the cluster elsewhere is the snapshot's now. */
	put(&file, entry, ((uint64_t)1 << 63) | bytes.size);
	assert_int_equal(pwrite(file.fd, bytes.p + cluster, 512, (off_t)bytes.size), 512);
	assert_refused(state->format->may_fix(state, report, true), XF_ERR_DAMAGED, "beyond");
	put(&file, entry, ((uint64_t)1 << 63) | (cluster + 512));
	assert_refused(state->format->may_fix(state, report, true), XF_ERR_REFUSED,
		       "is not where it was");
	xf_report_free(report);
	xf_evidence_free(guest);
	xf_state_close(state);
	close(file.fd);
	bytes_free(&bytes);
}

/* A cluster that the snapshot has no entry for. */
static void test_of_nobody(void **unused)
{
	struct bytes bytes = read_made("one");
	struct file file = file_of(bytes.p, bytes.size);
	struct xf_qcow2_place place = { .offset = sound_place(&file) & ~(uint64_t)511 };
	uint64_t entry = entry_of(&bytes, place.offset);
	const struct xf_qcow2_snapshot *snapshot = NULL;
	struct xf_qcow2 image = { 0 };
	struct xf_input input;

	(void)unused;
	put(&file, entry, 0);
	assert_null(xf_input_open(file.path, NULL, &input));
	assert_null(xf_input_read_head(&input));
	assert_null(xf_qcow2_open(&input, &image));
	assert_null(xf_qcow2_find(&image, NULL, &snapshot));
	assert_refused(xf_qcow2_only_of(&image, snapshot, &place, 1), XF_ERR_REFUSED,
		       "is no longer the snapshot's");
	xf_qcow2_deinit(&image);
	xf_input_close(&input);
	close(file.fd);
	bytes_free(&bytes);
}

/* ---- Undone ---- */

static void flip(const struct file *file, uint64_t at)
{
	uint8_t byte;

	assert_int_equal(pread(file->fd, &byte, 1, (off_t)at), 1);
	byte ^= 0x10;
	assert_int_equal(pwrite(file->fd, &byte, 1, (off_t)at), 1);
}

static void repair(const char *path, const char *undo)
{
	struct xf_evidence *guest = NULL;
	struct xf_report *report = NULL;
	struct xf_state *state = NULL;

	assert_null(xf_state_open(path, NULL, &state));
	assert_null(xf_evidence_from_mask("0x3", &guest));
	assert_null(xf_check(state, guest, NULL, XF_ALL, &report));
	assert_null(xf_fix_in_place(state, report, undo, NULL));
	xf_report_free(report);
	xf_evidence_free(guest);
	xf_state_close(state);
}

/* The next clusters are another's: a running guest's disk, a snapshot that was taken since. */
static void test_neighbours_change(void **unused)
{
	struct bytes bytes = read_made("one");
	struct file file = file_of(bytes.p, bytes.size);
	uint64_t cluster = sound_place(&file) & ~(uint64_t)511;
	char directory[] = "/tmp/xferry-test.XXXXXX", undo[64];
	struct xf_undo_result result = { 0 };

	(void)unused;
	assert_non_null(mkdtemp(directory));
	snprintf(undo, sizeof(undo), "%s/undo", directory);
	repair(file.path, undo);
	flip(&file, cluster - 1);
	flip(&file, cluster + 512);
	flip(&file, cluster);
	assert_refused(xf_undo(undo, &result), XF_ERR_REFUSED, "is not as the repair left it");
	flip(&file, cluster);
	flip(&file, cluster + 511);
	assert_refused(xf_undo(undo, &result), XF_ERR_REFUSED, "is not as the repair left it");
	flip(&file, cluster + 511);
	assert_null(xf_undo(undo, &result));
	assert_int_equal(result.edits, 1);
	free(result.path);
	flip(&file, cluster - 1);
	flip(&file, cluster + 512);

	uint8_t *now = malloc(bytes.size);

	assert_non_null(now);
	assert_int_equal(pread(file.fd, now, bytes.size, 0), bytes.size);
	assert_memory_equal(now, bytes.p, bytes.size);
	free(now);
	assert_int_equal(rmdir(directory), 0);
	close(file.fd);
	bytes_free(&bytes);
}

/* Whether an allocation failed, which must then be what the error says. */
static bool lacked_memory(struct xf_error *err)
{
	if (!allocation_failed()) {
		assert_null(err);
		return false;
	}
	assert_non_null(err);
	assert_int_equal(err->code, XF_ERR_MEMORY);
	xf_error_free(err);
	return true;
}

static void without_memory(unsigned int n, void *path)
{
	struct outcome outcome = { 0 };
	struct xf_error *err = go_through(path, &outcome);

	(void)n;
	if (lacked_memory(err))
		return;
	assert_int_equal(outcome.edits, 1);
}

static void test_no_memory(void **unused)
{
	struct bytes bytes = read_made("one");
	struct file file = file_of(bytes.p, bytes.size);

	(void)unused;
	assert_true(fail_each_allocation(without_memory, file.path) > 15);
	close(file.fd);
	bytes_free(&bytes);
}

static void list_without_memory(unsigned int n, void *path)
{
	struct xf_states *states = NULL;
	struct xf_error *err = xf_states_at(path, &states);

	(void)n;
	if (lacked_memory(err))
		return;
	assert_int_equal(states->count, 2);
	xf_states_free(states);
}

static void test_no_memory_to_list(void **unused)
{
	struct bytes bytes = read_made("two");
	struct file file = file_of(bytes.p, bytes.size);

	(void)unused;
	assert_true(fail_each_allocation(list_without_memory, file.path) > 10);
	close(file.fd);
	bytes_free(&bytes);
}

static void test_io_errors(void **unused)
{
	struct bytes bytes = read_made("one");
	struct file file = file_of(bytes.p, bytes.size);

	(void)unused;
	for (unsigned int n = 1;; n++) {
		struct outcome outcome = { 0 };

		fail_call(CALL_PREAD, n, EIO);

		struct xf_error *err = go_through(file.path, &outcome);
		bool failed = call_failed();

		fail_call(CALL_NONE, 0, 0);
		if (!failed) {
			assert_null(err);
			assert_true(n > 15);
			break;
		}
		assert_non_null(err);
		assert_int_equal(err->code, XF_ERR_IO);
		xf_error_free(err);
	}
	close(file.fd);
	bytes_free(&bytes);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut),	  cmocka_unit_test(test_changed),
		cmocka_unit_test(test_no_memory), cmocka_unit_test(test_no_memory_to_list),
		cmocka_unit_test(test_io_errors), cmocka_unit_test(test_changed_since),
		cmocka_unit_test(test_of_nobody), cmocka_unit_test(test_neighbours_change),
	};

	return cmocka_run_group_tests_name("qcow2", tests, NULL, NULL);
}
