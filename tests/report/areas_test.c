/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Raw areas, core dumps and CRIU's images, as tests/formats makes them: damaged at every byte,
 * with memory and calls that fail, through a pipe, changed behind one's back. The files come in
 * the environment: XF_AREA (a leak), XF_CORE (two threads, a layout), XF_IMAGE.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/bytes.h"
#include "tests/report/failing.h"
#include "tests/report/synthetic.h"

#define LEAK (XF_FPSSE | XF_AVX | XF_PKRU)

/* One of the files, in memory and under a name. */
struct sample {
	uint8_t *bytes;
	size_t size;
	bool is_area;
	int fd;
	char path[64];
};

static struct sample load(const char *variable)
{
	const char *path = getenv(variable);
	struct sample sample = { .is_area = strcmp(variable, "XF_AREA") == 0 };

	assert_non_null(path);
	sample.bytes = read_file(path, &sample.size);
	sample.fd = memfd_create("sample", MFD_CLOEXEC);
	assert_true(sample.fd >= 0);
	assert_int_equal(pwrite(sample.fd, sample.bytes, sample.size, 0), sample.size);
	snprintf(sample.path, sizeof(sample.path), "/proc/self/fd/%d", sample.fd);
	return sample;
}

static void unload(struct sample *sample)
{
	close(sample->fd);
	free(sample->bytes);
}

static struct xf_error *open_path(const struct sample *sample, const char *path,
				  struct xf_state **out)
{
	return sample->is_area ? xf_state_open_area(path, &xf_layout_intel, out)
			       : xf_state_open(path, NULL, out);
}

static struct xf_error *open_sample(const struct sample *sample, struct xf_state **out)
{
	return open_path(sample, sample->path, out);
}

static struct xf_report *judge(const struct xf_state *state)
{
	struct xf_evidence *guest = NULL;
	struct xf_report *report = NULL;

	assert_fine(xf_evidence_from_mask("x87,sse,avx", &guest));
	assert_fine(xf_check(state, guest, NULL, XF_ALL, &report));
	xf_evidence_free(guest);
	return report;
}

/* ---- What is read ---- */

static void whole_area(void **unused)
{
	struct sample sample = load("XF_AREA");
	struct xf_state *state = NULL;

	(void)unused;
	assert_fine(open_sample(&sample, &state));
	assert_string_equal(xf_state_format(state), "area");
	assert_int_equal(xf_state_vcpu_count(state), 1);

	const struct xf_vcpu *vcpu = xf_state_vcpu(state, 0);

	assert_true(vcpu->little_endian);
	assert_int_equal(vcpu->xstate_bv.value, LEAK);
	assert_int_equal(vcpu->xstate_bv.offset, XF_XSTATE_BV_OFFSET);
	assert_int_equal(vcpu->pkru.value, 0x55555554);
	assert_int_equal(vcpu->pkru.offset, 0xa80);
	assert_int_equal(vcpu->xcr0.size, 0);
	assert_false(xf_state_read_only(state));
	assert_null(xf_state_evidence(state));
	xf_state_close(state);
	unload(&sample);
}

static void whole_core(void **unused)
{
	struct sample sample = load("XF_CORE");
	struct xf_state *state = NULL;

	(void)unused;
	assert_fine(open_sample(&sample, &state));
	assert_int_equal(xf_state_vcpu_count(state), 2);
	for (size_t i = 0; i < 2; i++) {
		const struct xf_vcpu *vcpu = xf_state_vcpu(state, i);
		const uint8_t *area = sample.bytes + vcpu->xstate_bv.offset - XF_XSTATE_BV_OFFSET;

		assert_int_equal(vcpu->index, i);
		assert_int_equal(vcpu->xstate_bv.value, LEAK);
		assert_int_equal(xf_get_le64(area + XF_XSTATE_BV_OFFSET), LEAK);
		assert_int_equal(vcpu->xcr0.value, 0x2e7);
		assert_int_equal(vcpu->pkru.value, 0x55555554);
		assert_int_equal(xf_get_le32(sample.bytes + vcpu->pkru.offset), 0x55555554);
	}
	assert_true(xf_state_evidence(state)->all_of_host);
	assert_int_equal(xf_state_evidence(state)->guest.known, 0x2e7);
	assert_true(xf_state_read_only(state));
	xf_state_close(state);
	unload(&sample);
}

