/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the riders believe is neither too little nor too much: each right answer, no wrong one. */
#include <errno.h>
#include <string.h>

#include "tests/core/test.h"
#include "tests/kmod/torture/belief.h"

#define SIZE XF_KVM_XSAVE_SIZE

static const uint64_t masks[] = { 0, ~UINT64_C(0), XF_PKRU };
static const struct belief_guest bare = { .vcpu = { .cpuid_set = true },
					  .evidence = { XF_FPSSE, ~UINT64_C(0) } };

static struct xf_kvm kvm;
static struct belief belief;
static unsigned char area[SIZE], got[SIZE], other[SIZE];
static struct xf_kvm_fpu fpu;

/* A leaky host with AVX and PKRU, or without PKRU, and a guest that was shown neither. */
static void begin(uint64_t host, enum belief_trim get)
{
	kvm = (struct xf_kvm){
		.host = host, .mxcsr_mask = XF_MXCSR_MASK, .get = XF_GET_LEAKS, .set = XF_SET_HOST
	};
	assert_true(belief_init(&kvm, &xf_layout_amd, SIZE, masks, 3, &belief));
	belief.get = get;
	belief_tell(&belief, &bare, 1);
	assert_true(xf_kvm_fpu_init(&kvm, &xf_layout_amd, other, SIZE, &fpu));
}

static void fill(uint64_t in_use)
{
	memset(area, 0xa5, sizeof(area));
	memset(area + XF_LEGACY_SIZE, 0, XF_HEADER_SIZE);
	memcpy(area + XF_MXCSR_OFFSET, (const unsigned char[]){ 0x80, 0x1f, 0, 0 }, 4);
	memcpy(area + XF_XSTATE_BV_OFFSET, &in_use, sizeof(in_use));
}

/* What KVM gives back after a call in which `dropped` was taken out. */
static void load(uint64_t dropped)
{
	unsigned char seen[SIZE];

	memcpy(seen, area, SIZE);
	(void)xf_area_clear(seen, SIZE, dropped);
	assert_true(xf_kvm_fpu_set(&kvm, &bare.vcpu, &fpu, seen).reason == XF_REASON_NONE);
	xf_kvm_fpu_get(&kvm, &bare.vcpu, &fpu, got);
}

static void test_accepted_either_way(void **unused)
{
	(void)unused;

	static const uint64_t right[] = { 0, XF_AVX | XF_PKRU, XF_PKRU };

	for (size_t i = 0; i < 3; i++) {
		begin(XF_FPSSE | XF_AVX | XF_PKRU, BELIEF_PLAIN);
		fill(XF_FPSSE | XF_AVX | XF_PKRU);
		assert_true(belief_set(&belief, area, 0));
		load(right[i]);
		assert_true(belief_get(&belief, got));
		assert_true(belief.plain == (i == 0) && belief.hooked == (i != 0));
		/* From here on nothing else is believed of this state. */
		load(right[(i + 1) % 3]);
		assert_true(!belief_get(&belief, got));
	}
}

static void test_wrong_is_not_believed(void **unused)
{
	(void)unused;

	/* AVX alone is no components= that was set; SSE is never dropped. */
	begin(XF_FPSSE | XF_AVX | XF_PKRU, BELIEF_PLAIN);
	fill(XF_FPSSE | XF_AVX | XF_PKRU);
	assert_true(belief_set(&belief, area, 0));
	load(XF_AVX);
	assert_true(!belief_get(&belief, got));
	load(0);
	got[XF_X87_SIZE] ^= 1;
	assert_true(!belief_get(&belief, got));
	assert_true(!belief_set(&belief, area, EINVAL));
}

static void test_refused_or_dropped(void **unused)
{
	(void)unused;

	/* A host without PKRU refuses it, or never sees it. */
	begin(XF_FPSSE | XF_AVX, BELIEF_PLAIN);
	fill(XF_FPSSE | XF_PKRU);
	assert_true(belief_set(&belief, area, EINVAL));
	assert_true(belief.plain == 1 && belief.hooked == 0);
	assert_true(belief_set(&belief, area, 0));
	assert_true(belief.plain == 1 && belief.hooked == 1);
	load(XF_PKRU);
	assert_true(belief_get(&belief, got));
}

static void test_shown_is_never_dropped(void **unused)
{
	(void)unused;

	const struct belief_guest shown = {
		.vcpu = { .cpuid_set = true, .cpuid = XF_FPSSE | XF_AVX },
		.evidence = { XF_FPSSE | XF_AVX, ~UINT64_C(0) },
	};

	begin(XF_FPSSE | XF_AVX | XF_PKRU, BELIEF_EITHER);
	belief_tell(&belief, &shown, 1);
	fill(XF_FPSSE | XF_AVX);
	assert_true(belief_set(&belief, area, 0));
	load(XF_AVX);
	assert_true(!belief_get(&belief, got));
	load(0);
	assert_true(belief_get(&belief, got));
}

static void test_trimmed_get(void **unused)
{
	(void)unused;

	begin(XF_FPSSE | XF_AVX | XF_PKRU, BELIEF_EITHER);
	fill(XF_FPSSE | XF_AVX | XF_PKRU);
	assert_true(belief_set(&belief, area, 0));
	load(0);
	assert_true(xf_area_drop(got, SIZE, &xf_layout_amd, XF_PKRU));
	assert_true(belief_get(&belief, got));
	/* Its bit cleared and its data left is not how it is done. */
	load(0);
	(void)xf_area_clear(got, SIZE, XF_PKRU);
	assert_true(!belief_get(&belief, got));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted_either_way),
		cmocka_unit_test(test_wrong_is_not_believed),
		cmocka_unit_test(test_refused_or_dropped),
		cmocka_unit_test(test_shown_is_never_dropped),
		cmocka_unit_test(test_trimmed_get),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
