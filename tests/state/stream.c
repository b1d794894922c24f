/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* QEMU streams of every layout: what is found, and how. */
#include "support.h"

#include "state/qemu_wire.h"

static struct xf_vcpu vcpu_of(const struct bytes *bytes, size_t i)
{
	struct xf_state *state;

	assert_opened(open_bytes(bytes->p, bytes->size, &state));

	struct xf_vcpu vcpu = *xf_state_vcpu(state, i);

	xf_state_close(state);
	return vcpu;
}

static void assert_found(const struct bytes *bytes, size_t vcpus, enum xf_found_by found_by)
{
	struct xf_state *state;

	assert_opened(open_bytes(bytes->p, bytes->size, &state));
	assert_string_equal(xf_state_format(state), "qemu");
	assert_int_equal(xf_state_vcpu_count(state), vcpus);
	assert_int_equal(xf_state_found_by(state), found_by);
	for (size_t i = 0; i < vcpus; i++) {
		assert_int_equal(xf_state_vcpu(state, i)->xstate_bv.value, 0x207);
		assert_int_equal(xf_state_vcpu(state, i)->xcr0.value, 1);
	}
	xf_state_close(state);
}

/* The facts of samples/README.md and of the streams themselves. */
static void test_samples(void **unused)
{
	static const struct {
		const char *file;
		const char *machine;
		size_t vcpus;
		uint64_t xstate_bv, xcr0, offset;
	} samples[] = {
		{ "leaky-pc-qemu64.qevm", "pc-i440fx-7.2", 1, 0x207, 1, 60084 },
		{ "leaky-q35-qemu64-smp2.qevm", "pc-q35-7.2", 2, 0x207, 1, 68253 },
		{ "leaky-pc-kvm64-avx.qevm", "pc-i440fx-7.2", 1, 0x207, 1, 60084 },
		{ "leaky-pc-max.qevm", "pc-i440fx-7.2", 1, 0x207, 1, 60084 },
		{ "clean-pc-qemu64.qevm", "pc-i440fx-7.2", 1, 0x3, 1, 60084 },
		{ "tcg-pc-max-pkru.qevm", "pc-i440fx-7.2", 1, 0, 0x207, 609237 },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		struct bytes bytes = read_sample(samples[i].file);
		struct xf_state *state;

		assert_opened(open_bytes(bytes.p, bytes.size, &state));
		assert_string_equal(xf_state_machine(state), samples[i].machine);
		assert_int_equal(xf_state_found_by(state), XF_FOUND_DESCRIPTION);
		assert_int_equal(xf_state_vcpu_count(state), samples[i].vcpus);
		assert_int_equal(xf_state_vcpu(state, 0)->xstate_bv.offset, samples[i].offset);
		for (size_t j = 0; j < samples[i].vcpus; j++) {
			const struct xf_vcpu *vcpu = xf_state_vcpu(state, j);

			assert_int_equal(vcpu->index, j);
			assert_int_equal(vcpu->xstate_bv.value, samples[i].xstate_bv);
			assert_int_equal(vcpu->xcr0.value, samples[i].xcr0);
			assert_int_equal(vcpu->mxcsr.value, 0x1f80);
		}
		xf_state_close(state);
		bytes_free(&bytes);
	}
}

static void test_tcg_sample_has_pkru(void **unused)
{
	struct bytes bytes = read_sample("tcg-pc-max-pkru.qevm");
	struct xf_vcpu vcpu = vcpu_of(&bytes, 0);

	(void)unused;
	assert_int_equal(vcpu.pkru.size, 4);
	assert_int_not_equal(vcpu.pkru.value, 0);
	assert_int_equal(vcpu.carried, XF_PKRU);
	assert_true(vcpu.cr4.value & (1 << 22)); /* PKE */
	bytes_free(&bytes);
}

