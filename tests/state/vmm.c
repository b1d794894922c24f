/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Snapshots of Firecracker and Cloud Hypervisor that are cut, changed, too large or come through
 * a pipe. What is allowed: an error of one line, or the same places as in the whole file.
 */
#include "support.h"

#include "core/bytes.h"
#include "state/crc64.h"

#define CRC_SIZE 8
/* Not each byte of each file, but each kind of structure of each. */
#define CHANGED_STRIDE 5
/* What the generator puts behind the vCPUs. */
#define DEVICES_SIZE 700

static const char *const firecracker[] = { "firecracker-1.7", "firecracker-1.11",
					   "firecracker-1.14" };

/* The checksum of what is before its place. */
static void put_crc(const struct file *file, const uint8_t *bytes, size_t size)
{
	uint8_t crc[CRC_SIZE];

	xf_put_le64(crc, xf_crc64(0, bytes, size));
	assert_int_equal(pwrite(file->fd, crc, CRC_SIZE, (off_t)size), CRC_SIZE);
}

/* An error, or XSTATE_BV where it was. Gives whether it could be opened. */
static bool check_places(const struct file *file, const struct xf_state *whole, size_t at)
{
	struct xf_state *state;
	struct xf_error *err = xf_state_open(file->path, NULL, &state);

	if (err) {
		assert_one_line(err);
		xf_error_free(err);
		return false;
	}
	assert_int_equal(xf_state_vcpu_count(state), xf_state_vcpu_count(whole));
	for (size_t i = 0; i < xf_state_vcpu_count(state); i++)
		if (xf_state_vcpu(state, i)->xstate_bv.offset !=
		    xf_state_vcpu(whole, i)->xstate_bv.offset)
			fail_msg("changed at byte %zu, XSTATE_BV is elsewhere", at);
	xf_state_close(state);
	return true;
}

/* ---- Firecracker ---- */

static void test_crc64(void **unused)
{
	const uint8_t five[] = { 1, 2, 3, 4, 5 };
	uint8_t nine[9 + CRC_SIZE] = "123456789";

	(void)unused;
	/* The first is from Firecracker's own tests, the second is the usual check value. */
	assert_true(xf_crc64(0, five, 5) == UINT64_C(0xfb0460de06383654));
	assert_true(xf_crc64(0, nine, 9) == UINT64_C(0xe9c6d914c4b8d9ca));
	assert_true(xf_crc64(xf_crc64(0, nine, 4), nine + 4, 5) == xf_crc64(0, nine, 9));
	xf_put_le64(nine + 9, xf_crc64(0, nine, 9));
	assert_true(xf_crc64(0, nine, sizeof(nine)) == 0);
}

/* With the right checksum behind it, it is read as soon as the last vCPU is whole. */
static void test_firecracker_cut(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(firecracker) / sizeof(firecracker[0]); i++) {
		struct bytes bytes = read_made(firecracker[i]);
		struct xf_state *whole = opened(&bytes);
		struct file file = file_of(bytes.p, bytes.size);
		size_t enough = bytes.size - CRC_SIZE - DEVICES_SIZE;

		for (size_t size = bytes.size - CRC_SIZE; size-- > 0;) {
			assert_int_equal(ftruncate(file.fd, (off_t)size), 0);
			put_crc(&file, bytes.p, size);
			if (check_places(&file, whole, size) != (size >= enough))
				fail_msg("%s cut to %zu bytes", firecracker[i], size);
			assert_int_equal(pwrite(file.fd, bytes.p + size, CRC_SIZE, (off_t)size),
					 CRC_SIZE);
		}
		close(file.fd);
		xf_state_close(whole);
		bytes_free(&bytes);
	}
}

/* One byte. Without the right checksum: an error; with it: no other places. */
static void test_firecracker_changed(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(firecracker) / sizeof(firecracker[0]); i++) {
		struct bytes bytes = read_made(firecracker[i]);
		struct xf_state *whole = opened(&bytes);
		struct file file = file_of(bytes.p, bytes.size);
		size_t size = bytes.size - CRC_SIZE;

		for (size_t at = i; at < size; at += CHANGED_STRIDE) {
			uint8_t was = bytes.p[at];

			bytes.p[at] ^= (uint8_t)(1u << at / CHANGED_STRIDE % 8);
			assert_int_equal(pwrite(file.fd, &bytes.p[at], 1, (off_t)at), 1);
			assert_false(check_places(&file, whole, at));
			put_crc(&file, bytes.p, size);
			check_places(&file, whole, at);
			bytes.p[at] = was;
			assert_int_equal(pwrite(file.fd, &was, 1, (off_t)at), 1);
			put_crc(&file, bytes.p, size);
		}
		close(file.fd);
		xf_state_close(whole);
		bytes_free(&bytes);
	}
}

