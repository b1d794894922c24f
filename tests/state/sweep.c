/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Streams cut at every byte, and with every byte changed; damage.c has those that are damaged
 * on purpose. What is allowed: an error of one line, or the same vCPUs at the same places as
 * in the stream before it was changed. Never other places: those would be written to. And one
 * with very much behind it. All of it takes its time.
 */
#include "support.h"

#include "state/qemu_wire.h"

/* ---- Cut ---- */

/*
 * Cut at every byte. Cut right behind the EOF mark it is what QEMU writes with
 * suppress-vmdesc=on: whole.
 */
static void check_cuts(const struct bytes *bytes, size_t devices_end)
{
	struct xf_state *whole = opened(bytes);
	struct file file = file_of(bytes->p, bytes->size);

	for (size_t size = bytes->size; size-- > 0;) {
		struct xf_state *state;
		struct xf_error *err;

		assert_int_equal(ftruncate(file.fd, (off_t)size), 0);
		err = xf_state_open(file.path, NULL, &state);
		if (size == devices_end) {
			assert_opened(err);
			assert_int_equal(xf_state_found_by(state), XF_FOUND_SIGNATURE);
			assert_true(same_vcpus(state, whole));
			xf_state_close(state);
			continue;
		}
		if (!err)
			fail_msg("cut to %zu bytes it is taken for whole", size);
		assert_one_line(err);
		xf_error_free(err);
	}
	close(file.fd);
	xf_state_close(whole);
}

static void test_cut_sample(void **unused)
{
	struct bytes bytes = read_sample("leaky-q35-qemu64-smp2.qevm");

	(void)unused;
	check_cuts(&bytes, 101279);
	bytes_free(&bytes);
}

static void test_cut_without_footers(void **unused)
{
	struct synth synth = { .no_footers = true };

	(void)unused;
	synth_stream(&synth, 2);

	struct xf_state *whole = opened(&synth.stream);

	/*
	 * Nothing shows the end of such a stream but a zero byte, and devices have
	 * many: cut within them, it may be taken for whole. Never for another.
	 */
	for (size_t size = synth.stream.size; size-- > 0;) {
		struct xf_state *state;
		struct xf_error *err = open_bytes(synth.stream.p, size, &state);

		assert_true(err || size <= synth.devices_end);
		if (err)
			assert_one_line(err);
		else
			assert_true(same_field(&xf_state_vcpu(state, 0)->xstate_bv,
					       &xf_state_vcpu(whole, 0)->xstate_bv));
		if (!err)
			xf_state_close(state);
		xf_error_free(err);
	}
	xf_state_close(whole);
	synth_free(&synth);
}

/* ---- Changed bytes ---- */

static void check_change(const struct bytes *bytes, struct file *file, const struct xf_state *whole,
			 size_t at, uint8_t value)
{
	struct xf_state *state;
	struct xf_error *err;

	assert_int_equal(pwrite(file->fd, &value, 1, (off_t)at), 1);
	err = xf_state_open(file->path, NULL, &state);
	if (err) {
		assert_one_line(err);
		xf_error_free(err);
	} else {
		if (!same_vcpus(state, whole))
			fail_msg("byte %zu as 0x%02x gives other vCPUs", at, value);
		xf_state_close(state);
	}
	assert_int_equal(pwrite(file->fd, bytes->p + at, 1, (off_t)at), 1);
}

/* Every bit of each byte from `from` to `to`, every `stride`th of them, and two whole values. */
static void check_changes(const struct bytes *bytes, size_t from, size_t to, size_t stride)
{
	struct xf_state *whole = opened(bytes);
	struct file file = file_of(bytes->p, bytes->size);

	for (size_t at = from; at < to; at += stride) {
		for (unsigned int bit = 0; bit < 8; bit++)
			if (stride == 1 || bit == at % 8)
				check_change(bytes, &file, whole, at,
					     bytes->p[at] ^ (uint8_t)(1 << bit));
		if (stride == 1) {
			check_change(bytes, &file, whole, at, 0);
			check_change(bytes, &file, whole, at, 0xff);
		}
	}
	close(file.fd);
	xf_state_close(whole);
}

/* Header, configuration, RAM's records, section heads, description of a made stream: all bits. */
static void test_changed_everywhere(void **unused)
{
	(void)unused;
	for (unsigned int i = 0; i < 2; i++) {
		struct synth synth = { .machine = i ? "pc" : NULL, .no_footers = !i };

		synth_begin(&synth, NULL);
		synth_ram(&synth, 0, 3);
		synth_device(&synth, "timer", 0, NULL, 0);

		size_t cpu = synth.stream.size;
		size_t values = synth_cpu(&synth, &(struct synth_cpu){ .xstate_bv = 0x207 });

		synth_device(&synth, "globalstate", 0, NULL, 0);
		synth_eof(&synth);
		synth_vmdesc(&synth);
		/* All but the vCPU's values: other values are another state. */
		check_changes(&synth.stream, 0, cpu, 1);
		check_changes(&synth.stream, cpu, values - 1553, 1);
		check_changes(&synth.stream, values + 264, synth.stream.size, 1);

		/* And as the start of a larger file. */
		if (i) {
			bytes_add_zeros(&synth.stream, 1000);
			check_changes(&synth.stream, 0, cpu, 1);
			check_changes(&synth.stream, cpu, values - 1553, 1);
			check_changes(&synth.stream, values + 264, synth.stream.size - 1000, 1);
		}
		synth_free(&synth);
	}
}

static void test_changed_sample(void **unused)
{
	struct bytes bytes = read_sample("leaky-q35-qemu64-smp2.qevm");

	(void)unused;
	check_changes(&bytes, 0, 300, 1);
	check_changes(&bytes, 101270, 101270 + 400, 1);
	check_changes(&bytes, 101270, bytes.size, 7);
	bytes_free(&bytes);
}

/* On a volume far larger than any devices, which nothing tells the end of. */
static void test_old_stream_on_a_volume(void **unused)
{
	struct synth synth = { .no_footers = true };
	struct xf_state *state;

	(void)unused;
	synth_begin(&synth, NULL);
	synth_ram(&synth, 3, 5);
	synth_cpu(&synth, &(struct synth_cpu){ .xstate_bv = 0x207, .xcr0 = 1 });
	synth_eof(&synth);

	struct file file = file_of(synth.stream.p, synth.stream.size);

	assert_int_equal(ftruncate(file.fd, XF_QEMU_TAIL_MAX + (4 << 20)), 0);
	assert_opened(xf_state_open(file.path, NULL, &state));
	assert_int_equal(xf_state_found_by(state), XF_FOUND_SIGNATURE);
	assert_int_equal(xf_state_vcpu_count(state), 1);
	xf_state_close(state);
	close(file.fd);
	synth_free(&synth);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut_sample),
		cmocka_unit_test(test_cut_without_footers),
		cmocka_unit_test(test_changed_everywhere),
		cmocka_unit_test(test_changed_sample),
		cmocka_unit_test(test_old_stream_on_a_volume),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
