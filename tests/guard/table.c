/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which vCPU an fd is: alone, and with threads that come and go at the same numbers. */
#include "tests/core/test.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guard/table.h"

#define LAST_FD (XF_TABLE_FDS - 1)

/* A record in the table at `fd`, held by the table alone. */
static void enter(int fd, uint32_t vcpu)
{
	struct xf_record *record = xf_table_new(vcpu);

	assert_non_null(record);
	assert_true(xf_table_set(fd, record));
	xf_table_put(record);
}

/* The number of the vCPU at `fd`, or -1. */
static long vcpu_at(int fd)
{
	struct xf_record *record = xf_table_get(fd);

	if (!record)
		return -1;

	uint32_t vcpu = record->vcpu;

	xf_table_put(record);
	return vcpu;
}

static void leave(int fd)
{
	struct xf_record *record = xf_table_take(fd);

	assert_non_null(record);
	xf_table_put(record);
}

static void test_one(void **state)
{
	(void)state;
	assert_int_equal(vcpu_at(5), -1);
	assert_null(xf_table_take(5));
	enter(5, 7);
	assert_true(xf_table_has(5));
	assert_int_equal(vcpu_at(5), 7);
	assert_int_equal(vcpu_at(4), -1);
	assert_int_equal(vcpu_at(6), -1);
	leave(5);
	assert_false(xf_table_has(5));
	assert_int_equal(vcpu_at(5), -1);
}

static void test_bounds(void **state)
{
	static const int outside[] = { -1, INT32_MIN, XF_TABLE_FDS, INT32_MAX };
	struct xf_record *record = xf_table_new(1);

	(void)state;
	assert_non_null(record);
	for (size_t i = 0; i < COUNT(outside); i++) {
		assert_false(xf_table_has(outside[i]));
		assert_null(xf_table_get(outside[i]));
		assert_null(xf_table_take(outside[i]));
		assert_false(xf_table_set(outside[i], record));
	}
	assert_int_equal(record->holders, 1);
	assert_true(xf_table_set(LAST_FD, record));
	assert_true(xf_table_set(0, record));
	xf_table_put(record);
	assert_int_equal(vcpu_at(LAST_FD), 1);
	xf_table_forget(0, ~0u);
	assert_int_equal(vcpu_at(LAST_FD), -1);
	assert_int_equal(vcpu_at(0), -1);
	assert_int_equal(record->holders, 0);
}

/* Two fds are one vCPU; what one call holds outlives its fds, and is new when it is used again. */
static void test_shared(void **state)
{
	(void)state;
	enter(10, 3);

	struct xf_record *record = xf_table_get(10);

	assert_true(xf_table_set(11, record));
	leave(10);
	assert_int_equal(vcpu_at(11), 3);
	atomic_store(&record->keep, 3);
	leave(11);
	assert_int_equal(record->holders, 1);
	xf_table_put(record);
	for (int i = 0; i < XF_TABLE_RECORDS - 1; i++) {
		struct xf_record *again = xf_table_new(9);

		assert_non_null(again);
		assert_true(again->keep == ~(uint64_t)0);
		assert_int_equal(again->maker, getpid());
		assert_true(xf_table_set(i, again));
		xf_table_put(again);
	}
	assert_null(xf_table_new(9));
	leave(100);
	enter(100, 12);
	assert_int_equal(vcpu_at(100), 12);
	assert_null(xf_table_new(9));
	xf_table_forget(0, ~0u);
	assert_int_equal(record->holders, 0);
}

/* An fd that was closed unseen and is now another vCPU's. */
static void test_replaced(void **state)
{
	(void)state;
	enter(20, 1);
	enter(20, 2);
	assert_int_equal(vcpu_at(20), 2);
	leave(20);
	assert_int_equal(vcpu_at(20), -1);
}