static void whole_image(void **unused)
{
	struct sample sample = load("XF_IMAGE");
	struct xf_state *state = NULL;

	(void)unused;
	assert_fine(open_sample(&sample, &state));
	assert_string_equal(xf_state_format(state), "criu");
	assert_int_equal(xf_state_vcpu_count(state), 1);
	assert_int_equal(xf_state_vcpu(state, 0)->xstate_bv.value, LEAK);
	assert_int_equal(xf_state_vcpu(state, 0)->pkru.value, 0x55555554);
	assert_int_equal(xf_state_vcpu(state, 0)->mxcsr.value, XF_MXCSR_INIT);
	assert_true(xf_state_read_only(state));
	xf_state_close(state);
	unload(&sample);
}

/* ---- Damage ---- */

static void hold_refusal(struct xf_error *err, size_t at)
{
	if (err->code != XF_ERR_DAMAGED && err->code != XF_ERR_FORMAT && err->code != XF_ERR_USAGE)
		fail_msg("at %zu: code %d, %s", at, err->code, err->text);
	assert_null(strchr(err->text, '\n'));
	assert_non_null(err->file);
	xf_error_free(err);
}

/* Of a core, up to the end of its notes: behind them is memory, which is not read. */
static void cut_everywhere(const char *variable, size_t untold)
{
	struct sample sample = load(variable);
	struct xf_state *state = NULL;

	for (size_t size = sample.size - untold; size-- > 0;) {
		assert_int_equal(ftruncate(sample.fd, (off_t)size), 0);

		struct xf_error *err = open_sample(&sample, &state);

		if (!err)
			fail_msg("%s, cut at %zu, is opened", variable, size);
		hold_refusal(err, size);
	}
	unload(&sample);
}

static void cut(void **unused)
{
	struct sample core = load("XF_CORE");
	size_t start = xf_get_le64(core.bytes + 64 + 8), size = xf_get_le64(core.bytes + 64 + 32);

	(void)unused;
	cut_everywhere("XF_AREA", 0);
	cut_everywhere("XF_CORE", core.size - start - size);
	cut_everywhere("XF_IMAGE", 0);
	unload(&core);
}

/* What is opened all the same has its places within the file. */
static void hold_places(const struct xf_state *state, size_t size, size_t at)
{
	for (size_t i = 0; i < xf_state_vcpu_count(state); i++) {
		const struct xf_vcpu *vcpu = xf_state_vcpu(state, i);

		if (vcpu->xstate_bv.offset >= size || vcpu->pkru.offset >= size)
			fail_msg("byte %zu puts a place outside", at);
	}
	xf_report_free(judge(state));
}

static void flip_everywhere(const char *variable)
{
	static const uint8_t masks[] = { 0x01, 0x80, 0xff };
	struct sample sample = load(variable);
	size_t opened = 0, refused = 0;

	for (size_t at = 0; at < sample.size; at++) {
		for (size_t i = 0; i < sizeof(masks); i++) {
			uint8_t byte = sample.bytes[at] ^ masks[i];
			struct xf_state *state = NULL;

			assert_int_equal(pwrite(sample.fd, &byte, 1, (off_t)at), 1);

			struct xf_error *err = open_sample(&sample, &state);

			if (err) {
				hold_refusal(err, at);
				refused++;
				continue;
			}
			hold_places(state, sample.size, at);
			xf_state_close(state);
			opened++;
		}
		assert_int_equal(pwrite(sample.fd, &sample.bytes[at], 1, (off_t)at), 1);
	}
	/* Data is data; structure is held. */
	assert_true(opened > 100);
	assert_true(refused > 50);
	unload(&sample);
}

static void flipped(void **unused)
{
	(void)unused;
	flip_everywhere("XF_AREA");
	flip_everywhere("XF_CORE");
	flip_everywhere("XF_IMAGE");
}

