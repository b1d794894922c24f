/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which vCPU a file descriptor is. A flat table of fds, each with the number of a
 * record in a pool; both are static and zero, so what is not used costs no memory.
 * Nothing here allocates, locks or waits: all of it may be called in a signal handler
 * and by any number of threads.
 *
 * A record counts who holds it: each fd in the table and each call that works with it.
 * It is never freed, only used again, so a thread that comes late looks at a record and
 * sees that it is another one, not at memory that is gone.
 *
 *	struct xf_record *record = xf_table_get(fd);
 *
 *	if (record) {
 *		…
 *		xf_table_put(record);
 *	}
 */
#ifndef XF_GUARD_TABLE_H
#define XF_GUARD_TABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define XF_TABLE_FDS (1 << 20)
#define XF_TABLE_RECORDS 8192

/* One vCPU. A cache line of its own, for each has a thread of its own. */
struct xf_record {
	_Atomic uint32_t holders;
	pid_t maker;		/* the process that made the vCPU */
	uint32_t vcpu;		/* the number given to KVM_CREATE_VCPU */
	_Atomic uint32_t flags; /* guard/vcpu.c */
	/* Components that may be the guest's own: shown, or not known. All: hands off. */
	_Atomic uint64_t keep;
	_Atomic uint64_t shown;	    /* for the log */
	_Atomic uintptr_t readable; /* a caller's pointer of which XSTATE_BV was readable */
} __attribute__((aligned(64)));

/* fds: one entry each, 0 for none. */
extern _Atomic uint16_t xf_table[XF_TABLE_FDS];

/* Its records; the first one stands for none. */
extern struct xf_record xf_table_pool[XF_TABLE_RECORDS];

/* Whether an fd may be a vCPU's: the question that every close and dup asks. */
static inline bool xf_table_has(int fd)
{
	return (unsigned int)fd < XF_TABLE_FDS &&
	       atomic_load_explicit(&xf_table[fd], memory_order_relaxed);
}

/*
 * The vCPU of an fd, not held: it may be another one at any time. Enough for a question of
 * which one answer leads to nothing being done.
 */
static inline struct xf_record *xf_table_peek(int fd)
{
	uint16_t number = 0;

	if ((unsigned int)fd < XF_TABLE_FDS)
		number = atomic_load_explicit(&xf_table[fd], memory_order_acquire);
	return number ? &xf_table_pool[number] : NULL;
}

/* The vCPU of an fd, held; or NULL. */
struct xf_record *xf_table_get(int fd);
void xf_table_put(struct xf_record *record);

/* A record for a new vCPU of this process, held; NULL: there are too many. */
struct xf_record *xf_table_new(uint32_t vcpu);

/* Enters a record that the caller holds on. False: the fd is beyond the table. */
bool xf_table_set(int fd, struct xf_record *record);

/*
 * Takes an fd out and gives its record, held, or NULL. A process that shares this
 * memory but not the fds (vfork) takes out nothing of its parent's.
 */
struct xf_record *xf_table_take(int fd);

/* One that was taken out, and held. */
struct xf_taken {
	int fd;
	struct xf_record *record;
};

/* Takes out the fds from `first` to `last`, as many as there is room for; gives how many. */
unsigned int xf_table_take_range(unsigned int first, unsigned int last, struct xf_taken *out,
				 unsigned int room);

/* Takes out all fds from `first` to `last`. */
void xf_table_forget(unsigned int first, unsigned int last);

#endif
