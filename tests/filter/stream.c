/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Streams through the filter: what comes out, and what does not. */
#include <signal.h>

#include "flow.h"

#include "state/qemu_wire.h"

static struct xf_evidence *qemu64;

static int set_up(void **unused)
{
	(void)unused;
	signal(SIGPIPE, SIG_IGN);
	assert_opened(xf_evidence_from_cpu("qemu64", NULL, &qemu64));
	return 0;
}

static int tear_down(void **unused)
{
	(void)unused;
	xf_evidence_free(qemu64);
	return 0;
}

static struct xf_filter_options with_evidence(void)
{
	return (struct xf_filter_options){ .guest = qemu64 };
}

static void assert_same(const struct bytes *a, const struct bytes *b)
{
	assert_int_equal(a->size, b->size);
	assert_memory_equal(a->p, b->p, a->size);
}

/* `part` is the start of `whole`, up to `most` bytes of it. */
static void assert_start(const struct bytes *part, const struct bytes *whole, size_t most)
{
	if (part->size > most)
		fail_msg("%zu bytes passed, and not %zu at most", part->size, most);
	if (part->size)
		assert_memory_equal(part->p, whole->p, part->size);
}

/* Whether it is read, what passes and that it is counted. */
static void assert_passes(const struct bytes *in, enum ends ends,
			  const struct xf_filter_options *options, enum xf_passage passage,
			  const struct bytes *due)
{
	struct result result = send_through(in, ends, options);

	assert_opened(result.err);
	assert_int_equal(result.filtered->passage, passage);
	assert_same(&result.out, due);
	assert_int_equal(result.flow.in, in->size);
	assert_non_null(result.filtered->report);
	assert_null(result.filtered->why);
	result_free(&result);
}

/* Refused, with nothing of the devices let go; and passed as it is when that is wanted. */
static void assert_stops(const struct bytes *in, size_t devices, enum xf_error_code code,
			 const char *part)
{
	struct xf_filter_options options = with_evidence();

	for (enum ends ends = FILES; ends <= PIPES; ends++) {
		struct result result = send_through(in, ends, &options);

		if (result.out.size > devices)
			fail_msg("%zu bytes passed, the devices begin at %zu", result.out.size,
				 devices);
		assert_start(&result.out, in, devices);
		assert_refused(result.err, code, part);
		result.err = NULL;
		result_free(&result);
	}
	options.pass_unknown = true;
	for (enum ends ends = FILES; ends <= PIPES; ends++) {
		struct result result = send_through(in, ends, &options);

		assert_opened(result.err);
		assert_int_equal(result.filtered->passage, XF_PASSED_UNKNOWN);
		assert_non_null(strstr(result.filtered->why->text, part));
		assert_null(result.filtered->report);
		assert_same(&result.out, in);
		result_free(&result);
	}
}

/* ---- What passes ---- */

static void test_samples(void **unused)
{
	static const struct {
		const char *name;
		enum xf_passage passage;
	} samples[] = {
		{ "leaky-pc-qemu64.qevm", XF_PASSED_EDITED },
		{ "leaky-q35-qemu64-smp2.qevm", XF_PASSED_EDITED },
		{ "leaky-pc-max.qevm", XF_PASSED_EDITED },
		{ "clean-pc-qemu64.qevm", XF_PASSED },
		{ "tcg-pc-max-pkru.qevm", XF_PASSED },
	};
	struct xf_filter_options options = with_evidence();

	(void)unused;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		struct bytes in = read_sample(samples[i].name);
		struct bytes due = edited(&in, qemu64);

		for (enum ends ends = FILES; ends < ENDS; ends++)
			assert_passes(&in, ends, &options, samples[i].passage, &due);
		bytes_free(&due);
		bytes_free(&in);
	}
}

static void test_without_evidence_nothing_is_edited(void **unused)
{
	struct bytes in = read_sample("leaky-pc-qemu64.qevm");
	struct xf_filter_options options = { 0 };
	struct result result = send_through(&in, PIPES, &options);

	(void)unused;
	assert_opened(result.err);
	assert_int_equal(result.filtered->passage, XF_PASSED);
	assert_int_not_equal(result.filtered->report->finding_count, 0);
	assert_same(&result.out, &in);
	result_free(&result);
	bytes_free(&in);
}

