/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a guest was shown, what is superfluous in its state, and how that is taken out.
 *
 * The evidence is the CPUID that the program gave to KVM_SET_CPUID2. Before anything is
 * called superfluous KVM is asked as well what the guest really sees (KVM_GET_CPUID2):
 * there are KVMs that show a guest more than they are given, and the fd may have become
 * another vCPU's where this library could not see it. While nothing seems superfluous,
 * no call is made that the program did not make.
 */
#include <cpuid.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "core/area.h"
#include "core/bytes.h"
#include "core/shown.h"
#include "guard/next.h"
#include "guard/readable.h"
#include "guard/report.h"
#include "guard/settings.h"
#include "guard/vcpu.h"
#include "host/kvm.h"

#define NOTHING_KNOWN (~(uint64_t)0)
#define LEAF_XSAVE 0xdu

/* Flag of a record, beside those of guard/report.c: KVM's areas may be larger than 4,096 bytes. */
#define LARGE 256u

/*
 * What makes an area larger: a component that is enabled for a guest only when it is
 * shown it. None but AMX's tiles is known today; one without a row may be another.
 */
#define MAKES_LARGE (XF_XTILEDATA | ~XF_DEFINED)

/* What KVM said of its areas' size, if it was asked; else 0. */
static _Atomic uint32_t area_size;

void xf_vcpu_area_size(int size)
{
	uint32_t seen = atomic_load(&area_size);

	while (size > 0 && seen < (uint32_t)size &&
	       !atomic_compare_exchange_weak(&area_size, &seen, (uint32_t)size))
		;
}

void xf_vcpu_created(int fd, uint32_t vcpu)
{
	int error = errno;
	struct xf_record *record = xf_table_new(vcpu);

	xf_report_settings();
	if (!record) {
		/* Whatever had the number before was closed where nobody could see it. */
		xf_table_forget((unsigned int)fd, (unsigned int)fd);
		xf_report_unseen(vcpu, "too many vCPUs in this process");
	} else {
		if (!xf_table_set(fd, record))
			xf_report_unseen(vcpu, "its file descriptor is too high a number");
		xf_table_put(record);
	}
	errno = error;
}

/* ---- What was shown ---- */

static struct xf_guest guest_of(const struct kvm_cpuid_entry2 *entries, uint32_t count)
{
	struct xf_shown shown = { 0 };

	for (uint32_t i = 0; i < count && i < XF_KVM_CPUID_MAX; i++) {
		const struct kvm_cpuid_entry2 *entry = &entries[i];
		const struct xf_cpuid_regs regs = { entry->eax, entry->ebx, entry->ecx,
						    entry->edx };

		xf_shown_entry(&shown, entry->function, entry->index,
			       entry->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX, &regs);
	}
	return xf_shown_guest(&shown);
}

/* What is never to be dropped: with all that is implied, so that one AND judges most calls. */
static uint64_t keep_of(struct xf_guest guest)
{
	guest = xf_guest_normal(guest);
	return guest.shown | ~guest.known;
}

static void note_size(struct xf_record *record, uint64_t keep)
{
	if (keep & MAKES_LARGE)
		atomic_fetch_or(&record->flags, LARGE);
}

static void learn(struct xf_record *record, struct xf_guest guest)
{
	uint64_t keep = keep_of(guest), unknown = NOTHING_KNOWN;

	note_size(record, keep);
	atomic_store(&record->shown, xf_guest_normal(guest).shown);
	/* If another thread has set this vCPU's CPUID meanwhile, either may be what counts. */
	if (!atomic_compare_exchange_strong(&record->keep, &unknown, keep))
		atomic_fetch_or(&record->keep, keep);
}

/* Sets a vCPU's CPUID; nothing is known of it meanwhile. Gives KVM's answer. */
static int set_cpuid(struct xf_record *record, int fd, unsigned long request, void *argument)
{
	uint64_t before = atomic_exchange(&record->keep, NOTHING_KNOWN);
	uint64_t unknown = NOTHING_KNOWN;
	int answer = XF_NEXT(ioctl)(fd, request, argument);

	if (answer < 0)
		atomic_compare_exchange_strong(&record->keep, &unknown, before);
	return answer;
}

int xf_vcpu_set_cpuid2(struct xf_record *record, int fd, unsigned long request, void *argument)
{
	int answer = set_cpuid(record, fd, request, argument);
	const struct kvm_cpuid2 *cpuid = argument;

	if (answer >= 0)
		learn(record, guest_of(cpuid->entries, cpuid->nent));
	return answer;
}

/* The old call, which has no sub-leaves: what is shown by it is not known. */
int xf_vcpu_set_cpuid(struct xf_record *record, int fd, unsigned long request, void *argument)
{
	int answer = set_cpuid(record, fd, request, argument);

	if (answer >= 0)
		note_size(record, NOTHING_KNOWN);
	return answer;
}

