/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Undo files, intact, damaged and lying: nothing but an intact one changes a state. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "tests/report/synthetic.h"

#define SIZE 1024

struct fixture {
	struct place place;
	uint8_t before[SIZE];
	uint8_t after[SIZE];
	char *undo; /* the undo file's content, '\0' behind it */
	size_t undo_size;
};

/* A new file each time: to write over one makes ext4 flush it. */
static void write_undo(const struct fixture *f, const void *bytes, size_t size)
{
	unlink(f->place.undo);
	write_file(f->place.undo, bytes, size);
}

static void repair(struct fixture *f)
{
	static const struct xf_evidence evidence = { .guest = { XF_FPSSE, UINT64_MAX } };
	/* The two lie side by side, so that neither may be the other's context. */
	struct xf_vcpu vcpus[] = { vcpu_at(0, 100, 0x203, 1), vcpu_at(1, 108, 0x203, 1) };
	struct xf_state *state = synthetic_file(f->place.path, vcpus, 2);
	struct xf_report *report;

	assert_fine(xf_check(state, &evidence, NULL, XF_ALL, &report));
	assert_int_equal(report->edit_count, 2);
	assert_fine(xf_fix_in_place(state, report, NULL, NULL));
	xf_report_free(report);
	synthetic_free(state);
}

static int setup(void **data)
{
	struct fixture *f = calloc(1, sizeof(*f));

	place_init(&f->place);
	for (size_t i = 0; i < SIZE; i++)
		f->before[i] = (uint8_t)(i * 31 + i / 256);
	memcpy(f->before + 100, "\0\0\0\0\0\0\2\3\0\0\0\0\0\0\2\3", 16);
	memcpy(f->after, f->before, SIZE);
	memcpy(f->after + 100, "\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0\3", 16);
	write_file(f->place.path, f->before, SIZE);
	repair(f);
	assert_content(f->place.path, f->after, SIZE);
	f->undo = (char *)read_file(f->place.undo, &f->undo_size);
	*data = f;
	return 0;
}

static int teardown(void **data)
{
	struct fixture *f = *data;

	place_clear(&f->place);
	free(f->undo);
	free(f);
	return 0;
}

static void expect_undone(struct fixture *f, size_t edits)
{
	struct xf_undo_result result = { 0 };

	assert_fine(xf_undo(f->place.undo, &result));
	assert_int_equal(result.edits, edits);
	assert_string_equal(result.path, f->place.path);
	free(result.path);
	assert_content(f->place.path, f->before, SIZE);
	assert_false(is_there(f->place.undo));
}

static void expect_refused(struct fixture *f, enum xf_error_code code, const char *part)
{
	struct xf_undo_result result = { (char *)1, 77 };

	assert_error(xf_undo(f->place.undo, &result), code, part);
	assert_ptr_equal(result.path, (char *)1);
	assert_int_equal(result.edits, 77);
	assert_content(f->place.path, f->after, SIZE);
}

/* ---- Damaged ---- */

static void cut_off_anywhere(void **data)
{
	struct fixture *f = *data;

	for (size_t size = 0; size < f->undo_size; size++) {
		write_undo(f, f->undo, size);
		expect_refused(f, XF_ERR_DAMAGED, "is no intact undo file: ");
		assert_true(is_there(f->place.undo));
	}
}

static void any_bit_flipped(void **data)
{
	struct fixture *f = *data;

	for (size_t i = 0; i < f->undo_size; i++) {
		for (unsigned int bit = 0; bit < 8; bit++) {
			f->undo[i] ^= (char)(1 << bit);
			write_undo(f, f->undo, f->undo_size);
			expect_refused(f, XF_ERR_DAMAGED, "is no intact undo file: ");
			f->undo[i] ^= (char)(1 << bit);
		}
	}
}

static void something_behind_it(void **data)
{
	static const char *const tails[] = { "x", "\n", " ", "", "{}" };
	struct fixture *f = *data;

	for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
		char *text = calloc(1, f->undo_size + 8);

		memcpy(text, f->undo, f->undo_size);
		strcpy(text + f->undo_size, tails[i]);
		write_undo(f, text, f->undo_size + strlen(tails[i]) + !*tails[i]);
		expect_refused(f, XF_ERR_DAMAGED, "is no intact undo file: ");
		free(text);
	}
}