/* Many segments of the same notes: time and memory are those of the file's size. */
static void overlapping_notes(void **unused)
{
	enum { SEGMENTS = 60000, SEGMENT = 56, HEADER = 64 };
	struct sample core = load("XF_CORE");
	size_t start = xf_get_le64(core.bytes + HEADER + 8);
	size_t size = xf_get_le64(core.bytes + HEADER + 32), table = SEGMENTS * SEGMENT;
	uint8_t *bytes = calloc(1, HEADER + table + size);
	struct place place;
	struct xf_state *state = NULL;

	(void)unused;
	memcpy(bytes, core.bytes, HEADER);
	bytes[56] = SEGMENTS & 0xff;
	bytes[57] = SEGMENTS >> 8;
	for (size_t i = 0; i < SEGMENTS; i++) {
		uint8_t *segment = bytes + HEADER + i * SEGMENT;

		memcpy(segment, core.bytes + HEADER, SEGMENT);
		xf_put_le64(segment + 8, HEADER + table);
	}
	memcpy(bytes + HEADER + table, core.bytes + start, size);
	/* Of two layouts another error would tell: here there is none. */
	for (size_t i = HEADER + table; i + 12 < HEADER + table + size; i++)
		if (xf_get_le32(bytes + i) == 6 && xf_get_le32(bytes + i + 8) == 0x205)
			xf_put_le32(bytes + i + 8, 0x204);
	place_init(&place);
	write_file(place.path, bytes, HEADER + table + size);
	assert_error(xf_state_open(place.path, NULL, &state), XF_ERR_DAMAGED, "they overlap");
	place_clear(&place);
	free(bytes);
	unload(&core);
}

/* ---- Memory ---- */

static void open_without_memory(unsigned int n, void *data)
{
	struct xf_state *state = NULL;
	struct xf_error *err = open_sample(data, &state);

	(void)n;
	if (allocation_failed()) {
		assert_error(err, XF_ERR_MEMORY, "memory");
		assert_null(state);
		return;
	}
	assert_fine(err);
	xf_state_close(state);
}

static void no_memory_to_open(void **unused)
{
	static const char *const variables[] = { "XF_AREA", "XF_CORE", "XF_IMAGE" };

	(void)unused;
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
		struct sample sample = load(variables[i]);

		assert_true(fail_each_allocation(open_without_memory, &sample) >= 5);
		unload(&sample);
	}
}

/* ---- Laying out anew ---- */

struct relay {
	struct sample sample;
	struct place place;
	struct xf_state *state;
	struct xf_report *report;
};

static struct relay relay_begin(void)
{
	struct relay relay = { .sample = load("XF_AREA") };

	place_init(&relay.place);
	write_file(relay.place.path, relay.sample.bytes, relay.sample.size);
	assert_fine(xf_state_open_area(relay.place.path, &xf_layout_intel, &relay.state));
	relay.report = judge(relay.state);
	return relay;
}

static void relay_end(struct relay *relay)
{
	xf_report_free(relay->report);
	xf_state_close(relay->state);
	unlink(relay->place.undo);
	place_clear(&relay->place);
	unload(&relay->sample);
}

static struct xf_error *relay_to(const struct relay *relay, const struct xf_layout *to)
{
	return xf_fix_relaid(relay->state, relay->report, to, relay->place.undo);
}

static void relaid(void **unused)
{
	struct relay relay = relay_begin();
	size_t size;

	(void)unused;
	assert_fine(relay_to(&relay, &xf_layout_amd));

	uint8_t *bytes = read_file(relay.place.undo, &size);

	assert_int_equal(size, XF_KVM_XSAVE_SIZE);
	assert_int_equal(xf_get_le64(bytes + XF_XSTATE_BV_OFFSET), XF_FPSSE | XF_AVX);
	assert_memory_equal(bytes + 0x240, relay.sample.bytes + 0x240, 256);
	assert_int_equal(xf_get_le64(bytes + 0x980), 0);
	free(bytes);
	/* The state itself is as it was. */
	assert_content(relay.place.path, relay.sample.bytes, relay.sample.size);
	relay_end(&relay);
}

static void relay_without_memory(unsigned int n, void *data)
{
	const struct relay *relay = data;
	struct xf_error *err = relay_to(relay, &xf_layout_amd);

	(void)n;
	if (allocation_failed()) {
		assert_error(err, XF_ERR_MEMORY, "memory");
		assert_false(is_there(relay->place.undo));
		return;
	}
	assert_fine(err);
}

static void no_memory_to_relay(void **unused)
{
	struct relay relay = relay_begin();

	(void)unused;
	assert_true(fail_each_allocation(relay_without_memory, &relay) >= 3);
	relay_end(&relay);
}

static void disk_full(void **unused)
{
	static const enum failing_call calls[] = { CALL_PWRITE, CALL_FSYNC, CALL_LINKAT };
	struct relay relay = relay_begin();

	(void)unused;
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		fail_call(calls[i], 1, ENOSPC);
		assert_error(relay_to(&relay, &xf_layout_amd), XF_ERR_IO, "No space left");
		assert_true(call_failed());
		fail_call(CALL_NONE, 0, 0);
		assert_false(is_there(relay.place.undo));
	}
	relay_end(&relay);
}

