/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Devices without a description, in memory that ends where they end: one byte read beyond is
 * the end of the test. Whatever is cut off or wrong is told of with its place.
 */
#include "support.h"

#include "state/qemu_signature.h"
#include "state/qemu_wire.h"

/* Bytes at the very end of a page, behind which there is none. */
struct edge {
	void *map;
	size_t total;
	uint8_t *p;
};

static struct edge edge_of(const uint8_t *bytes, size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t whole = (size + page - 1) / page * page;
	struct edge edge = { .total = whole + page };

	edge.map =
		mmap(NULL, edge.total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(edge.map != MAP_FAILED);
	assert_int_equal(mprotect((uint8_t *)edge.map + whole, page, PROT_NONE), 0);
	edge.p = (uint8_t *)edge.map + whole - size;
	memcpy(edge.p, bytes, size);
	return edge;
}

/* Reads `size` bytes of a made stream's devices; gives how many vCPUs, or what is said. */
static struct xf_error *read_devices(const struct synth *synth, size_t size, bool package,
				     struct xf_qemu_vcpus *out)
{
	struct edge edge = edge_of(synth->stream.p + synth->ram_end, size);
	const struct xf_qemu_tail_bytes tail = { edge.p, size, 1000, "stream", package };
	struct xf_error *err;

	err = xf_qemu_signature_read(&tail, !synth->no_footers, out);
	munmap(edge.map, edge.total);
	return err;
}

static struct synth made(bool no_footers, unsigned int vcpus)
{
	struct synth synth = { .machine = "pc", .no_footers = no_footers };

	synth_begin(&synth, NULL);
	synth_ram(&synth, 1, 1);
	synth_device(&synth, "timer", 0, "12345678", 8);
	for (unsigned int i = 0; i < vcpus; i++)
		synth_cpu(&synth, &(struct synth_cpu){ .instance = i,
						       .xstate_bv = 0x207,
						       .xcr0 = 1,
						       .pkru = true,
						       .xfd = true });
	synth_device(&synth, "globalstate", 0, "abc", 3);
	synth_eof(&synth);
	return synth;
}

static void expect_vcpus(const struct synth *synth, bool package, size_t count)
{
	struct xf_qemu_vcpus found = { 0 };

	assert_opened(read_devices(synth, synth->devices_end - synth->ram_end, package, &found));
	assert_int_equal(found.count, count);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(found.vcpus[i].index, i);
		assert_int_equal(found.vcpus[i].xstate_bv.value, 0x207);
	}
	free(found.vcpus);
}

/* A vCPU's values may be taken for whole where nothing tells the end; never more than that. */
static void check_cuts(bool no_footers)
{
	struct synth synth = made(no_footers, 2);
	size_t whole = synth.devices_end - synth.ram_end;

	expect_vcpus(&synth, false, 2);
	for (size_t size = 0; size < whole; size++) {
		struct xf_qemu_vcpus found = { 0 };
		struct xf_error *err = read_devices(&synth, size, false, &found);

		assert_true(err || no_footers);
		if (err) {
			assert_true(err->code == XF_ERR_DAMAGED ||
				    (no_footers && err->code == XF_ERR_FORMAT));
			assert_int_equal(strncmp(err->text, "stream: at byte ", 16), 0);
			assert_true(strtoull(err->text + 16, NULL, 10) >= 1000);
			assert_true(strtoull(err->text + 16, NULL, 10) <= 1000 + size);
			xf_error_free(err);
			continue;
		}
		for (size_t i = 0; i < found.count; i++)
			assert_int_equal(found.vcpus[i].xstate_bv.value, 0x207);
		free(found.vcpus);
	}
	synth_free(&synth);
}

static void test_cuts(void **unused)
{
	(void)unused;
	check_cuts(false);
	check_cuts(true);
}

static void expect_refused(struct synth *synth, enum xf_error_code code, const char *said)
{
	struct xf_qemu_vcpus found;

	assert_refused(read_devices(synth, synth->devices_end - synth->ram_end, false, &found),
		       code, said);
	synth_free(synth);
}

/* Where the second vCPU's section begins. */
static uint8_t *second_cpu(struct synth *synth)
{
	static const char head[] = "\3cpu\0\0\0\1\0\0\0\14";
	uint8_t *found = memmem(synth->stream.p, synth->stream.size, head, sizeof(head) - 1);

	assert_non_null(found);
	return found - 5;
}

/* Where the section behind the last vCPU's begins. */
static uint8_t *behind_cpu(struct synth *synth)
{
	uint8_t *found = memmem(synth->stream.p, synth->stream.size, "\13globalstate", 12);

	assert_non_null(found);
	return found - 5;
}

/* The place that is told of is where the section begins, not where its end was looked for. */
static void test_no_end(void **unused)
{
	struct synth synth = made(false, 1);
	struct xf_qemu_vcpus found;
	char due[100];

	(void)unused;
	behind_cpu(&synth)[12 + 13 + 3 + 8] ^= 1;
	snprintf(due, sizeof(due), "at byte %zu: a device's section begins here and has no end",
		 1000 + (size_t)(behind_cpu(&synth) - synth.stream.p) - synth.ram_end);
	assert_refused(read_devices(&synth, synth.devices_end - synth.ram_end, true, &found),
		       XF_ERR_DAMAGED, due);
	synth_free(&synth);
}

