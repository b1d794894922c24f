/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "tests/kmod/torture/belief.h"

/* A way is a guest and a mask; the first is the plain one: no module. */
static uint64_t mask_of(const struct belief *belief, unsigned int way)
{
	return belief->masks[way % belief->mask_count];
}

static const struct belief_guest *guest_of(const struct belief *belief, unsigned int way)
{
	return &belief->guests[way / belief->mask_count];
}

static unsigned int ways(const struct belief *belief)
{
	return belief->mask_count * belief->guest_count;
}

static uint64_t droppable(const struct belief *belief, unsigned int way, const unsigned char *area)
{
	struct xf_area_head head = { 0 };

	(void)xf_area_head(area, belief->size, &head);
	return xf_droppable(head.xstate_bv, guest_of(belief, way)->evidence, mask_of(belief, way));
}

bool belief_init(const struct xf_kvm *kvm, const struct xf_layout *layout, size_t size,
		 const uint64_t *masks, unsigned int mask_count, struct belief *out)
{
	memset(out, 0, sizeof(*out));
	out->kvm = kvm;
	out->layout = layout;
	out->size = size;
	out->mask_count = mask_count;
	out->guest_count = 1;
	memcpy(out->masks, masks, mask_count * sizeof(*masks));
	out->content[0].possible = true;
	return xf_kvm_fpu_init(kvm, layout, out->content[0].area, size, &out->content[0].fpu);
}

void belief_tell(struct belief *belief, const struct belief_guest *guests, unsigned int count)
{
	memcpy(belief->guests, guests, count * sizeof(*guests));
	belief->guest_count = count;
}

/* What is in a vCPU, as another one's content. The buffer is its own. */
static void copy_content(const struct belief_content *from, size_t size, struct belief_content *out)
{
	out->possible = true;
	out->fpu = from->fpu;
	memcpy(out->area, from->area, size);
	out->fpu.area = out->area;
}

static const struct belief_content *any_content(const struct belief *belief)
{
	for (unsigned int i = 0; i < BELIEF_WAYS; i++)
		if (belief->content[i].possible)
			return &belief->content[i];
	return NULL; /* never: what would leave none is told to be wrong, and leaves all */
}

/* How KVM answers, should it have been this way. */
static int set_one_way(const struct belief *belief, unsigned int way, const unsigned char *area,
		       struct belief_content *content)
{
	static __thread unsigned char seen[XF_KVM_AREA_MAX];

	memcpy(seen, area, belief->size);
	(void)xf_area_clear(seen, belief->size, droppable(belief, way, area));

	struct xf_kvm_answer answer =
		xf_kvm_fpu_set(belief->kvm, &guest_of(belief, way)->vcpu, &content->fpu, seen);

	return answer.reason == XF_REASON_NONE ? 0 : EINVAL;
}

/* Of ways that do the same, the first stands for all. */
static bool is_double(const struct belief *belief, unsigned int way, const unsigned char *area)
{
	for (unsigned int i = 0; i < way; i++)
		if (guest_of(belief, i) == guest_of(belief, way) &&
		    droppable(belief, i, area) == droppable(belief, way, area))
			return true;
	return false;
}

static void count(struct belief *belief, bool plain, bool hooked)
{
	if (hooked && !plain)
		belief->hooked++;
	if (plain && !hooked)
		belief->plain++;
}

bool belief_set(struct belief *belief, const unsigned char *area, int answer)
{
	static __thread struct belief_content base, next[BELIEF_WAYS];
	bool any = false, plain = false, hooked = false, differ = false;

	/* What was there matters to no component: a call loads all of them, or none. */
	copy_content(any_content(belief), belief->size, &base);
	for (unsigned int way = 0; way < BELIEF_WAYS; way++) {
		next[way].possible = false;
		if (way >= ways(belief) || is_double(belief, way, area))
			continue;
		copy_content(&base, belief->size, &next[way]);
		next[way].possible = set_one_way(belief, way, area, &next[way]) == answer;
		any |= next[way].possible;
		differ |= !next[way].possible;
		if (mask_of(belief, way))
			hooked |= next[way].possible;
		else
			plain |= next[way].possible;
	}
	if (!any)
		return false;
	if (differ)
		count(belief, plain, hooked);
	if (answer)
		return true;
	for (unsigned int way = 0; way < BELIEF_WAYS; way++) {
		belief->content[way].possible = next[way].possible;
		if (next[way].possible)
			copy_content(&next[way], belief->size, &belief->content[way]);
	}
	return true;
}

static bool get_one_way(const struct belief *belief, unsigned int way, bool trimmed,
			const struct belief_content *content, const unsigned char *got)
{
	static __thread unsigned char expected[XF_KVM_AREA_MAX];
	struct tally tally = { 0 };
	struct difference difference;

	xf_kvm_fpu_get(belief->kvm, &guest_of(belief, way)->vcpu, &content->fpu, expected);
	if (trimmed)
		(void)xf_area_drop(expected, belief->size, belief->layout,
				   droppable(belief, way, expected));
	return compare_areas(&belief->compare, expected, got, belief->size, &tally, &difference);
}

static bool explains(const struct belief *belief, bool trimmed,
		     const struct belief_content *content, const unsigned char *got)
{
	for (unsigned int way = 0; way < ways(belief); way++)
		if (get_one_way(belief, way, trimmed, content, got))
			return true;
	return false;
}

bool belief_get(struct belief *belief, const unsigned char *got)
{
	bool still[BELIEF_WAYS] = { false };
	bool plain = false, trimmed = false, was_plain = belief->content[0].possible;

	for (unsigned int i = 0; i < BELIEF_WAYS; i++) {
		const struct belief_content *content = &belief->content[i];

		if (!content->possible)
			continue;
		if (belief->get != BELIEF_TRIMMED && explains(belief, false, content, got))
			still[i] = plain = true;
		else if (belief->get != BELIEF_PLAIN && explains(belief, true, content, got))
			still[i] = trimmed = true;
	}
	if (!plain && !trimmed)
		return false;
	if (was_plain)
		count(belief, plain && still[0], !plain || !still[0]);
	for (unsigned int i = 0; i < BELIEF_WAYS; i++)
		belief->content[i].possible = still[i];
	return true;
}

struct belief_guest belief_guest_of(const struct xf_kvm_cpuid *cpuid)
{
	struct belief_guest guest = {
		.vcpu = { .cpuid_set = true, .cpuid = xf_kvm_cpuid_shown(cpuid) },
		.evidence = XF_GUEST_UNKNOWN,
	};
	struct xf_shown shown = { 0 };

	for (uint32_t i = 0; i < cpuid->count; i++) {
		const struct kvm_cpuid_entry2 *entry = &cpuid->entries[i];
		const struct xf_cpuid_regs regs = { entry->eax, entry->ebx, entry->ecx,
						    entry->edx };

		xf_shown_leaf(&shown, entry->function, entry->index, &regs);
		/* KVM shows an entry without this flag for every sub-leaf: 0 and 1 count. */
		if (!(entry->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX)) {
			xf_shown_leaf(&shown, entry->function, 0, &regs);
			xf_shown_leaf(&shown, entry->function, 1, &regs);
		}
	}
	if (cpuid->count)
		guest.evidence = xf_shown_guest(&shown);
	return guest;
}