/* ---- Lying: the checksum is right and the content is not ---- */

static void write_with_sum(const struct fixture *f, const char *line)
{
	char *text = NULL;
	int size = asprintf(&text, "%s\ncrc32 %08lx\n", line,
			    crc32_z(0, (const unsigned char *)line, strlen(line)));

	assert_true(size > 0);
	write_undo(f, text, (size_t)size);
	free(text);
}

/* The line of an undo file for our state, with this list of edits. */
/* Of the two edits at 100 and 108: what is before them, and 256 bytes behind. */
static unsigned long around(const struct fixture *f)
{
	return crc32_z(crc32_z(0, f->after, 100), f->after + 116, 256);
}

static void write_edits_around(const struct fixture *f, const char *edits, unsigned long sum)
{
	char *line = NULL;

	assert_true(asprintf(&line,
			     "{\"xferry_undo\":1,\"state\":\"state\",\"size\":%d,"
			     "\"around\":\"%08lx\",\"edits\":%s}",
			     SIZE, sum, edits) > 0);
	write_with_sum(f, line);
	free(line);
}

static void write_edits(const struct fixture *f, const char *edits)
{
	write_edits_around(f, edits, around(f));
}

/* Others' pieces of the file, beside the one that the edits are in, may change. */
static void beside_its_piece(void **data)
{
	struct fixture *f = *data;
	static const struct xf_evidence evidence = { .guest = { XF_FPSSE, UINT64_MAX } };
	struct xf_vcpu vcpus[] = { vcpu_at(0, 100, 0x203, 1), vcpu_at(1, 108, 0x203, 1) };
	struct xf_undo_result result = { 0 };
	struct xf_report *report;

	for (size_t i = 0; i < SIZE; i++) {
		bool is_edit = i >= 100 && i < 116, is_beside = i < 64 || i >= 128;
		uint8_t bytes[SIZE];

		unlink(f->place.undo);
		write_file(f->place.path, f->before, SIZE);

		struct xf_state *state = synthetic_file(f->place.path, vcpus, 2);

		state->record.piece = 64;
		assert_fine(xf_check(state, &evidence, NULL, XF_ALL, &report));
		assert_fine(xf_fix_in_place(state, report, NULL));
		xf_report_free(report);
		synthetic_free(state);
		memcpy(bytes, f->after, SIZE);
		bytes[i] ^= 0x40;
		write_file(f->place.path, bytes, SIZE);
		if (!is_beside) {
			assert_error(xf_undo(f->place.undo, &result), XF_ERR_REFUSED,
				     "is not as the repair left it");
			assert_content(f->place.path, bytes, SIZE);
			continue;
		}
		assert_fine(xf_undo(f->place.undo, &result));
		free(result.path);
		assert_false(is_edit);
		memcpy(bytes + 100, f->before + 100, 16);
		assert_content(f->place.path, bytes, SIZE);
	}
}

/* Of a state that was replaced. */
#define REPLACED(rest)                                                                 \
	"{\"xferry_undo\":2,\"state\":\"state\",\"size\":1024,\"crc32\":\"00000000\"," \
	"\"edits\":[]," rest "}"
#define ORIGINAL "\"original_size\":8,\"original_crc32\":\"00000000\""

