/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <unistd.h>

#include "guard/table.h"

_Atomic uint16_t xf_table[XF_TABLE_FDS];

struct xf_record xf_table_pool[XF_TABLE_RECORDS];

/* Where to begin to look for a free record, and the highest fd that was ever entered. */
static _Atomic uint32_t next_free;
static _Atomic uint32_t highest;

_Static_assert(sizeof(struct xf_record) == 64, "one cache line");
_Static_assert(XF_TABLE_RECORDS <= UINT16_MAX, "a record's number fits in the table");

static uint16_t number_of(const struct xf_record *record)
{
	return (uint16_t)(record - xf_table_pool);
}

/* Holds a record that somebody holds already. */
static bool hold(struct xf_record *record)
{
	uint32_t holders = atomic_load_explicit(&record->holders, memory_order_relaxed);

	while (holders)
		if (atomic_compare_exchange_weak_explicit(&record->holders, &holders, holders + 1,
							  memory_order_acquire,
							  memory_order_relaxed))
			return true;
	return false;
}

void xf_table_put(struct xf_record *record)
{
	atomic_fetch_sub_explicit(&record->holders, 1, memory_order_release);
}

struct xf_record *xf_table_get(int fd)
{
	if ((unsigned int)fd >= XF_TABLE_FDS)
		return NULL;

	uint16_t number = atomic_load_explicit(&xf_table[fd], memory_order_acquire);

	if (!number || !hold(&xf_table_pool[number]))
		return NULL;
	/* Between the two the fd may have been closed and the record used again. */
	if (atomic_load_explicit(&xf_table[fd], memory_order_acquire) != number) {
		xf_table_put(&xf_table_pool[number]);
		return NULL;
	}
	return &xf_table_pool[number];
}

static void begin(struct xf_record *record, uint32_t vcpu)
{
	record->maker = getpid();
	record->vcpu = vcpu;
	atomic_store_explicit(&record->flags, 0, memory_order_relaxed);
	atomic_store_explicit(&record->keep, ~(uint64_t)0, memory_order_relaxed);
	atomic_store_explicit(&record->shown, 0, memory_order_relaxed);
	atomic_store_explicit(&record->readable, 0, memory_order_relaxed);
}

struct xf_record *xf_table_new(uint32_t vcpu)
{
	uint32_t start = atomic_load_explicit(&next_free, memory_order_relaxed);

	for (uint32_t i = 0; i < XF_TABLE_RECORDS; i++) {
		uint32_t number = (start + i) % XF_TABLE_RECORDS;
		uint32_t free = 0;

		if (!number || !atomic_compare_exchange_strong_explicit(
				       &xf_table_pool[number].holders, &free, 1,
				       memory_order_acquire, memory_order_relaxed))
			continue;
		atomic_store_explicit(&next_free, number + 1, memory_order_relaxed);
		begin(&xf_table_pool[number], vcpu);
		return &xf_table_pool[number];
	}
	return NULL;
}

static void raise_highest(uint32_t fd)
{
	uint32_t seen = atomic_load_explicit(&highest, memory_order_relaxed);

	while (seen < fd &&
	       !atomic_compare_exchange_weak_explicit(&highest, &seen, fd, memory_order_relaxed,
						      memory_order_relaxed))
		;
}

bool xf_table_set(int fd, struct xf_record *record)
{
	if ((unsigned int)fd >= XF_TABLE_FDS)
		return false;
	raise_highest((uint32_t)fd);
	atomic_fetch_add_explicit(&record->holders, 1, memory_order_relaxed);

	uint16_t before =
		atomic_exchange_explicit(&xf_table[fd], number_of(record), memory_order_acq_rel);

	/* One that was closed where this library could not see it. */
	if (before)
		xf_table_put(&xf_table_pool[before]);
	return true;
}

struct xf_record *xf_table_take(int fd)
{
	struct xf_record *record = xf_table_get(fd);

	if (!record)
		return NULL;

	uint16_t number = number_of(record);

	if (record->maker == getpid() &&
	    atomic_compare_exchange_strong_explicit(&xf_table[fd], &number, 0, memory_order_acq_rel,
						    memory_order_relaxed)) {
		xf_table_put(record); /* what the table held; the caller has this one's */
		return record;
	}
	xf_table_put(record);
	return NULL;
}

unsigned int xf_table_take_range(unsigned int first, unsigned int last, struct xf_taken *out,
				 unsigned int room)
{
	uint32_t end = atomic_load_explicit(&highest, memory_order_relaxed);
	unsigned int count = 0;

	if (last > end)
		last = end;
	for (unsigned int fd = first; fd <= last && count < room; fd++) {
		struct xf_record *record = xf_table_has((int)fd) ? xf_table_take((int)fd) : NULL;

		if (record)
			out[count++] = (struct xf_taken){ (int)fd, record };
	}
	return count;
}

void xf_table_forget(unsigned int first, unsigned int last)
{
	struct xf_taken taken;

	while (xf_table_take_range(first, last, &taken, 1)) {
		xf_table_put(taken.record);
		first = (unsigned int)taken.fd + 1;
	}
}