static void test_wrong(void **unused)
{
	struct synth synth = made(false, 0);

	(void)unused;
	expect_refused(&synth, XF_ERR_FORMAT, "no 'cpu' section of an x86-64 guest");

	/* Behind the first vCPU there is no section. */
	synth = made(false, 2);
	second_cpu(&synth)[0] = XF_QEMU_START;
	expect_refused(&synth, XF_ERR_DAMAGED, "section");
	synth = made(false, 2);
	second_cpu(&synth)[5] = 0;
	expect_refused(&synth, XF_ERR_DAMAGED, "a device's section begins here and has no end");

	/* The end of the first vCPU's is another's, or none. */
	synth = made(false, 2);
	behind_cpu(&synth)[-1] ^= 1;
	expect_refused(&synth, XF_ERR_DAMAGED, "the end of a vCPU's section is expected here");
	synth = made(false, 2);
	behind_cpu(&synth)[-5] ^= 1;
	expect_refused(&synth, XF_ERR_DAMAGED, "the end of a vCPU's section is expected here");
	synth = made(false, 2);
	behind_cpu(&synth)[0] = XF_QEMU_START;
	expect_refused(&synth, XF_ERR_DAMAGED, "the section behind a vCPU's is expected here");

	/* A name that is none. */
	synth = made(false, 2);
	synth.stream.p[synth.ram_end + 6] = 0x7f;
	expect_refused(&synth, XF_ERR_DAMAGED, "a device's section is expected here");
	synth = made(false, 2);
	synth.stream.p[synth.ram_end + 6] = 0x1f;
	expect_refused(&synth, XF_ERR_DAMAGED, "a device's section is expected here");
	synth = made(false, 1);
	synth.stream.p[synth.ram_end + 6] = 0x7e;
	expect_vcpus(&synth, false, 1);
	synth.stream.p[synth.ram_end + 6] = ' ';
	expect_vcpus(&synth, false, 1);
	synth_free(&synth);

	/* An id that is not behind the one before. */
	synth = made(true, 2);
	memcpy(second_cpu(&synth) + 1, "\0\0\0\1", 4);
	expect_refused(&synth, XF_ERR_DAMAGED, "id out of order");

	/* Cut off in front of the description. */
	synth = made(false, 1);
	bytes_add_u8(&synth.stream, XF_QEMU_VMDESC);
	synth.devices_end++;

	char place[32];

	snprintf(place, sizeof(place),
		 "at byte %zu:", 1000 + synth.devices_end - 1 - synth.ram_end);
	expect_refused(&synth, XF_ERR_DAMAGED, place);
}

/* In a package the devices end with the package, or with a command. */
static void test_package(void **unused)
{
	struct synth synth = made(false, 2);

	(void)unused;
	synth.devices_end--;
	expect_vcpus(&synth, true, 2);
	synth.stream.p[synth.devices_end++] = XF_QEMU_COMMAND;
	expect_vcpus(&synth, true, 2);
	synth_free(&synth);
}

/* The mark of a section's end, the id behind it, and zeros: all that tells of footers. */
static void test_footers(void **unused)
{
	struct synth with = made(false, 1), without = made(true, 1);
	size_t size = without.devices_end - without.ram_end;
	struct edge edge = edge_of(without.stream.p + without.ram_end, size);
	struct xf_qemu_tail_bytes tail = { edge.p, size, 0, "stream", false };

	(void)unused;
	assert_false(xf_qemu_signature_footers(&tail));
	munmap(edge.map, edge.total);
	size = with.devices_end - with.ram_end;
	edge = edge_of(with.stream.p + with.ram_end, size);
	tail = (struct xf_qemu_tail_bytes){ edge.p, size, 0, "stream", false };
	assert_true(xf_qemu_signature_footers(&tail));
	munmap(edge.map, edge.total);
	edge = edge_of((const uint8_t *)"\x7e\0\0\1\0\0", 6);
	tail = (struct xf_qemu_tail_bytes){ edge.p, 6, 0, "stream", false };
	assert_true(xf_qemu_signature_footers(&tail));
	/* Without an EOF mark behind its id it is none. */
	tail.size = 5;
	assert_false(xf_qemu_signature_footers(&tail));
	tail.size = 0;
	assert_false(xf_qemu_signature_footers(&tail));
	/* Six bytes from the end it is something else. */
	memcpy(edge.p, "\x7e\0\0\1\0\1", 6);
	tail.size = 6;
	assert_false(xf_qemu_signature_footers(&tail));
	munmap(edge.map, edge.total);
	synth_free(&with);
	synth_free(&without);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cuts),	cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_no_end),	cmocka_unit_test(test_package),
		cmocka_unit_test(test_footers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