static void test_every_subsection(void **unused)
{
	struct synth synth = { .machine = "q35" };

	(void)unused;
	synth_begin(&synth, NULL);
	synth_ram(&synth, 1, 1);
	size_t at = synth_cpu(&synth, &(struct synth_cpu){ .xstate_bv = 0x207,
							   .xcr0 = 1,
							   .cr4 = 0x400000,
							   .mxcsr = 0x1f80,
							   .all = true,
							   .unknown = true });
	synth_eof(&synth);
	synth_vmdesc(&synth);

	struct xf_vcpu vcpu = vcpu_of(&synth.stream, 0);

	assert_int_equal(vcpu.xstate_bv.offset, at);
	assert_int_equal(vcpu.cr4.value, 0x400000);
	assert_int_equal(vcpu.pkru.value, 0x5a5a5a5a);
	assert_int_equal(vcpu.pkrs.value, 0x5a5a5a5a);
	assert_true(vcpu.xss.value == 0x5a5a5a5a5a5a5a5a);
	assert_int_equal(vcpu.xfd.size, 8);
	assert_int_equal(vcpu.xfd_err.offset, vcpu.xfd.offset + 8);
	assert_int_equal(vcpu.carried, XF_AVX512 | XF_MPX | XF_AMX | XF_PKRU);
	synth_free(&synth);
}

static void test_made_stream(void **unused)
{
	(void)unused;
	for (unsigned int i = 0; i < 4; i++) {
		struct synth synth = { .machine = i & 1 ? "pc-q35-9.9" : NULL, .spaces = i & 2 };

		/* Machine types with neither configuration nor footers are up to 2.3. */
		synth.no_footers = !synth.machine;
		synth_stream(&synth, 3);
		assert_found(&synth.stream, 3, XF_FOUND_DESCRIPTION);
		synth_free(&synth);
	}
}

/* Hotplugged vCPUs come in the order in which they were plugged. */
static void test_order_of_hotplug(void **unused)
{
	struct synth synth = { .machine = "pc" };

	(void)unused;
	synth_begin(&synth, NULL);
	synth_ram(&synth, 1, 1);
	synth_cpu(&synth, &(struct synth_cpu){ .instance = 0 });
	synth_cpu(&synth, &(struct synth_cpu){ .instance = 7 });
	synth_cpu(&synth, &(struct synth_cpu){ .instance = 3 });
	synth_eof(&synth);
	synth_vmdesc(&synth);
	assert_int_equal(vcpu_of(&synth.stream, 1).index, 7);
	assert_int_equal(vcpu_of(&synth.stream, 2).index, 3);
	synth_free(&synth);
}

/* ---- What follows the stream ---- */

static void test_zeros_behind(void **unused)
{
	struct synth synth = { .machine = "pc" };

	(void)unused;
	synth_stream(&synth, 2);
	bytes_add_zeros(&synth.stream, 100001);
	assert_found(&synth.stream, 2, XF_FOUND_WALK);
	synth_free(&synth);
}

static void test_rubbish_behind(void **unused)
{
	struct synth synth = { .machine = "pc" };

	(void)unused;
	synth_stream(&synth, 2);
	for (uint32_t i = 1; i < 50000; i++)
		bytes_add_u32(&synth.stream, i * 2654435761u);
	assert_found(&synth.stream, 2, XF_FOUND_WALK);
	synth_free(&synth);
}

/* The worst: behind the stream lies the complete end of an older, longer one. */
static void check_stale_end(size_t zeros, bool sector_multiple)
{
	struct synth synth = { .machine = "pc" };
	struct synth older = { .machine = "pc" };

	synth_stream(&synth, 2);
	synth_begin(&older, NULL);
	synth_ram(&older, 40, 4);
	synth_device(&older, "timer", 0, "123456781234567812345678", 24);
	for (unsigned int i = 0; i < 5; i++)
		synth_cpu(&older, &(struct synth_cpu){ .instance = i, .xstate_bv = 3, .xcr0 = 3 });
	synth_eof(&older);
	synth_vmdesc(&older);
	assert_true(older.stream.size > synth.stream.size);

	bytes_add(&synth.stream, older.stream.p + synth.stream.size,
		  older.stream.size - synth.stream.size);
	if (sector_multiple) {
		/* As if the volume ended there: the older one's end moves with it. */
		size_t pad = 4096 - synth.stream.size % 4096;
		size_t at = older.ram_end;

		bytes_add_zeros(&synth.stream, pad);
		memmove(synth.stream.p + at + pad, synth.stream.p + at,
			synth.stream.size - at - pad);
	}
	bytes_add_zeros(&synth.stream, zeros);
	assert_found(&synth.stream, 2, XF_FOUND_WALK);
	synth_free(&synth);
	synth_free(&older);
}

