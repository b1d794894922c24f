/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/core/test.h"

#include "core/vcpu.h"

#define SIZE 4096
#define HOST (XF_FPSSE | XF_AVX | XF_PKRU)

/* Kernels of today, those before the fpstate rework, and a CPU without XSAVE. */
static const struct xf_kvm modern = {
	.host = HOST, .mxcsr_mask = 0x2ffff, .get = XF_GET_TRIMS, .set = XF_SET_HOST
};
static const struct xf_kvm old = { .host = HOST,
				   .mxcsr_mask = 0xffff,
				   .get = XF_GET_TRIMS,
				   .set = XF_SET_HOST,
				   .header_unchecked = true,
				   .mxcsr_always = true };
static const struct xf_kvm bare = { .host = XF_FPSSE, .mxcsr_mask = 0xffff, .no_xsave = true };

static const struct xf_kvm_vcpu shown_all = { .cpuid = HOST, .cpuid_set = true };
static const struct xf_kvm_vcpu shown_legacy = { .cpuid = XF_FPSSE, .cpuid_set = true };

static unsigned char buffer[SIZE], area[SIZE], got[SIZE];

static uint32_t get32(const unsigned char *at)
{
	return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void put(unsigned char *at, uint64_t value, unsigned int bytes)
{
	for (unsigned int i = 0; i < bytes; i++)
		at[i] = (unsigned char)(value >> 8 * i);
}

/* Every byte its own value, and what KVM looks at. */
static void make_area(uint64_t xstate_bv, uint32_t mxcsr)
{
	for (unsigned int i = 0; i < SIZE; i++)
		area[i] = (unsigned char)(i * 7 + i / 256 + 1);
	memset(area + XF_LEGACY_SIZE, 0, XF_HEADER_SIZE);
	put(area + XF_LEGACY_SIZE, xstate_bv, 8);
	put(area + XF_MXCSR_OFFSET, mxcsr, 4);
}

static struct xf_kvm_fpu new_fpu(const struct xf_kvm *kvm)
{
	struct xf_kvm_fpu fpu;

	memset(buffer, 0xcc, SIZE);
	assert_true(xf_kvm_fpu_init(kvm, &xf_layout_intel, buffer, SIZE, &fpu));
	return fpu;
}

static enum xf_reason set(const struct xf_kvm *kvm, const struct xf_kvm_vcpu *vcpu,
			  struct xf_kvm_fpu *fpu)
{
	return xf_kvm_fpu_set(kvm, vcpu, fpu, area).reason;
}

/* What is read back, over a buffer that has something else everywhere. */
static void get(const struct xf_kvm *kvm, const struct xf_kvm_vcpu *vcpu,
		const struct xf_kvm_fpu *fpu)
{
	memset(got, 0xaa, SIZE);
	xf_kvm_fpu_get(kvm, vcpu, fpu, got);
}

static void assert_zero(size_t begin, size_t end)
{
	for (size_t i = begin; i < end; i++)
		assert_int_equal(got[i], 0);
}

static void assert_as_set(size_t begin, size_t end)
{
	assert_memory_equal(got + begin, area + begin, end - begin);
}

static void test_new(void **state)
{
	struct xf_kvm_fpu fpu = new_fpu(&modern);

	(void)state;
	get(&modern, &shown_all, &fpu);
	assert_int_equal(get32(got), 0x37f);
	assert_int_equal(get32(got + 24), 0x1f80);
	assert_int_equal(get32(got + 28), 0x2ffff);
	assert_zero(4, 24);
	assert_zero(32, SIZE);
	assert_int_equal(fpu.pkru, 0);

	fpu = new_fpu(&old);
	get(&old, &shown_all, &fpu);
	assert_int_equal(get32(got), 0x37f);
	assert_int_equal(get32(got + 24), 0x1f80);
	assert_zero(28, SIZE);
}

static void test_no_room(void **state)
{
	struct xf_kvm kvm = modern;
	struct xf_kvm_fpu fpu, same;

	(void)state;
	memset(&fpu, 0x55, sizeof(fpu));
	memcpy(&same, &fpu, sizeof(fpu));
	memset(buffer, 0xcc, SIZE);
	memset(got, 0xcc, SIZE);
	assert_false(xf_kvm_fpu_init(&kvm, &xf_layout_intel, buffer, 0xa80 + 7, &fpu));
	kvm.host |= XF_APX;
	assert_false(xf_kvm_fpu_init(&kvm, &xf_layout_intel, buffer, SIZE, &fpu));
	assert_memory_equal(&fpu, &same, sizeof(fpu));
	assert_memory_equal(buffer, got, SIZE);
	assert_true(xf_kvm_fpu_init(&modern, &xf_layout_intel, buffer, 0xa80 + 8, &fpu));
	assert_true(xf_kvm_fpu_init(&bare, &xf_layout_intel, buffer, 576, &fpu));
	assert_false(xf_kvm_fpu_init(&bare, &xf_layout_intel, buffer, 575, &fpu));
}

static void test_all(void **state)
{
	struct xf_kvm_fpu fpu = new_fpu(&modern);

	(void)state;
	make_area(HOST, 0x1fa0);
	assert_int_equal(set(&modern, &shown_all, &fpu), XF_REASON_NONE);
	get(&modern, &shown_all, &fpu);
	assert_as_set(0, 416);
	assert_zero(416, 512);
	assert_as_set(512, 0x340);
	assert_zero(0x340, 0xa80);
	assert_as_set(0xa80, 0xa84);
	assert_zero(0xa84, SIZE);
	assert_int_equal(fpu.pkru, get32(area + 0xa80));
}

/* What is not in XSTATE_BV is neither loaded nor read back. */
static void test_none(void **state)
{
	struct xf_kvm_fpu fpu = new_fpu(&modern);

	(void)state;
	make_area(HOST, 0x1fa0);
	assert_int_equal(set(&modern, &shown_all, &fpu), XF_REASON_NONE);
	make_area(0, 0xffffffff);
	assert_int_equal(set(&modern, &shown_all, &fpu), XF_REASON_NONE);
	get(&modern, &shown_all, &fpu);
	assert_int_equal(get32(got), 0x37f);
	assert_int_equal(get32(got + 24), 0x1f80);
	assert_zero(4, 24);
	assert_zero(32, SIZE);
	/* But PKRU stays what it was. */
	assert_int_equal(fpu.pkru, get32(area + 0xa80));
}

/* MXCSR is loaded with x87, SSE or AVX, and read back with SSE or AVX. */
static void test_mxcsr(void **state)
{
	(void)state;
	for (uint64_t mask = 0; mask <= HOST; mask++) {
		struct xf_kvm_fpu fpu = new_fpu(&modern);
		bool given = mask & (XF_SSE | XF_AVX);

		if (mask & ~HOST)
			continue;
		make_area(mask, 0x1fa0);
		assert_int_equal(set(&modern, &shown_all, &fpu), XF_REASON_NONE);
		get(&modern, &shown_all, &fpu);
		assert_int_equal(get32(got + 24), given ? 0x1fa0 : 0x1f80);
		assert_int_equal(get32(got + 28), given ? get32(area + 28) : 0x2ffff);
		assert_int_equal(get32(got) == 0x37f, !(mask & XF_X87));
		assert_int_equal(got[32] == area[32], !!(mask & XF_X87));
		assert_int_equal(got[160] == area[160], !!(mask & XF_SSE));
		assert_int_equal(got[415] == area[415], !!(mask & XF_SSE));
		assert_int_equal(get32(buffer + 24), mask & (XF_FPSSE | XF_AVX) ? 0x1fa0 : 0x1f80);
	}
}

/* A guest that is not shown AVX does not read AVX's MXCSR either. */
static void test_trimmed(void **state)
{
	struct xf_kvm leaky = modern;
	struct xf_kvm_fpu fpu = new_fpu(&modern);

	(void)state;
	leaky.get = XF_GET_LEAKS;
	make_area(XF_AVX | XF_PKRU, 0x1fa0);
	assert_int_equal(set(&modern, &shown_legacy, &fpu), XF_REASON_NONE);
	get(&modern, &shown_legacy, &fpu);
	assert_int_equal(get32(got + 24), 0x1f80);
	assert_zero(32, SIZE);
	get(&leaky, &shown_legacy, &fpu);
	assert_int_equal(get32(got + 24), 0x1fa0);
	assert_as_set(512, 0x340);
	assert_as_set(0xa80, 0xa84);
}

static void test_refused(void **state)
{
	struct xf_kvm_fpu fpu = new_fpu(&modern), same;
	unsigned char before[SIZE];

	(void)state;
	make_area(HOST, 0x1fa0);
	assert_int_equal(set(&modern, &shown_all, &fpu), XF_REASON_NONE);
	memcpy(&same, &fpu, sizeof(fpu));
	memcpy(before, buffer, SIZE);
	make_area(HOST | XF_BNDREGS, 0x1f80);
	memset(area, 0x33, 24);
	assert_int_equal(set(&modern, &shown_all, &fpu), XF_REASON_HOST);
	assert_ptr_equal(fpu.layout, same.layout);
	assert_ptr_equal(fpu.area, same.area);
	assert_int_equal(fpu.size, same.size);
	assert_int_equal(fpu.in_use, same.in_use);
	assert_int_equal(fpu.pkru, same.pkru);
	assert_memory_equal(buffer, before, SIZE);
}

/* Before 5.16 the legacy region is one piece. */
static void test_old(void **state)
{
	struct xf_kvm_fpu fpu = new_fpu(&old);

	(void)state;
	assert_true(xf_kvm_fpu_is_whole(&old));
	assert_false(xf_kvm_fpu_is_whole(&modern));
	make_area(XF_PKRU, 0x1fa0);
	memset(area + 520, 0x77, 56);
	assert_int_equal(set(&old, &shown_all, &fpu), XF_REASON_NONE);
	get(&old, &shown_all, &fpu);
	assert_as_set(0, 520);
	assert_zero(520, 0xa80);
	assert_as_set(0xa80, 0xa84);
	assert_zero(0xa84, SIZE);
	get(&old, &shown_legacy, &fpu);
	assert_as_set(0, 512);
	assert_zero(512, SIZE);
}

static void test_no_xsave(void **state)
{
	struct xf_kvm_fpu fpu = new_fpu(&bare);

	(void)state;
	assert_true(xf_kvm_fpu_is_whole(&bare));
	make_area(0, 0x1fa0);
	assert_int_equal(set(&bare, &shown_all, &fpu), XF_REASON_NONE);
	get(&bare, &shown_all, &fpu);
	assert_as_set(0, 512);
	assert_int_equal(got[512], 3);
	assert_zero(513, SIZE);
}

/* The bit is taken away, and with it neither data nor value is loaded. */
static void test_hook(void **state)
{
	struct xf_kvm hooked = modern;
	struct xf_kvm_fpu fpu = new_fpu(&modern);

	(void)state;
	hooked.hook_pkru = true;
	make_area(HOST, 0x1f80);
	assert_int_equal(set(&hooked, &shown_legacy, &fpu), XF_REASON_NONE);
	assert_int_equal(fpu.pkru, 0);
	get(&hooked, &shown_all, &fpu);
	assert_int_equal(got[512], XF_FPSSE | XF_AVX);
	assert_int_equal(got[513], 0);
	assert_zero(0xa80, SIZE);
}

/* The module: what it takes out is neither loaded nor given, and MXCSR is as KVM gives it. */
static void test_module(void **state)
{
	const struct xf_kvm_vcpu vcpu = {
		.cpuid = XF_FPSSE,
		.cpuid_set = true,
		.evidence = { XF_FPSSE, ~UINT64_C(0) },
	};
	struct xf_kvm hooked = modern, leaky = modern;
	struct xf_kvm_fpu fpu = new_fpu(&modern);

	(void)state;
	hooked.hook_set = ~UINT64_C(0);
	make_area(HOST, 0x1fa0);
	assert_int_equal(set(&hooked, &vcpu, &fpu), XF_REASON_NONE);
	assert_true(fpu.in_use == XF_FPSSE && fpu.pkru == 0);

	leaky.get = XF_GET_LEAKS;
	leaky.hook_get = ~UINT64_C(0);
	make_area(HOST & ~XF_FPSSE, 0x1fa0);
	assert_int_equal(set(&leaky, &vcpu, &fpu), XF_REASON_NONE);
	assert_int_equal(fpu.in_use, HOST & ~XF_FPSSE);
	get(&leaky, &vcpu, &fpu);
	assert_int_equal(get32(got + XF_MXCSR_OFFSET), 0x1fa0);
	assert_zero(512, SIZE);
}

/* A protected guest keeps what it has, and shows nothing. */
static void test_guarded(void **state)
{
	struct xf_kvm ignoring = modern;
	struct xf_kvm_vcpu guarded = shown_all;
	struct xf_kvm_fpu fpu = new_fpu(&modern);

	(void)state;
	guarded.guarded = true;
	ignoring.protected_ignored = true;
	make_area(HOST, 0x1f80);
	assert_int_equal(set(&modern, &guarded, &fpu), XF_REASON_PROTECTED);
	assert_int_equal(set(&ignoring, &guarded, &fpu), XF_REASON_NONE);
	assert_true(fpu.in_use == 0 && fpu.pkru == 0);
	get(&ignoring, &guarded, &fpu);
	assert_zero(0, SIZE);
}

/* Any layout: each component comes back from where it was. */
static void test_layouts(void **state)
{
	static const struct xf_layout *const layouts[] = { &xf_layout_intel, &xf_layout_amd,
							   &xf_layout_amd_avx512 };

	(void)state;
	for (size_t i = 0; i < COUNT(layouts); i++) {
		struct xf_kvm kvm = modern;
		struct xf_kvm_fpu fpu;
		struct xf_kvm_vcpu vcpu = { .cpuid_set = true };

		kvm.host = vcpu.cpuid =
			xf_layout_components(layouts[i]) & ~(XF_XTILEDATA | XF_XTILECFG);
		assert_true(xf_kvm_fpu_init(&kvm, layouts[i], buffer, SIZE, &fpu));
		make_area(kvm.host, 0x1f80);
		assert_int_equal(set(&kvm, &vcpu, &fpu), XF_REASON_NONE);
		get(&kvm, &vcpu, &fpu);
		xf_for_each_bit (bit, kvm.host & ~(XF_FPSSE | XF_PKRU)) {
			const struct xf_extent *extent = &layouts[i]->at[bit.n];

			assert_as_set(extent->offset, extent->offset + extent->size);
		}
		assert_int_equal(get32(got + layouts[i]->at[9].offset), fpu.pkru);
	}
}

/* Which bytes of the legacy region XSAVE components bring along: [begin, end) of each. */
static void take_legacy(unsigned char *to, const unsigned char *from, bool x87, bool mxcsr,
			bool sse)
{
	if (x87) {
		memcpy(to, from, 24);
		memcpy(to + 32, from + 32, 160 - 32);
	}
	if (mxcsr)
		memcpy(to + 24, from + 24, 8);
	if (sse)
		memcpy(to + 160, from + 160, 416 - 160);
}

/* Every byte of the legacy region, for all that may be in use, over what was there before. */
static void test_legacy_bytes(void **state)
{
	unsigned char due[SIZE];

	(void)state;
	for (uint64_t mask = 0; mask < 8; mask++) {
		bool loads = mask != 0, gives = mask & (XF_SSE | XF_AVX);
		struct xf_kvm_fpu fpu = new_fpu(&modern);

		make_area(HOST, 0x1fa0);
		assert_int_equal(set(&modern, &shown_all, &fpu), XF_REASON_NONE);
		memcpy(due, buffer, SIZE);
		make_area(mask, 0x1f90);
		for (unsigned int i = 0; i < XF_LEGACY_SIZE; i++)
			area[i] = i < 24 || i >= 28 ? (unsigned char)(area[i] ^ 0xff) : area[i];
		assert_int_equal(set(&modern, &shown_all, &fpu), XF_REASON_NONE);
		take_legacy(due, area, mask & XF_X87, loads, mask & XF_SSE);
		assert_memory_equal(buffer, due, 576);

		memset(due, 0, SIZE);
		put(due, 0x37f, 2);
		put(due + 24, 0x1f80, 4);
		put(due + 28, 0x2ffff, 4);
		take_legacy(due, area, mask & XF_X87, gives, mask & XF_SSE);
		due[512] = (unsigned char)mask;
		get(&modern, &shown_all, &fpu);
		assert_memory_equal(got, due, 576);
		/* PKRU keeps its value, and is not shown where it is not in use. */
		assert_int_not_equal(fpu.pkru, 0);
		assert_zero(0x340, SIZE);
	}
}

/* In one piece it is the legacy region, to its last byte, and no header. */
static void test_old_guarded(void **state)
{
	struct xf_kvm ignoring = old;
	struct xf_kvm_vcpu guarded = shown_all;
	struct xf_kvm_fpu fpu = new_fpu(&old);
	unsigned char before[SIZE];

	(void)state;
	make_area(HOST, 0x1f80);
	assert_int_equal(set(&old, &shown_all, &fpu), XF_REASON_NONE);
	assert_memory_equal(buffer, area, 512);
	for (size_t i = 512; i < 576; i++)
		assert_int_equal(buffer[i], 0);
	/* A protected guest's is not touched, not even that. */
	memcpy(before, buffer, SIZE);
	guarded.guarded = ignoring.protected_ignored = true;
	memset(area, 0x33, 24);
	assert_int_equal(set(&ignoring, &guarded, &fpu), XF_REASON_NONE);
	assert_memory_equal(buffer, before, SIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_new),	    cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_all),	    cmocka_unit_test(test_none),
		cmocka_unit_test(test_mxcsr),	    cmocka_unit_test(test_trimmed),
		cmocka_unit_test(test_refused),	    cmocka_unit_test(test_old),
		cmocka_unit_test(test_no_xsave),    cmocka_unit_test(test_hook),
		cmocka_unit_test(test_module),	    cmocka_unit_test(test_guarded),
		cmocka_unit_test(test_layouts),	    cmocka_unit_test(test_legacy_bytes),
		cmocka_unit_test(test_old_guarded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