static void test_only(void **unused)
{
	struct bytes in = read_sample("leaky-pc-qemu64.qevm");
	struct xf_filter_options options = with_evidence();

	(void)unused;
	options.only = XF_PKRU;

	struct result result = send_through(&in, PIPES, &options);

	assert_opened(result.err);
	assert_int_equal(result.filtered->passage, XF_PASSED_EDITED);
	assert_int_not_equal(result.filtered->report->left_count, 0);
	assert_int_equal(result.out.p[60084 + 6], 0);
	assert_int_equal(result.out.p[60084 + 7], 7);
	result_free(&result);
	bytes_free(&in);
}

/* The judgement is the one that a file gets. */
static void test_report(void **unused)
{
	struct bytes in = read_sample("leaky-q35-qemu64-smp2.qevm");
	struct xf_filter_options options = with_evidence();
	struct result result = send_through(&in, PIPES, &options);
	struct xf_state *state;
	struct xf_report *report;

	(void)unused;
	assert_opened(open_bytes(in.p, in.size, &state));
	assert_opened(xf_check(state, qemu64, NULL, XF_ALL, &report));
	assert_true(same_vcpus(state, result.filtered->state));
	assert_string_equal(xf_state_machine(result.filtered->state), xf_state_machine(state));
	assert_int_equal(xf_state_found_by(result.filtered->state), XF_FOUND_WALK);
	assert_int_equal(result.filtered->report->edit_count, report->edit_count);
	assert_memory_equal(result.filtered->report->edits, report->edits,
			    report->edit_count * sizeof(*report->edits));
	assert_int_equal(result.filtered->report->finding_count, report->finding_count);
	xf_report_free(report);
	xf_state_close(state);
	result_free(&result);
	bytes_free(&in);
}

/* What a volume has behind the stream: zeros, and an older stream. */
static void test_stale_bytes_behind(void **unused)
{
	struct bytes sample = read_sample("leaky-pc-qemu64.qevm");
	struct bytes older = read_sample("leaky-q35-qemu64-smp2.qevm");
	struct xf_filter_options options = with_evidence();
	struct bytes in = { 0 };
	struct bytes due = edited(&sample, qemu64);

	(void)unused;
	bytes_add(&in, sample.p, sample.size);
	bytes_add_zeros(&in, 5000);
	bytes_add_zeros(&due, 5000);
	assert_passes(&in, PIPES, &options, XF_PASSED_EDITED, &due);
	bytes_add(&in, older.p, older.size);
	bytes_add(&due, older.p, older.size);
	for (enum ends ends = FILES; ends < ENDS; ends++)
		assert_passes(&in, ends, &options, XF_PASSED_EDITED, &due);
	/* A limit that ends in them, or right behind the stream, changes nothing. */
	options.max_tail = sample.size - 58429;
	for (size_t more = 0; more < 9000; more += 2999) {
		options.max_tail += more;
		for (enum ends ends = FILES; ends <= PIPES; ends++)
			assert_passes(&in, ends, &options, XF_PASSED_EDITED, &due);
	}
	bytes_free(&sample);
	bytes_free(&older);
	bytes_free(&due);
	bytes_free(&in);
}

static void test_without_footers_and_description(void **unused)
{
	struct xf_filter_options options = with_evidence();
	struct synth synth = { .no_footers = true };

	(void)unused;
	synth_begin(&synth, NULL);
	synth_ram(&synth, 3, 5);
	synth_cpu(&synth, &(struct synth_cpu){ .xstate_bv = 0x207, .xcr0 = 1, .mxcsr = 0x1f80 });
	synth_eof(&synth);

	struct bytes due = edited(&synth.stream, qemu64);

	for (enum ends ends = FILES; ends < ENDS; ends++)
		assert_passes(&synth.stream, ends, &options, XF_PASSED_EDITED, &due);
	bytes_free(&due);
	synth_free(&synth);
}