static void lies(void **data)
{
	static const struct {
		const char *line;
		enum xf_error_code code;
		const char *part;
	} lines[] = {
		{ "", XF_ERR_DAMAGED, "is no intact undo file" },
		{ "null", XF_ERR_DAMAGED, "is no intact undo file" },
		{ "[]", XF_ERR_DAMAGED, "no key xferry_undo" },
		{ "7", XF_ERR_DAMAGED, "no key xferry_undo" },
		{ "{}", XF_ERR_DAMAGED, "no key xferry_undo" },
		{ "{\"xferry_undo\":\"1\"}", XF_ERR_DAMAGED, "no key xferry_undo" },
		{ "{\"xferry_undo\":-1}", XF_ERR_DAMAGED, "no key xferry_undo" },
		{ "{\"xferry_undo\":1.5}", XF_ERR_DAMAGED, "no key xferry_undo" },
		{ "{\"xferry_undo\":3}", XF_ERR_FORMAT, "version 3, expected 1 or 2" },
		{ "{\"xferry_undo\":2}", XF_ERR_DAMAGED, "missing or of the wrong type" },
		{ "{\"xferry_undo\":1}", XF_ERR_DAMAGED, "missing or of the wrong type" },
		{ "{\"xferry_undo\":1,\"state\":7,\"size\":1024,\"around\":\"00000000\",\"edits\":["
		  "]}",
		  XF_ERR_DAMAGED, "missing or of the wrong type" },
		{ "{\"xferry_undo\":1,\"state\":\"state\",\"size\":\"1\",\"around\":\"00000000\","
		  "\"edits\":[]}",
		  XF_ERR_DAMAGED, "missing or of the wrong type" },
		{ "{\"xferry_undo\":1,\"state\":\"state\",\"size\":-1,\"around\":\"00000000\","
		  "\"edits\":[]}",
		  XF_ERR_DAMAGED, "missing or of the wrong type" },
		{ "{\"xferry_undo\":1,\"state\":\"state\",\"size\":1024,\"around\":\"00000000\","
		  "\"edits\":{}}",
		  XF_ERR_DAMAGED, "missing or of the wrong type" },
		{ "{\"xferry_undo\":1,\"state\":\"state\",\"size\":1024,\"around\":\"00000000\","
		  "\"piece\":0,\"edits\":[]}",
		  XF_ERR_DAMAGED, "missing or of the wrong type" },
		{ "{\"xferry_undo\":1,\"state\":\"state\",\"size\":1024,\"around\":\"00000000\","
		  "\"piece\":65,\"edits\":[]}",
		  XF_ERR_DAMAGED, "missing or of the wrong type" },
		{ "{\"xferry_undo\":1,\"state\":\"state\",\"size\":1024,\"around\":\"00000000\","
		  "\"piece\":\"64\",\"edits\":[]}",
		  XF_ERR_DAMAGED, "missing or of the wrong type" },
		/* The edit, and what is beside another, are in two pieces. */
		{ "{\"xferry_undo\":1,\"state\":\"state\",\"size\":1024,\"around\":\"00000000\","
		  "\"piece\":8,\"edits\":[{\"offset\":12,\"old\":\"0000000000000000\","
		  "\"new\":\"0100000000000000\",\"before\":\"\",\"after\":\"\"}]}",
		  XF_ERR_DAMAGED, "an edit in it is malformed" },
		{ "{\"xferry_undo\":1,\"state\":\"state\",\"size\":1024,\"around\":\"00000000\","
		  "\"piece\":8,\"edits\":[{\"offset\":16,\"old\":\"00\",\"new\":\"01\","
		  "\"before\":\"00\",\"after\":\"\"}]}",
		  XF_ERR_DAMAGED, "an edit in it is malformed" },
		{ "{\"xferry_undo\":1,\"state\":\"state\",\"size\":1024}", XF_ERR_DAMAGED,
		  "missing or of the wrong type" },
		{ "{\"xferry_undo\":1,\"size\":1024,\"around\":\"00000000\",\"edits\":[]}",
		  XF_ERR_DAMAGED, "missing or of the wrong type" },
		{ "{\"xferry_undo\":1,\"state\":\"state\",\"size\":1024,\"around\":\"00000000\","
		  "\"edits\":[]} {}",
		  XF_ERR_DAMAGED, "is no intact undo file" },
		{ "{\"xferry_undo\":1,\"state\":\"nowhere\",\"size\":1024,\"around\":\"00000000\","
		  "\"edits\":[]}",
		  XF_ERR_IO, "No such file" },
		{ "{\"xferry_undo\":1,\"state\":\".\",\"size\":1024,\"around\":\"00000000\","
		  "\"edits\":[]}",
		  XF_ERR_IO, "is a directory" },
		{ "{\"xferry_undo\":1,\"state\":\"state\",\"size\":1023,\"around\":\"00000000\","
		  "\"edits\":[]}",
		  XF_ERR_REFUSED, "has 1024 bytes, the file that was repaired had 1023" },
		{ "{\"xferry_undo\":1,\"state\":\"st\\u0000ate\",\"size\":1024,\"around\":"
		  "\"00000000\",\"edits\":[]}",
		  XF_ERR_DAMAGED, "missing or of the wrong type" },
		{ REPLACED("\"original\":7," ORIGINAL), XF_ERR_DAMAGED,
		  "missing or of the wrong type" },
		{ REPLACED(ORIGINAL), XF_ERR_DAMAGED, "missing or of the wrong type" },
		{ REPLACED("\"original\":\"x\",\"original_size\":8"), XF_ERR_DAMAGED,
		  "missing or of the wrong type" },
		{ REPLACED("\"original\":\"../x\"," ORIGINAL), XF_ERR_DAMAGED,
		  "the original's name is a path" },
		{ REPLACED("\"original\":\"\"," ORIGINAL), XF_ERR_DAMAGED,
		  "the original's name is a path" },
		{ REPLACED("\"original\":\"x\"," ORIGINAL), XF_ERR_REFUSED,
		  "is not as the repair left it; nothing was changed" },
		{ "[[[[[[[[[[[[[[[[[[[[", XF_ERR_DAMAGED, "is no intact undo file" },
	};
	struct fixture *f = *data;

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		print_message("%s\n", lines[i].line);
		write_with_sum(f, lines[i].line);
		expect_refused(f, lines[i].code, lines[i].part);
	}
}