/* ---- Cloud Hypervisor ---- */

/* Its JSON ends with the last byte. */
static void check_cloud_cut(const char *name, size_t stride)
{
	struct bytes bytes = read_made(name);
	struct xf_state *whole = opened(&bytes);
	struct file file = file_of(bytes.p, bytes.size);

	for (size_t size = bytes.size - 1; size > stride; size -= stride) {
		assert_int_equal(ftruncate(file.fd, (off_t)size), 0);
		if (check_places(&file, whole, size))
			fail_msg("%s cut to %zu bytes is taken for whole", name, size);
	}
	close(file.fd);
	xf_state_close(whole);
	bytes_free(&bytes);
}

static void test_cloud_cut(void **unused)
{
	(void)unused;
	check_cloud_cut("cloud-hypervisor-53", 5);
	check_cloud_cut("cloud-hypervisor-29", 61);
}

static void check_cloud_changed(const char *name, size_t stride)
{
	static const uint8_t values[] = "\"\\{}[]:,0 9\xff-.e";
	struct bytes bytes = read_made(name);
	struct xf_state *whole = opened(&bytes);
	struct file file = file_of(bytes.p, bytes.size);

	for (size_t at = 0; at < bytes.size; at += stride) {
		uint8_t value = values[at / stride % (sizeof(values) - 1)];

		assert_int_equal(pwrite(file.fd, &value, 1, (off_t)at), 1);
		check_places(&file, whole, at);
		assert_int_equal(pwrite(file.fd, bytes.p + at, 1, (off_t)at), 1);
	}
	close(file.fd);
	xf_state_close(whole);
	bytes_free(&bytes);
}

static void test_cloud_changed(void **unused)
{
	(void)unused;
	check_cloud_changed("cloud-hypervisor-53", 3);
	check_cloud_changed("cloud-hypervisor-29", 53);
}

/* ---- Both ---- */

static void check_pipe(const char *name)
{
	struct bytes bytes = read_made(name);
	struct xf_state *whole = opened(&bytes);
	struct xf_state *state;
	char path[64];
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_true(fcntl(ends[1], F_SETPIPE_SZ, (int)bytes.size) >= (int)bytes.size);
	assert_int_equal(write(ends[1], bytes.p, bytes.size), (ssize_t)bytes.size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", ends[0]);

	int fd = open(path, O_RDONLY | O_CLOEXEC);

	/* Another reader, so that what is in the pipe stays when both ends are closed. */
	assert_true(fd >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	close(ends[1]);
	assert_opened(xf_state_open(path, NULL, &state));
	assert_true(same_vcpus(state, whole));
	close(ends[0]);
	close(fd);
	xf_state_close(state);
	xf_state_close(whole);
	bytes_free(&bytes);
}

static void test_pipe(void **unused)
{
	(void)unused;
	check_pipe("firecracker-1.14");
	check_pipe("cloud-hypervisor-29");
}

static void check_too_large(const char *name, off_t size)
{
	struct bytes bytes = read_made(name);
	struct file file = file_of(bytes.p, bytes.size);
	struct xf_state *state;

	assert_int_equal(ftruncate(file.fd, size), 0);
	assert_refused(xf_state_open(file.path, NULL, &state), XF_ERR_DAMAGED, "has more than");
	close(file.fd);
	bytes_free(&bytes);
}

static void test_too_large(void **unused)
{
	(void)unused;
	check_too_large("firecracker-1.14", ((off_t)16 << 20) + 1);
	check_too_large("cloud-hypervisor-53", ((off_t)128 << 20) + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_crc64),
		cmocka_unit_test(test_firecracker_cut),
		cmocka_unit_test(test_firecracker_changed),
		cmocka_unit_test(test_cloud_cut),
		cmocka_unit_test(test_cloud_changed),
		cmocka_unit_test(test_pipe),
		cmocka_unit_test(test_too_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