/*
 * What the guest really sees. A function of its own, for its 10 KiB of stack: a vCPU's thread
 * may have no more than 16 KiB, so whatever else is large must not be in its callers.
 */
static __attribute__((noinline)) bool read_back(int fd, struct xf_guest *out)
{
	struct xf_kvm_cpuid cpuid;

	/* Kernels up to 6.2 fill in the entries and leave the count as it was. */
	memset(&cpuid, 0, sizeof(cpuid));
	cpuid.count = XF_KVM_CPUID_MAX;

	int error = errno;
	int answer = XF_NEXT(ioctl)(fd, KVM_GET_CPUID2, &cpuid);

	errno = error;
	if (answer < 0)
		return false;
	*out = guest_of(cpuid.entries, cpuid.count);
	return true;
}

/* ---- What is superfluous ---- */

/* By what the program gave, and what is known since: the question that every call asks. */
static bool is_clean(struct xf_record *record, uint64_t xstate_bv)
{
	return !(xstate_bv & ~atomic_load_explicit(&record->keep, memory_order_relaxed));
}

/* By what KVM says, too. False: there is nothing superfluous, or it is not to be known. */
static bool find(struct xf_record *record, int fd, struct xf_found *found)
{
	struct xf_guest seen;

	/* Another process' vCPU answers nothing but EIO. */
	if (record->maker != getpid())
		return false;
	if (!read_back(fd, &seen)) {
		atomic_store(&record->keep, NOTHING_KNOWN);
		xf_report_off(record, "KVM_GET_CPUID2 failed, so what was shown is not known");
		return false;
	}
	note_size(record, keep_of(seen));

	uint64_t keep = atomic_fetch_or(&record->keep, keep_of(seen)) | keep_of(seen);
	const struct xf_guest guest = { keep, ~(uint64_t)0 };

	found->shown = atomic_load(&record->shown) | xf_guest_normal(seen).shown;
	found->superfluous = xf_judge(found->xstate_bv, guest, ~(uint64_t)0).superfluous;
	found->dropped = 0;
	if (xf_settings.trim)
		found->dropped = xf_droppable(found->xstate_bv, guest, xf_settings.only);
	return found->superfluous != 0;
}

/*
 * How many bytes KVM reads or writes: guest_fpu.uabi_size, which KVM_SET_CPUID2 makes what
 * KVM_CAP_XSAVE2 says once AMX's tiles are shown (fpstate_realloc). 0: not known.
 */
static size_t size_of_area(struct xf_record *record)
{
	if (!(atomic_load(&record->flags) & LARGE))
		return XF_KVM_XSAVE_SIZE;

	uint32_t size = atomic_load(&area_size);

	return size <= XF_KVM_AREA_MAX ? size : 0;
}

/*
 * Where this CPU puts the components of `mask`. False: its CPUID makes no sense. A function of
 * its own, so that its 2 KiB of stack are not on top of read_back's: threads with 16 KiB exist.
 */
static __attribute__((noinline)) bool host_layout(uint64_t mask, struct xf_layout *out)
{
	struct xf_cpuid_regs sub[XF_BITS] = { { 0 } };

	if ((unsigned int)__get_cpuid_max(0, NULL) < LEAF_XSAVE)
		return false;
	xf_for_each_bit (bit, mask & ~XF_FPSSE) {
		struct xf_cpuid_regs *regs = &sub[bit.n];

		__cpuid_count(LEAF_XSAVE, bit.n, regs->eax, regs->ebx, regs->ecx, regs->edx);
	}
	return xf_layout_from_cpuid(sub, XF_BITS, out) == XF_LAYOUT_OK;
}

/* ---- KVM_SET_XSAVE ---- */

/* XSTATE_BV of the program's area. False: its pointer is bad, which KVM will tell it. */
static bool read_xstate_bv(struct xf_record *record, const unsigned char *area, uint64_t *out)
{
	uintptr_t known = atomic_load_explicit(&record->readable, memory_order_relaxed);

	/* A bad pointer may be NULL or wrap, so it is a number as yet. 0: none is known. */
	if (!known || (uintptr_t)area != known) {
		uintptr_t at = (uintptr_t)area + XF_XSTATE_BV_OFFSET;

		if (!xf_is_readable((const void *)at, sizeof(*out)))
			return false;
		atomic_store_explicit(&record->readable, (uintptr_t)area, memory_order_relaxed);
	}
	*out = xf_get_le64(area + XF_XSTATE_BV_OFFSET);
	return true;
}

/*
 * The call with a copy from which `found->dropped` is cleared. These two differ in the
 * stack they take; alignment is as KVM's own memory has it.
 */
static __attribute__((noinline)) int set_copy(int fd, unsigned long request, const void *area,
					      struct xf_found *found)
{
	unsigned char copy[XF_KVM_XSAVE_SIZE] __attribute__((aligned(64)));