#define ENTRY(offset, old, new, before, after)                                                \
	"{\"offset\":" offset ",\"old\":\"" old "\",\"new\":\"" new "\",\"before\":\"" before \
								    "\",\"after\":\"" after "\"}"
#define OLD "0000000000000203"
#define NEW "0000000000000003"

static void lying_edits(void **data)
{
	static const char *const lists[] = {
		"[null]",
		"[7]",
		"[[]]",
		"[{}]",
		/* Another offset than a number within the file. */
		"[" ENTRY("\"100\"", OLD, NEW, "", "") "]",
		"[" ENTRY("-100", OLD, NEW, "", "") "]",
		"[" ENTRY("1017", OLD, NEW, "", "") "]",
		"[" ENTRY("1025", OLD, NEW, "", "") "]",
		"[" ENTRY("18446744073709551615", OLD, NEW, "", "") "]",
		"[" ENTRY("18446744073709551608", OLD, NEW, "", "") "]",
		"[" ENTRY("9223372036854775807", OLD, NEW, "", "") "]",
		"[" ENTRY("99999999999999999999999", OLD, NEW, "", "") "]",
		"[" ENTRY("1e2", OLD, NEW, "", "") "]",
		/* Bytes that are none, too many, or not as many as before. */
		"[" ENTRY("100", "", "", "", "") "]",
		"[" ENTRY("100", OLD, "", "", "") "]",
		"[" ENTRY("100", OLD, "00000000000003", "", "") "]",
		"[" ENTRY("100", OLD OLD "00", NEW NEW "00", "", "") "]",
		"[" ENTRY("100", OLD "0", NEW "0", "", "") "]",
		"[" ENTRY("100", "000000000000020g", NEW, "", "") "]",
		"[" ENTRY("100", "0x00000000000203", NEW, "", "") "]",
		"[" ENTRY("100", " 000000000000203", NEW, "", "") "]",
		"[" ENTRY("100", OLD, NEW, "0", "") "]",
		"[" ENTRY("100", OLD, NEW, "", "zz") "]",
		"[" ENTRY("100", OLD, NEW,
			  "000000000000000000000000000000000000000000000000000000000000000000",
			  "") "]",
		"[{\"offset\":100,\"old\":\"" OLD "\",\"new\":\"" NEW "\",\"before\":\"\"}]",
		"[{\"offset\":100,\"old\":\"" OLD "\",\"new\":\"" NEW "\",\"after\":\"\"}]",
		"[{\"offset\":100,\"old\":8,\"new\":\"" NEW "\",\"before\":\"\",\"after\":\"\"}]",
		"[{\"offset\":100,\"new\":\"" NEW "\",\"before\":\"\",\"after\":\"\"}]",
		"[{\"old\":\"" OLD "\",\"new\":\"" NEW "\",\"before\":\"\",\"after\":\"\"}]",
		/* Context before the file's start or behind its end. */
		"[" ENTRY("1", "00", "00", "0000", "") "]",
		"[" ENTRY("1016", OLD, NEW, "", "00") "]",
		/* Twice the same place, overlapping, out of order. */
		"[" ENTRY("100", OLD, NEW, "", "") "," ENTRY("100", OLD, NEW, "", "") "]",
		"[" ENTRY("100", OLD, NEW, "", "") "," ENTRY("107", OLD, NEW, "", "") "]",
		"[" ENTRY("108", OLD, NEW, "", "") "," ENTRY("100", OLD, NEW, "", "") "]",
		"[" ENTRY("100", OLD, NEW, "", "") "," ENTRY("108", OLD, NEW, "00", "") "]",
	};
	struct fixture *f = *data;

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		print_message("%s\n", lists[i]);
		write_edits(f, lists[i]);
		expect_refused(f, XF_ERR_DAMAGED, "is no intact undo file: an edit");
	}
}