static void test_older_stream_behind(void **unused)
{
	(void)unused;
	check_stale_end(0, false);
	check_stale_end(4097, false);
	check_stale_end(0, true);
}

/* One sample behind the other: both whole. The first is the stream. */
static void test_stream_behind_stream(void **unused)
{
	struct bytes bytes = read_sample("leaky-pc-qemu64.qevm");
	struct bytes other = read_sample("leaky-q35-qemu64-smp2.qevm");

	(void)unused;
	bytes_add(&bytes, other.p, other.size);
	assert_found(&bytes, 1, XF_FOUND_WALK);
	bytes_free(&bytes);
	bytes_free(&other);
}

/* ---- Without description ---- */

static void test_no_description(void **unused)
{
	(void)unused;
	for (unsigned int i = 0; i < 2; i++) {
		struct synth synth = { .machine = i ? "pc" : NULL, .no_footers = !i };

		synth_stream(&synth, 3);
		synth.stream.size = synth.devices_end;
		assert_found(&synth.stream, 3, XF_FOUND_SIGNATURE);
		if (i) {
			/* What is behind does not matter, a description of something else included.
			 */
			bytes_add_zeros(&synth.stream, 5000);
			assert_found(&synth.stream, 3, XF_FOUND_SIGNATURE);
			bytes_add(&synth.stream, "\0\6\0\0\0\2{}", 8);
			bytes_add_zeros(&synth.stream, 5000);
			assert_found(&synth.stream, 3, XF_FOUND_SIGNATURE);
		}
		synth_free(&synth);
	}
}

/* xen-save-devices-state: neither configuration nor RAM, footers as the machine type has. */
static void test_devices_only(void **unused)
{
	(void)unused;
	for (unsigned int i = 0; i < 2; i++) {
		struct synth synth = { .no_footers = i };

		synth_begin(&synth, NULL);
		synth_device(&synth, "timer", 0, "123456781234567812345678", 24);
		synth_cpu(&synth, &(struct synth_cpu){ .xstate_bv = 0x207, .xcr0 = 1 });
		synth_device(&synth, "acpi_build", 0, "\1", 1);
		synth_eof(&synth);
		assert_found(&synth.stream, 1, XF_FOUND_SIGNATURE);
		synth_free(&synth);
	}
}

/* Postcopy: the devices come in a package, RAM goes on behind it. */
static void test_postcopy_package(void **unused)
{
	struct synth synth = { .machine = "pc" };
	uint8_t length[4] = { 0 };

	(void)unused;
	synth_begin(&synth, NULL);
	synth_command(&synth, 1, NULL, 0);
	synth_command(&synth, 2, "\0\0\0\1", 4);
	synth_command(&synth, 3, "\0\0\0\0\0\0\x10\0\0\0\0\0\0\0\x10\0", 16);
	synth_ram(&synth, 2, 2);
	synth_command(&synth, XF_QEMU_CMD_PACKAGED, length, 4);

	size_t package = synth.stream.size;

	synth_command(&synth, 4, NULL, 0);
	synth_device(&synth, "timer", 0, "123456781234567812345678", 24);
	synth_cpu(&synth, &(struct synth_cpu){ .xstate_bv = 0x207, .xcr0 = 1, .pkru = true });
	synth_command(&synth, 5, NULL, 0);
	for (unsigned int i = 0; i < 4; i++)
		synth.stream.p[package - 1 - i] =
			(uint8_t)((synth.stream.size - package) >> (8 * i));
	synth_ram_part(&synth, XF_QEMU_END);
	synth_ram_page(&synth, XF_QEMU_RAM_PAGE, synth.stream.p, 4096);
	synth_ram_end(&synth);
	bytes_add_u8(&synth.stream, XF_QEMU_EOF);
	assert_found(&synth.stream, 1, XF_FOUND_SIGNATURE);

	synth.stream.size = package + 100;
	struct xf_state *state;
	assert_refused(open_bytes(synth.stream.p, synth.stream.size, &state), XF_ERR_DAMAGED,
		       "in the package");
	synth_free(&synth);
}