/* ---- What does not ---- */

static void assert_cut(const struct bytes *whole, size_t size, size_t devices)
{
	struct bytes cut = { .p = whole->p, .size = size };
	struct xf_filter_options options = with_evidence();
	struct result result = send_through(&cut, FILES, &options);

	if (!result.err)
		fail_msg("cut at %zu it passed", size);
	assert_start(&result.out, whole, devices);
	assert_refused(result.err, XF_ERR_DAMAGED, "");
	result.err = NULL;
	result_free(&result);

	options.pass_unknown = true;
	result = send_through(&cut, FILES, &options);
	assert_opened(result.err);
	assert_int_equal(result.filtered->passage, XF_PASSED_UNKNOWN);
	assert_same(&result.out, &cut);
	result_free(&result);
}

static void test_cut_anywhere(void **unused)
{
	struct synth synth = { .machine = "pc" };

	(void)unused;
	synth_stream(&synth, 2);
	for (size_t size = 0; size < synth.stream.size; size++)
		/* There it is a stream without description, and whole. */
		if (size != synth.devices_end)
			assert_cut(&synth.stream, size, synth.ram_end);
	synth_free(&synth);
}

static void test_sample_cut(void **unused)
{
	struct bytes in = read_sample("leaky-pc-qemu64.qevm");

	(void)unused;
	for (size_t size = 1; size < in.size; size += 211)
		assert_cut(&in, size, 58429);
	bytes_free(&in);
}

static void test_nothing_and_garbage(void **unused)
{
	struct bytes in = { 0 };
	struct bytes stream = read_sample("leaky-pc-qemu64.qevm");

	(void)unused;
	assert_stops(&in, 0, XF_ERR_DAMAGED, "is empty");
	bytes_add_text(&in, "\n");
	bytes_add(&in, stream.p, stream.size);
	assert_stops(&in, 0, XF_ERR_FORMAT, "begins with 'QEVM'");
	in.size = 0;
	bytes_add_u32(&in, 0x1f8b0800);
	bytes_add_zeros(&in, 100);
	assert_stops(&in, 0, XF_ERR_FORMAT, "compressed by gzip");
	in.size = 0;
	bytes_add_u32(&in, 0x11223344);
	bytes_add_zeros(&in, 100);
	assert_stops(&in, 0, XF_ERR_FORMAT, "multifd");
	bytes_free(&stream);
	bytes_free(&in);
}

/* One byte at a time of what is not a stream: the first few pass before that is seen. */
static void test_garbage_in_single_bytes(void **unused)
{
	struct xf_filter_options options = with_evidence();
	struct bytes in = { 0 };

	(void)unused;
	bytes_add_text(&in, "this is not a stream, but some text that is longer than its head");

	struct result result = send_through(&in, BYTES, &options);

	assert_start(&result.out, &in, 8);
	assert_refused(result.err, XF_ERR_FORMAT, "begins with 'QEVM'");
	result.err = NULL;
	result_free(&result);
	bytes_free(&in);
}