/* Well formed, and of another file: what is there is not what the repair left. */
static void edits_of_another_file(void **data)
{
	static const char *const lists[] = {
		"[" ENTRY("100", OLD, "0000000000000007", "", "") "]",
		"[" ENTRY("100", OLD, NEW, "00", "") "]",
		"[" ENTRY("108", OLD, NEW, "", "00") "]",
		/* The first would fit: it must not be written before the second is looked at. */
		"[" ENTRY("100", OLD, NEW, "", "") "," ENTRY("108", OLD, NEW, "", "00") "]",
	};
	struct fixture *f = *data;

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		write_edits(f, lists[i]);
		expect_refused(f, XF_ERR_REFUSED, "is not as the repair left it");
	}
}

/* The places are alike, the registers around them are not: a later snapshot. */
static void another_snapshot(void **data)
{
	struct fixture *f = *data;

	write_edits_around(
		f, "[" ENTRY("100", OLD, NEW, "", "") "," ENTRY("108", OLD, NEW, "", "") "]",
		around(f) ^ 1);
	expect_refused(f, XF_ERR_REFUSED, "its vCPUs' other registers differ");
}

static void around_is_a_sum(void **data)
{
	static const char *const sums[] = { "\"\"",	    "\"0000000\"", "\"000000000\"",
					    "\"0000000x\"", "0",	   "null" };
	struct fixture *f = *data;

	for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++) {
		char line[128];

		snprintf(line, sizeof(line),
			 "{\"xferry_undo\":1,\"state\":\"state\",\"size\":1024,\"around\":%s,"
			 "\"edits\":[]}",
			 sums[i]);
		write_with_sum(f, line);
		expect_refused(f, XF_ERR_DAMAGED, "missing or of the wrong type");
	}
}

/* A write that was cut short left half of each: it is taken back all the same. */
static void torn_write(void **data)
{
	struct fixture *f = *data;

	f->before[104] = f->after[104] = 1;
	write_edits(f, "[" ENTRY("100", "0000000001000203", NEW, "", "") "," ENTRY("108", OLD, NEW,
										   "", "") "]");
	write_file(f->place.path, f->after, SIZE);
	expect_undone(f, 2);
}

/* By hand and well: the parser is not too strict. */
static void written_by_hand(void **data)
{
	struct fixture *f = *data;

	write_edits(f, "[" ENTRY("100", OLD, NEW, "", "") "," ENTRY("108", OLD, NEW, "", "") "]");
	expect_undone(f, 2);
}

static void no_edits_in_it(void **data)
{
	struct fixture *f = *data;
	struct xf_undo_result result = { 0 };

	write_edits_around(f, "[]", 0);
	assert_fine(xf_undo(f->place.undo, &result));
	assert_int_equal(result.edits, 0);
	free(result.path);
	assert_content(f->place.path, f->after, SIZE);
}

/* ---- The state is not what it was ---- */

