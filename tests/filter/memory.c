/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* No memory, at every allocation: an error, and nothing of the devices has passed. */
#include "../report/failing.h"
#include "../state/support.h"

/* A stream in a file, where its devices begin, and who is asked. */
struct stream {
	const struct bytes *bytes;
	size_t devices;
	const struct xf_filter_options *options;
	unsigned int failures;
};

static void assert_start(int fd, const struct bytes *bytes, size_t most)
{
	static uint8_t out[1 << 20];
	ssize_t passed = pread(fd, out, sizeof(out), 0);

	assert_in_range(passed, 0, most);
	assert_memory_equal(out, bytes->p, (size_t)passed);
}

static void filter_without_memory(unsigned int n, void *data)
{
	struct stream *stream = data;
	struct xf_filtered *filtered = NULL;

	fail_allocation(0);

	struct file from = file_of(stream->bytes->p, stream->bytes->size);
	struct file to = file_of("", 0);

	fail_allocation(n);

	struct xf_error *err = xf_filter(from.fd, to.fd, stream->options, &filtered);
	bool failed = allocation_failed();

	if (failed) {
		assert_non_null(err);
		assert_int_equal(err->code, XF_ERR_MEMORY);
		assert_null(filtered);
		assert_start(to.fd, stream->bytes, stream->devices);
		stream->failures++;
	} else {
		assert_opened(err);
		assert_int_equal(filtered->passage, XF_PASSED_EDITED);
	}
	xf_error_free(err);
	xf_filtered_free(filtered);
	close(from.fd);
	close(to.fd);
}

static void hold(const struct bytes *bytes, size_t devices)
{
	struct xf_evidence *guest;

	assert_opened(xf_evidence_from_mask("0x3", &guest));

	/* Not even then: it is not the stream that was not understood. */
	struct xf_filter_options options = { .guest = guest, .pass_unknown = true };
	struct stream stream = { .bytes = bytes, .devices = devices, .options = &options };

	for (unsigned int n = 1, before = 1; before; n++) {
		before = stream.failures;
		filter_without_memory(n, &stream);
		before = stream.failures > before;
	}
	assert_true(stream.failures > 10);
	xf_evidence_free(guest);
}

static void test_sample(void **unused)
{
	struct bytes bytes = read_sample("leaky-q35-qemu64-smp2.qevm");

	(void)unused;
	hold(&bytes, 66598);
	bytes_free(&bytes);
}

static void test_without_description(void **unused)
{
	struct synth synth = { .machine = "pc" };

	(void)unused;
	synth_begin(&synth, NULL);
	synth_ram(&synth, 3, 5);
	synth_cpu(&synth, &(struct synth_cpu){ .xstate_bv = 0x207, .xcr0 = 1, .mxcsr = 0x1f80 });
	synth_eof(&synth);
	hold(&synth.stream, synth.ram_end);
	synth_free(&synth);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sample),
		cmocka_unit_test(test_without_description),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