/* A stream with a command before its RAM. */
static void assert_command_stops(unsigned int command, size_t size, const char *part)
{
	struct synth synth = { .machine = "pc" };

	synth_begin(&synth, NULL);
	size_t before = synth.stream.size;

	synth_command(&synth, command, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", size);
	synth_ram(&synth, 3, 5);
	synth_cpu(&synth, &(struct synth_cpu){ .xstate_bv = 0x207, .xcr0 = 1, .mxcsr = 0x1f80 });
	synth_eof(&synth);
	synth_vmdesc(&synth);
	assert_stops(&synth.stream, before, XF_ERR_FORMAT, part);
	synth_free(&synth);
}

static void test_commands(void **unused)
{
	(void)unused;
	assert_command_stops(1, 0, "return-path");
	assert_command_stops(2, 4, "return-path");
	assert_command_stops(3, 16, "postcopy-ram");
	assert_command_stops(4, 0, "postcopy-ram");
	assert_command_stops(5, 0, "postcopy-ram");
	assert_command_stops(7, 4, "postcopy-ram");
	assert_command_stops(8, 0, "COLO");
	assert_command_stops(9, 0, "postcopy-ram");
	assert_command_stops(10, 0, "postcopy-ram");
}

/* What follows RAM is not let go by a command in between. */
static void test_commands_behind_ram(void **unused)
{
	struct synth synth = { .machine = "pc" };

	(void)unused;
	synth_begin(&synth, NULL);
	synth_ram(&synth, 3, 5);
	synth_command(&synth, 4, NULL, 0);
	synth_cpu(&synth, &(struct synth_cpu){ .xstate_bv = 0x207, .xcr0 = 1, .mxcsr = 0x1f80 });
	synth_eof(&synth);
	synth_vmdesc(&synth);
	assert_stops(&synth.stream, synth.ram_end, XF_ERR_FORMAT, "postcopy-ram");
	synth_free(&synth);
}

/* Commands that change nothing about where RAM and devices are. */
static void assert_command_passes(unsigned int command)
{
	struct xf_filter_options options = with_evidence();
	struct synth synth = { .machine = "pc" };

	synth_begin(&synth, NULL);
	synth_command(&synth, command, NULL, 0);
	synth_ram(&synth, 3, 5);
	synth_command(&synth, command, NULL, 0);
	synth_cpu(&synth, &(struct synth_cpu){ .xstate_bv = 0x207, .xcr0 = 1, .mxcsr = 0x1f80 });
	synth_eof(&synth);
	synth_vmdesc(&synth);

	struct bytes due = { 0 };
	struct result result = send_through(&synth.stream, PIPES, &options);

	assert_opened(result.err);
	assert_int_equal(result.filtered->passage, XF_PASSED_EDITED);
	assert_int_equal(result.filtered->report->edit_count, 1);
	bytes_add(&due, synth.stream.p, synth.stream.size);
	memcpy(due.p + result.filtered->report->edits[0].offset,
	       result.filtered->report->edits[0].new_bytes, 8);
	assert_same(&result.out, &due);
	result_free(&result);
	bytes_free(&due);
	synth_free(&synth);
}

static void test_commands_that_pass(void **unused)
{
	(void)unused;
	assert_command_passes(3);		 /* of dirty bitmaps, but there are none */
	assert_command_passes(XF_QEMU_CMD_LAST); /* SWITCHOVER_START */
}

static void test_multifd(void **unused)
{
	struct synth synth = { .machine = "pc" };

	(void)unused;
	synth_begin(&synth, NULL);
	synth_ram_start(&synth, 1 << 20, NULL);
	synth_ram_part(&synth, XF_QEMU_PART);

	size_t before = synth.stream.size;

	bytes_add_u64(&synth.stream, XF_QEMU_RAM_FLUSH);
	synth_ram_end(&synth);
	synth_ram_part(&synth, XF_QEMU_END);
	synth_ram_end(&synth);
	synth_cpu(&synth, &(struct synth_cpu){ .xstate_bv = 0x207, .xcr0 = 1, .mxcsr = 0x1f80 });
	synth_eof(&synth);
	synth_vmdesc(&synth);
	assert_stops(&synth.stream, before, XF_ERR_FORMAT, "multifd");
	synth_free(&synth);
}

static void assert_capability_stops(const char *name, const char *part)
{
	struct synth synth = { .machine = "pc" };
	struct bytes parts = { 0 };

	bytes_add_u8(&parts, XF_QEMU_SUBSECTION);
	bytes_add_name(&parts, "configuration/capabilities");
	bytes_add_u32(&parts, 1);
	bytes_add_u32(&parts, 1);
	bytes_add_name(&parts, name);
	synth_begin(&synth, &parts);
	synth_ram(&synth, 3, 5);
	synth_eof(&synth);
	assert_stops(&synth.stream, synth.ram_end, XF_ERR_FORMAT, part);
	bytes_free(&parts);
	synth_free(&synth);
}

static void test_capabilities(void **unused)
{
	(void)unused;
	assert_capability_stops("mapped-ram", "mapped-ram");
	assert_capability_stops("x-colo", "x-colo");
}

/* A section of unknown length before the end of RAM. */
static void test_other_parts(void **unused)
{
	struct synth synth = { .machine = "pc" };

	(void)unused;
	synth_begin(&synth, NULL);
	bytes_add_u8(&synth.stream, XF_QEMU_START);
	bytes_add_u32(&synth.stream, 1);
	bytes_add_name(&synth.stream, "dirty-bitmap");
	bytes_add_u32(&synth.stream, 0);
	bytes_add_u32(&synth.stream, 1);
	bytes_add_zeros(&synth.stream, 30);
	assert_stops(&synth.stream, 20, XF_ERR_FORMAT, "dirty-bitmap");
	synth_free(&synth);
}

static void test_description_that_does_not_fit(void **unused)
{
	struct synth synth = { .machine = "pc" };

	(void)unused;
	synth_stream(&synth, 1);
	/* Inside a device, where the description has another size for it. */
	char *size = memmem(synth.stream.p + synth.text, synth.stream.size - synth.text,
			    "\"size\":24", 9);

	assert_non_null(size);
	size[8] = '5';
	assert_stops(&synth.stream, synth.ram_end, XF_ERR_DAMAGED, "description");
	synth_free(&synth);
}

/* Behind the stream, a description of more devices: it is not of those that follow RAM. */
static void test_description_further_behind(void **unused)
{
	struct xf_filter_options options = with_evidence();
	struct synth synth = { .machine = "pc" };
	struct bytes *s = &synth.stream;

	(void)unused;
	synth_stream(&synth, 1);

	struct bytes due = edited(s, qemu64);
	size_t whole = s->size;
	size_t length = s->size - synth.text;
	struct bytes text = { 0 };

	bytes_add(&text, s->p + synth.text, length);
	bytes_add_u8(s, XF_QEMU_EOF);
	bytes_add_u8(s, XF_QEMU_VMDESC);
	bytes_add_u32(s, (uint32_t)length);
	bytes_add(s, text.p, length);
	bytes_add(&due, s->p + whole, s->size - whole);
	for (enum ends ends = FILES; ends < ENDS; ends++)
		assert_passes(s, ends, &options, XF_PASSED_EDITED, &due);
	bytes_free(&due);
	bytes_free(&text);
	synth_free(&synth);
}

static void test_max_tail(void **unused)
{
	struct xf_filter_options options = with_evidence();
	struct synth synth = { .machine = "pc" };

	(void)unused;
	synth_stream(&synth, 1);

	size_t tail = synth.stream.size - synth.ram_end;
	struct bytes due = edited(&synth.stream, qemu64);

	options.max_tail = tail;
	for (enum ends ends = FILES; ends < ENDS; ends++)
		assert_passes(&synth.stream, ends, &options, XF_PASSED_EDITED, &due);
	for (enum ends ends = FILES; ends < ENDS; ends++) {
		options.max_tail = tail - 1;

		struct result result = send_through(&synth.stream, ends, &options);

		assert_start(&result.out, &synth.stream, synth.ram_end);
		assert_refused(result.err, XF_ERR_FORMAT, "--max-tail");
		result.err = NULL;
		result_free(&result);

		options.pass_unknown = true;
		options.max_tail = 7;
		result = send_through(&synth.stream, ends, &options);
		assert_opened(result.err);
		assert_int_equal(result.filtered->passage, XF_PASSED_UNKNOWN);
		assert_same(&result.out, &synth.stream);
		result_free(&result);
		options.pass_unknown = false;
	}
	bytes_free(&due);
	synth_free(&synth);
}

static void test_target_refuses(void **unused)
{
	struct bytes in = read_sample("leaky-pc-qemu64.qevm");
	struct xf_filter_options options = { .pass_unknown = true };
	struct xf_host *target;

	(void)unused;
	assert_opened(xf_host_open("preset:linux-6.2,-pku", &target));
	options.target = target;
	for (enum ends ends = FILES; ends < ENDS; ends++) {
		struct result result = send_through(&in, ends, &options);

		assert_opened(result.err);
		assert_int_equal(result.filtered->passage, XF_STOPPED);
		assert_int_equal(result.filtered->report->outcome_fixed, XF_OUTCOME_REFUSED);
		assert_int_equal(result.out.size, 58429);
		assert_start(&result.out, &in, 58429);
		result_free(&result);
	}
	/* Repaired it is taken. */
	struct bytes due = edited(&in, qemu64);

	options.guest = qemu64;
	assert_passes(&in, PIPES, &options, XF_PASSED_EDITED, &due);
	bytes_free(&due);
	xf_host_free(target);
	bytes_free(&in);
}

/* ---- The ends ---- */

static void test_reader_goes_away(void **unused)
{
	struct bytes in = read_sample("tcg-pc-max-pkru.qevm");
	struct file from = file_of(in.p, in.size);
	struct xf_flow flow = { 1, 1 };
	struct xf_filter_options options = { .flow = &flow };
	struct xf_filtered *filtered = NULL;
	int fds[2];

	(void)unused;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	close(fds[0]);
	assert_refused(xf_filter(from.fd, fds[1], &options, &filtered), XF_ERR_IO,
		       "standard output: write: Broken pipe");
	assert_null(filtered);
	assert_int_equal(flow.out, 0);
	close(fds[1]);
	close(from.fd);
	bytes_free(&in);
}

static void test_bad_ends(void **unused)
{
	struct xf_filter_options options = { 0 };
	struct xf_filtered *filtered = NULL;
	struct file file = file_of("QEVM", 4);
	int directory = open(".", O_RDONLY | O_CLOEXEC);

	(void)unused;
	assert_refused(xf_filter(file.fd, file.fd, &options, &filtered), XF_ERR_USAGE,
		       "the same file");
	assert_refused(xf_filter(directory, file.fd, &options, &filtered), XF_ERR_IO,
		       "standard input: read: Is a directory");
	assert_refused(xf_filter(-1, file.fd, &options, &filtered), XF_ERR_IO, "Bad file");
	assert_null(filtered);
	close(directory);
	close(file.fd);
}

static void note_progress(void *data, uint64_t done, uint64_t total)
{
	uint64_t *last = data;

	assert_int_equal(total, 0);
	assert_true(done > *last);
	*last = done;
}

static void test_progress(void **unused)
{
	struct synth synth = { .machine = "pc" };
	uint64_t last = 0;
	struct xf_progress progress = { .step = note_progress, .data = &last };
	struct xf_filter_options options = { .progress = &progress };

	(void)unused;
	synth_begin(&synth, NULL);
	synth_ram(&synth, 1000, 5);
	synth_cpu(&synth, &(struct synth_cpu){ .xstate_bv = 3, .xcr0 = 1, .mxcsr = 0x1f80 });
	synth_eof(&synth);
	synth_vmdesc(&synth);
	assert_passes(&synth.stream, PIPES, &options, XF_PASSED, &synth.stream);
	assert_true(last > 2 << 20); /* the last megabyte may go untold */
	synth_free(&synth);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_samples),
		cmocka_unit_test(test_without_evidence_nothing_is_edited),
		cmocka_unit_test(test_only),
		cmocka_unit_test(test_report),
		cmocka_unit_test(test_stale_bytes_behind),
		cmocka_unit_test(test_without_footers_and_description),
		cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_sample_cut),
		cmocka_unit_test(test_nothing_and_garbage),
		cmocka_unit_test(test_garbage_in_single_bytes),
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_commands_behind_ram),
		cmocka_unit_test(test_commands_that_pass),
		cmocka_unit_test(test_multifd),
		cmocka_unit_test(test_capabilities),
		cmocka_unit_test(test_other_parts),
		cmocka_unit_test(test_description_that_does_not_fit),
		cmocka_unit_test(test_description_further_behind),
		cmocka_unit_test(test_max_tail),
		cmocka_unit_test(test_target_refuses),
		cmocka_unit_test(test_reader_goes_away),
		cmocka_unit_test(test_bad_ends),
		cmocka_unit_test(test_progress),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