static void any_byte_near_it_changed(void **data)
{
	struct fixture *f = *data;

	/* All before the first edit, and 256 bytes behind the last. */
	for (size_t i = 0; i < 116 + 256; i++) {
		f->after[i] ^= 0x40;
		write_file(f->place.path, f->after, SIZE);
		expect_refused(f, XF_ERR_REFUSED, "is not as the repair left it");
		f->after[i] ^= 0x40;
	}
}

static void another_size(void **data)
{
	struct fixture *f = *data;
	struct xf_undo_result result;

	assert_int_equal(truncate(f->place.path, SIZE - 1), 0);
	assert_error(xf_undo(f->place.undo, &result), XF_ERR_REFUSED, "has 1023 bytes");
	assert_int_equal(truncate(f->place.path, SIZE + 1), 0);
	assert_error(xf_undo(f->place.undo, &result), XF_ERR_REFUSED, "has 1025 bytes");
	assert_true(is_there(f->place.undo));
}

/* Killed in the middle of an undo, or of a repair: the rest is taken back. */
static void partly_taken_back(void **data)
{
	struct fixture *f = *data;

	memcpy(f->after + 108, f->before + 108, 8);
	write_file(f->place.path, f->after, SIZE);
	expect_undone(f, 1);
}

static void wholly_taken_back(void **data)
{
	struct fixture *f = *data;

	write_file(f->place.path, f->before, SIZE);
	expect_undone(f, 0);
}

static void twice(void **data)
{
	struct fixture *f = *data;
	struct xf_undo_result result;

	expect_undone(f, 2);
	assert_error(xf_undo(f->place.undo, &result), XF_ERR_IO, "No such file");
	repair(f);
	expect_undone(f, 2);
}

/* The two may be moved together, for the undo file names its neighbour by name. */
static void moved_together(void **data)
{
	struct fixture *f = *data;
	char moved[80];

	snprintf(moved, sizeof(moved), "%s-moved", f->place.directory);
	assert_int_equal(rename(f->place.directory, moved), 0);
	strcpy(f->place.directory, moved);
	snprintf(f->place.path, sizeof(f->place.path), "%s/state", moved);
	snprintf(f->place.undo, sizeof(f->place.undo), "%s/state.xfundo", moved);
	expect_undone(f, 2);
}

static void by_a_relative_name(void **data)
{
	struct fixture *f = *data;
	struct xf_undo_result result = { 0 };
	char *back = getcwd(NULL, 0);

	assert_int_equal(chdir(f->place.directory), 0);
	assert_fine(xf_undo("state.xfundo", &result));
	assert_int_equal(chdir(back), 0);
	assert_string_equal(result.path, "state");
	free(result.path);
	free(back);
	assert_content(f->place.path, f->before, SIZE);
}

static void undo_file_elsewhere(void **data)
{
	static const struct xf_evidence evidence = { .guest = { XF_FPSSE, UINT64_MAX } };
	struct xf_vcpu vcpu = vcpu_at(0, 100, 0x203, 1);
	struct fixture *f = *data;
	struct place elsewhere;
	struct xf_report *report;

	expect_undone(f, 2);
	place_init(&elsewhere);

	struct xf_state *state = synthetic_file(f->place.path, &vcpu, 1);

	assert_fine(xf_check(state, &evidence, NULL, XF_ALL, &report));
	assert_fine(xf_fix_in_place(state, report, elsewhere.undo, NULL));
	assert_false(is_there(f->place.undo));
	strcpy(f->place.undo, elsewhere.undo);
	expect_undone(f, 1);
	xf_report_free(report);
	synthetic_free(state);
	place_clear(&elsewhere);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(cut_off_anywhere),	   TEST(any_bit_flipped),
		TEST(something_behind_it), TEST(lies),
		TEST(lying_edits),	   TEST(edits_of_another_file),
		TEST(another_snapshot),	   TEST(around_is_a_sum),
		TEST(torn_write),	   TEST(written_by_hand),
		TEST(no_edits_in_it),	   TEST(any_byte_near_it_changed),
		TEST(another_size),	   TEST(partly_taken_back),
		TEST(wholly_taken_back),   TEST(twice),
		TEST(moved_together),	   TEST(by_a_relative_name),
		TEST(undo_file_elsewhere), TEST(beside_its_piece),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