	memcpy(copy, area, sizeof(copy));
	found->dropped = xf_area_clear(copy, sizeof(copy), found->dropped);
	return XF_NEXT(ioctl)(fd, request, copy);
}

static __attribute__((noinline)) int set_large_copy(int fd, unsigned long request, const void *area,
						    size_t size, struct xf_found *found)
{
	unsigned char copy[XF_KVM_AREA_MAX] __attribute__((aligned(64)));

	memcpy(copy, area, size);
	memset(copy + size, 0, sizeof(copy) - size);
	found->dropped = xf_area_clear(copy, size, found->dropped);
	return XF_NEXT(ioctl)(fd, request, copy);
}

/*
 * Whether all that is in use is within `size`. A program may have asked for the size
 * before it asked for leave to use AMX, which makes it larger.
 */
static __attribute__((noinline)) bool holds(size_t size, uint64_t xstate_bv)
{
	struct xf_layout layout;

	if (!(xstate_bv & MAKES_LARGE))
		return true;
	return host_layout(xstate_bv, &layout) && !(xstate_bv & ~xf_layout_components(&layout)) &&
	       xf_layout_standard_size(&layout, xstate_bv) <= size;
}

/* Whether a copy can be made: its size is known, and the program's area is as long. */
static bool can_copy(struct xf_record *record, const void *area, size_t size, uint64_t kept)
{
	if (!size || !holds(size, kept)) {
		xf_report_off(record, "the size of its areas is not known: KVM_CAP_XSAVE2 was "
				      "not asked for, or too early");
		return false;
	}
	return xf_is_readable(area, size);
}

static int set_without(struct xf_record *record, int fd, unsigned long request, void *area,
		       struct xf_found *found)
{
	size_t size = size_of_area(record);

	if (!found->dropped || !can_copy(record, area, size, found->xstate_bv & ~found->dropped)) {
		found->dropped = 0;
		return XF_NEXT(ioctl)(fd, request, area);
	}
	if (atomic_load(&record->flags) & LARGE)
		return set_large_copy(fd, request, area, size, found);
	return set_copy(fd, request, area, found);
}

bool xf_vcpu_sets_nothing(int fd, const void *area)
{
	struct xf_record *record = xf_table_peek(fd);

	if (!record || atomic_load_explicit(&record->keep, memory_order_relaxed) == NOTHING_KNOWN)
		return true;
	if (!area ||
	    (uintptr_t)area != atomic_load_explicit(&record->readable, memory_order_relaxed))
		return false;
	return is_clean(record, xf_get_le64((const unsigned char *)area + XF_XSTATE_BV_OFFSET));
}

int xf_vcpu_set_xsave(struct xf_record *record, int fd, unsigned long request, void *argument)
{
	struct xf_found found = { .set = true };

	if (atomic_load_explicit(&record->keep, memory_order_relaxed) == NOTHING_KNOWN ||
	    !read_xstate_bv(record, argument, &found.xstate_bv) ||
	    is_clean(record, found.xstate_bv) || !find(record, fd, &found))
		return XF_NEXT(ioctl)(fd, request, argument);

	int answer = set_without(record, fd, request, argument, &found);
	int error = errno;

	found.error = answer < 0 ? error : 0;
	xf_report_found(record, &found);
	errno = error;
	return answer;
}

/* ---- KVM_GET_XSAVE ---- */

/* Trims the program's own buffer, as a KVM that does not leak would have filled it. */
static __attribute__((noinline)) void trim(struct xf_record *record, void *area,
					   struct xf_found *found)
{
	size_t size = size_of_area(record);
	struct xf_layout layout;

	if (!found->dropped)
		return;
	if (!host_layout(found->xstate_bv, &layout) ||
	    !xf_area_drop(area, size ? size : XF_KVM_XSAVE_SIZE, &layout, found->dropped)) {
		found->dropped = 0;
		xf_report_off(record, "where its components lie is not known");
	}
}

static __attribute__((noinline)) void get_dirty(struct xf_record *record, int fd, void *area,
						uint64_t xstate_bv)
{
	struct xf_found found = { .set = false, .xstate_bv = xstate_bv };

	if (!find(record, fd, &found))
		return;
	trim(record, area, &found);
	xf_report_found(record, &found);
}

int xf_vcpu_get_xsave(struct xf_record *record, int fd, unsigned long request, void *argument)
{
	int answer = XF_NEXT(ioctl)(fd, request, argument);
	int error = errno;

	/* KVM has just written it, so it can be read and written. */
	if (answer < 0)
		return answer;

	uint64_t xstate_bv = xf_get_le64((unsigned char *)argument + XF_XSTATE_BV_OFFSET);

	if (!is_clean(record, xstate_bv))
		get_dirty(record, fd, argument, xstate_bv);
	errno = error;
	return answer;
}