/* ---- Kinds of RAM ---- */

static void finish(struct synth *synth)
{
	synth_cpu(synth, &(struct synth_cpu){ .xstate_bv = 0x207, .xcr0 = 1, .avx512 = true });
	synth_eof(synth);
	synth_vmdesc(synth);
	assert_found(&synth->stream, 1, XF_FOUND_DESCRIPTION);
	/* The same from the start, since something follows. */
	bytes_add_u8(&synth->stream, 0);
	assert_found(&synth->stream, 1, XF_FOUND_WALK);
	synth_free(synth);
}

static void test_kinds_of_pages(void **unused)
{
	struct synth synth = { .machine = "pc" };
	uint8_t page[4096] = { 0 };

	(void)unused;
	synth_begin(&synth, NULL);
	synth_ram_start(&synth, 1 << 20, NULL);
	synth_ram_part(&synth, XF_QEMU_PART);
	synth_ram_page(&synth, XF_QEMU_RAM_ZERO, "\x42", 1);
	synth_ram_page(&synth, 4096 | XF_QEMU_RAM_PAGE | XF_QEMU_RAM_CONTINUE, page, 4096);
	synth_ram_page(&synth, 8192 | XF_QEMU_RAM_XBZRLE, "\1\0\5\0\0\0\0\0", 8);
	synth_ram_page(&synth, 12288 | XF_QEMU_RAM_COMPRESS | XF_QEMU_RAM_CONTINUE, "\0\0\0\3zip",
		       7);
	bytes_add_u64(&synth.stream, XF_QEMU_RAM_FLUSH);
	synth_ram_end(&synth);
	synth_ram_part(&synth, XF_QEMU_END);
	synth_ram_end(&synth);
	finish(&synth);
}

/* A background snapshot ends RAM with a PART. */
static void test_no_end_of_ram(void **unused)
{
	struct synth synth = { .machine = "pc" };

	(void)unused;
	synth_begin(&synth, NULL);
	synth_ram_start(&synth, 1 << 20, NULL);
	synth_ram_part(&synth, XF_QEMU_PART);
	synth_ram_page(&synth, XF_QEMU_RAM_ZERO, "\0", 1);
	synth_ram_end(&synth);
	finish(&synth);
}

static struct bytes configuration_part(const char *name)
{
	struct bytes part = { 0 };

	bytes_add_u8(&part, XF_QEMU_SUBSECTION);
	bytes_add_name(&part, name);
	bytes_add_u32(&part, 1);
	return part;
}

static void test_configuration(void **unused)
{
	struct synth synth = { .machine = "pc" };
	struct bytes parts = configuration_part("configuration/uuid");
	struct bytes bits = configuration_part("configuration/target-page-bits");
	struct bytes capabilities = configuration_part("configuration/capabilities");
	uint8_t page[16384] = { 0 };

	(void)unused;
	bytes_add(&parts, "0123456789abcdef", 16);
	bytes_add(&parts, bits.p, bits.size);
	bytes_add_u32(&parts, 14);
	bytes_add(&parts, capabilities.p, capabilities.size);
	bytes_add_u32(&parts, 0);
	synth_begin(&synth, &parts);
	synth_ram_start(&synth, 1 << 20, NULL);
	synth_ram_part(&synth, XF_QEMU_END);
	synth_ram_page(&synth, XF_QEMU_RAM_PAGE, page, sizeof(page));
	synth_ram_end(&synth);
	finish(&synth);
	bytes_free(&parts);
	bytes_free(&bits);
	bytes_free(&capabilities);
}