static void what_may_not_be_relaid(void **unused)
{
	struct relay relay = relay_begin(), other = relay_begin();
	struct xf_layout unsound = xf_layout_amd, without = { 0 };
	struct sample core = load("XF_CORE");
	struct xf_state *state = NULL;

	(void)unused;
	assert_error(xf_fix_relaid(relay.state, other.report, &xf_layout_amd, relay.place.undo),
		     XF_ERR_USAGE, "of another state");
	unsound.at[9].offset = 0x240;
	assert_error(relay_to(&relay, &unsound), XF_ERR_USAGE, "cannot be a CPU's");
	assert_error(xf_state_open_area(relay.place.path, &unsound, &state), XF_ERR_USAGE,
		     "cannot be a CPU's");
	assert_error(relay_to(&relay, &without), XF_ERR_REFUSED, "layout asked for: AVX");
	assert_fine(xf_state_open(core.path, NULL, &state));

	struct xf_report *report = judge(state);

	assert_error(xf_fix_relaid(state, report, &xf_layout_amd, relay.place.undo), XF_ERR_USAGE,
		     "no raw XSAVE area");
	xf_report_free(report);
	xf_state_close(state);
	/* Somebody writes to the area after it was judged. */
	write_file(relay.place.path, relay.sample.bytes, relay.sample.size - 1);
	assert_error(relay_to(&relay, &xf_layout_amd), XF_ERR_REFUSED, "changed while");
	assert_false(is_there(relay.place.undo));
	unload(&core);
	relay_end(&other);
	relay_end(&relay);
}

/* ---- Pipes ---- */

static struct xf_error *open_through_pipe(const struct sample *sample, struct xf_state **out)
{
	int ends[2];
	char path[64];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_true(fcntl(ends[1], F_SETPIPE_SZ, 1 << 20) >= (int)sample->size);
	assert_int_equal(write(ends[1], sample->bytes, sample->size), sample->size);
	close(ends[1]);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", ends[0]);

	struct xf_error *err = open_path(sample, path, out);

	close(ends[0]);
	return err;
}

static void through_a_pipe(void **unused)
{
	struct sample area = load("XF_AREA"), core = load("XF_CORE"), image = load("XF_IMAGE");
	struct xf_state *state = NULL;

	(void)unused;
	assert_fine(open_through_pipe(&area, &state));
	assert_int_equal(xf_state_vcpu(state, 0)->xstate_bv.value, LEAK);
	xf_state_close(state);
	assert_fine(open_through_pipe(&image, &state));
	assert_int_equal(xf_state_vcpu(state, 0)->xstate_bv.value, LEAK);
	xf_state_close(state);
	assert_error(open_through_pipe(&core, &state), XF_ERR_USAGE, "from a pipe");
	unload(&image);
	unload(&core);
	unload(&area);
}

/* ---- Layouts by name ---- */

static void layouts(void **unused)
{
	static const struct {
		const char *name;
		const struct xf_layout *layout;
	} known[] = {
		{ "intel", &xf_layout_intel },
		{ "amd", &xf_layout_amd },
		{ "amd-avx512", &xf_layout_amd_avx512 },
	};
	struct xf_layout layout;

	(void)unused;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		assert_fine(xf_layout_open(known[i].name, &layout));
		assert_memory_equal(&layout, known[i].layout, sizeof(layout));
	}
	memset(&layout, 0x5a, sizeof(layout));
	assert_error(xf_layout_open("preset:linux-6.2", &layout), XF_ERR_USAGE, "a preset tells");
	assert_error(xf_layout_open("/nonexistent", &layout), XF_ERR_IO, "No such file");
	assert_int_equal(layout.at[2].size, 0x5a5a5a5a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_area),
		cmocka_unit_test(whole_core),
		cmocka_unit_test(whole_image),
		cmocka_unit_test(cut),
		cmocka_unit_test(flipped),
		cmocka_unit_test(overlapping_notes),
		cmocka_unit_test(no_memory_to_open),
		cmocka_unit_test(relaid),
		cmocka_unit_test(no_memory_to_relay),
		cmocka_unit_test(disk_full),
		cmocka_unit_test(what_may_not_be_relaid),
		cmocka_unit_test(through_a_pipe),
		cmocka_unit_test(layouts),
	};

	return cmocka_run_group_tests_name("areas", tests, NULL, NULL);
}