static void test_forget_range(void **state)
{
	(void)state;
	for (int fd = 30; fd < 40; fd++)
		enter(fd, (uint32_t)fd);
	xf_table_forget(33, 35);
	xf_table_forget(39, 38);
	for (int fd = 30; fd < 40; fd++)
		assert_int_equal(vcpu_at(fd), fd >= 33 && fd <= 35 ? -1 : fd);
	xf_table_forget(36, ~0u);
	assert_int_equal(vcpu_at(36), -1);
	assert_int_equal(vcpu_at(30), 30);
	xf_table_forget(0, ~0u);
}

/* No more than there is room for; what was taken can be put back. */
static void test_take_range(void **state)
{
	struct xf_taken taken[3];

	(void)state;
	for (int fd = 30; fd < 36; fd += 2)
		enter(fd, (uint32_t)fd);
	assert_int_equal(xf_table_take_range(0, 29, taken, 3), 0);
	assert_int_equal(xf_table_take_range(35, ~0u, taken, 3), 0);
	assert_int_equal(xf_table_take_range(31, ~0u, taken, 1), 1);
	assert_int_equal(taken[0].fd, 32);
	assert_int_equal(vcpu_at(30), 30);
	assert_int_equal(vcpu_at(32), -1);
	assert_int_equal(vcpu_at(34), 34);
	assert_true(xf_table_set(32, taken[0].record));
	xf_table_put(taken[0].record);
	assert_int_equal(xf_table_take_range(0, ~0u, taken, 3), 3);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(taken[i].fd, 30 + 2 * i);
		assert_int_equal(taken[i].record->vcpu, 30 + 2 * i);
		assert_int_equal(taken[i].record->holders, 1);
		xf_table_put(taken[i].record);
	}
	xf_table_forget(0, ~0u);
}

/* A child that shares the memory closes its own fds, not its parent's. */
static void test_vfork(void **state)
{
	int status;

	(void)state;
	enter(50, 5);

	pid_t child = vfork();

	if (!child) {
		struct xf_record *taken = xf_table_take(50);

		xf_table_forget(0, ~0u);
		_exit(taken != NULL);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(vcpu_at(50), 5);
	leave(50);
}

/* ---- Threads ---- */

#define THREADS 6
#define ROUNDS 60000
#define FDS 4

static _Atomic unsigned int wrong, seen;

/*
 * As a program with vCPUs that come and go at few numbers: what is found at fd N must be a
 * vCPU that was entered there, whole.
 */
static void *come_and_go(void *argument)
{
	unsigned int random = (unsigned int)(uintptr_t)argument * 2654435761u;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		random = random * 1664525 + 1013904223;

		int fd = 60 + (int)(random >> 8) % FDS;
		struct xf_record *record;

		switch (random >> 28) {
		case 0 ... 3:
			record = xf_table_new((uint32_t)fd);
			atomic_store(&record->keep, (uint64_t)fd);
			(void)xf_table_set(fd, record);
			break;
		case 4 ... 6:
			record = xf_table_take(fd);
			break;
		default:
			record = xf_table_get(fd);
		}
		if (!record)
			continue;
		if (record->vcpu != (uint32_t)fd || atomic_load(&record->keep) != (uint64_t)fd)
			atomic_fetch_add(&wrong, 1);
		atomic_fetch_add(&seen, 1);
		xf_table_put(record);
	}
	return NULL;
}

static void test_threads(void **state)
{
	pthread_t threads[THREADS];

	(void)state;
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, (void *)i), 0);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(wrong, 0);
	assert_true(seen > ROUNDS);
	/* None was lost: every record can be had again. */
	xf_table_forget(0, ~0u);
	for (int i = 0; i < XF_TABLE_RECORDS - 1; i++)
		assert_non_null(xf_table_new(0));
	assert_null(xf_table_new(0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_shared),
		cmocka_unit_test(test_replaced),
		cmocka_unit_test(test_forget_range),
		cmocka_unit_test(test_take_range),
		cmocka_unit_test(test_vfork),
		cmocka_unit_test(test_threads), /* last: it takes all records */
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