/* With x-ignore-shared an address, with postcopy and huge pages a page size; each also alone. */
static void test_block_extras(void **unused)
{
	(void)unused;
	for (unsigned int i = 0; i < 8; i++) {
		struct synth synth = { .machine = "pc" };
		struct bytes extra = { 0 };
		struct bytes parts = { 0 };

		if (i & 1) {
			parts = configuration_part("configuration/capabilities");
			bytes_add_u32(&parts, 1);
			bytes_add_name(&parts, "x-ignore-shared");
		}
		if (i & 4)
			bytes_add_u64(&extra, 2 << 20);
		if (i & 1)
			bytes_add_u64(&extra, 0);
		synth_begin(&synth, &parts);
		if (i & 2 || i & 4)
			synth_command(&synth, 3, "\0\0\0\0\0\x20\x10\0\0\0\0\0\0\0\x10\0", 16);
		synth_ram_start(&synth, 1 << 20, &extra);
		synth_ram_part(&synth, XF_QEMU_END);
		synth_ram_page(&synth, XF_QEMU_RAM_ZERO, "\0", 1);
		synth_ram_end(&synth);
		finish(&synth);
		bytes_free(&extra);
		bytes_free(&parts);
	}
}

static void test_mapped_ram(void **unused)
{
	struct synth synth = { .machine = "pc" };
	struct bytes parts = configuration_part("configuration/capabilities");
	struct bytes extra = { 0 };

	(void)unused;
	bytes_add_u32(&parts, 1);
	bytes_add_name(&parts, "mapped-ram");
	synth_begin(&synth, &parts);
	bytes_add_u32(&extra, 1);
	bytes_add_u64(&extra, 4096);
	bytes_add_u64(&extra, 200);
	bytes_add_u64(&extra, 1 << 20);
	/* Bitmap and 1 MiB of pages lie between this block's entry and what comes next. */
	bytes_add_zeros(&extra, (2 << 20) - extra.size - (synth.stream.size + 40));
	synth_ram_start(&synth, 1 << 20, &extra);
	synth_ram_part(&synth, XF_QEMU_END);
	synth_ram_end(&synth);
	finish(&synth);
	bytes_free(&extra);
	bytes_free(&parts);
}

/* From QEMU 8.1 virtio-mem has a section before RAM; where exactly depends on the version. */
static void check_early(bool before_start, bool known)
{
	struct synth synth = { .machine = "pc" };
	struct bytes data = { 0 };
	struct xf_state *state;

	bytes_add_u64(&data, 0x140000000);
	bytes_add_u64(&data, 1 << 30);
	bytes_add_u64(&data, 2 << 20);
	bytes_add_u32(&data, 0);
	bytes_add_u64(&data, 1 << 29);
	bytes_add_zeros(&data, 512 / 64 * 8);
	synth_begin(&synth, NULL);
	if (!before_start)
		synth_ram_start(&synth, 1 << 20, NULL);
	synth_device(&synth, known ? "0000:00:01.0/virtio-mem-device-early" : "0/unheard-of-early",
		     0, data.p, data.size);
	if (before_start)
		synth_ram_start(&synth, 1 << 20, NULL);
	synth_ram_part(&synth, XF_QEMU_END);
	synth_ram_end(&synth);
	synth_cpu(&synth, &(struct synth_cpu){ .xstate_bv = 0x207, .xcr0 = 1 });
	synth_eof(&synth);
	synth_vmdesc(&synth);
	assert_found(&synth.stream, 1, XF_FOUND_DESCRIPTION);
	bytes_add_u8(&synth.stream, 0);
	if (known)
		assert_found(&synth.stream, 1, XF_FOUND_WALK);
	else
		assert_refused(open_bytes(synth.stream.p, synth.stream.size, &state), XF_ERR_FORMAT,
			       "'0/unheard-of-early' before RAM");
	synth_free(&synth);
	bytes_free(&data);
}

static void test_devices_before_ram(void **unused)
{
	(void)unused;
	check_early(true, true);
	check_early(false, true);
	check_early(true, false);
}

/* Other things are sent in parts too: from the end that does not matter. */
static void test_other_parts(void **unused)
{
	struct synth synth = { .machine = "pc" };
	struct xf_state *state;

	(void)unused;
	synth_begin(&synth, NULL);
	synth_ram_start(&synth, 1 << 20, NULL);
	bytes_add_u8(&synth.stream, XF_QEMU_START);
	bytes_add_u32(&synth.stream, 99);
	bytes_add_name(&synth.stream, "dirty-bitmap");
	bytes_add_u32(&synth.stream, 0);
	bytes_add_u32(&synth.stream, 1);
	bytes_add_text(&synth.stream, "\x01\x7e");
	bytes_add_u32(&synth.stream, 99);
	synth_ram_part(&synth, XF_QEMU_END);
	synth_ram_end(&synth);
	bytes_add_u8(&synth.stream, XF_QEMU_END);
	bytes_add_u32(&synth.stream, 99);
	bytes_add_text(&synth.stream, "\x01\x7e");
	bytes_add_u32(&synth.stream, 99);
	synth_cpu(&synth, &(struct synth_cpu){ .xstate_bv = 0x207, .xcr0 = 1 });
	synth_eof(&synth);
	synth_vmdesc(&synth);
	assert_found(&synth.stream, 1, XF_FOUND_DESCRIPTION);
	bytes_add_u8(&synth.stream, 0);
	assert_refused(open_bytes(synth.stream.p, synth.stream.size, &state), XF_ERR_FORMAT,
		       "'dirty-bitmap' that cannot be stepped over");
	synth_free(&synth);
}

static void test_thousand_vcpus(void **unused)
{
	struct synth synth = { .machine = "pc-q35-9.9" };

	(void)unused;
	synth_stream(&synth, 1024);
	assert_found(&synth.stream, 1024, XF_FOUND_DESCRIPTION);
	bytes_add_u8(&synth.stream, 0);
	assert_found(&synth.stream, 1024, XF_FOUND_WALK);
	synth_free(&synth);
}

/* ---- Progress ---- */

static void count_step(void *data, uint64_t done, uint64_t total)
{
	uint64_t *last = data;

	assert_true(done > *last);
	assert_true(done <= total);
	*last = done;
}

static void test_progress(void **unused)
{
	struct synth synth = { .machine = "pc" };
	uint64_t last = 0;
	struct xf_progress progress = { count_step, &last };
	struct xf_state *state;

	(void)unused;
	synth_begin(&synth, NULL);
	synth_ram(&synth, 3000, 0);
	synth_cpu(&synth, &(struct synth_cpu){ 0 });
	synth_eof(&synth);

	struct file file = file_of(synth.stream.p, synth.stream.size);

	assert_opened(xf_state_open(file.path, &progress, &state));
	assert_true(last > (8 << 20));
	xf_state_close(state);
	close(file.fd);
	synth_free(&synth);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_samples),
		cmocka_unit_test(test_tcg_sample_has_pkru),
		cmocka_unit_test(test_every_subsection),
		cmocka_unit_test(test_made_stream),
		cmocka_unit_test(test_order_of_hotplug),
		cmocka_unit_test(test_zeros_behind),
		cmocka_unit_test(test_rubbish_behind),
		cmocka_unit_test(test_older_stream_behind),
		cmocka_unit_test(test_stream_behind_stream),
		cmocka_unit_test(test_no_description),
		cmocka_unit_test(test_devices_only),
		cmocka_unit_test(test_postcopy_package),
		cmocka_unit_test(test_kinds_of_pages),
		cmocka_unit_test(test_no_end_of_ram),
		cmocka_unit_test(test_configuration),
		cmocka_unit_test(test_block_extras),
		cmocka_unit_test(test_mapped_ram),
		cmocka_unit_test(test_devices_before_ram),
		cmocka_unit_test(test_other_parts),
		cmocka_unit_test(test_thousand_vcpus),
		cmocka_unit_test(test_progress),
	};

	return cmocka_run_group_tests_name("state-stream", tests, NULL, NULL);
}
