/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A vCPU out of an XSAVE area, and a guest's evidence and layout out of CPUID's entries. */
#include "support.h"

#include "core/bytes.h"
#include "state/area_vcpu.h"

#define ADDRESS 1000
#define INDEXED 1

/* An area with PKRU's value at `pkru_at`; 0: nowhere. */
static void make_area(uint8_t *bytes, uint64_t xstate_bv, uint64_t xcomp_bv, size_t pkru_at)
{
	xf_put_le32(bytes + XF_MXCSR_OFFSET, XF_MXCSR_INIT);
	xf_put_le64(bytes + XF_XSTATE_BV_OFFSET, xstate_bv);
	xf_put_le64(bytes + XF_XCOMP_BV_OFFSET, xcomp_bv);
	if (pkru_at)
		xf_put_le32(bytes + pkru_at, 0x55555554);
}

static struct xf_error *read_area(const uint8_t *bytes, size_t size, const struct xf_layout *layout,
				  struct xf_vcpu *out)
{
	const struct xf_area_bytes area = { "file", "area", bytes, size, ADDRESS };

	return xf_vcpu_of_area(&area, layout, 7, out);
}

static void test_standard(void **unused)
{
	uint8_t bytes[4096] = { 0 };
	struct xf_vcpu vcpu;

	(void)unused;
	make_area(bytes, XF_FPSSE | XF_AVX | XF_PKRU, 0, 0xa80);
	assert_opened(read_area(bytes, sizeof(bytes), &xf_layout_intel, &vcpu));
	assert_int_equal(vcpu.index, 7);
	assert_true(vcpu.little_endian);
	assert_false(vcpu.reserved);
	assert_int_equal(vcpu.xcomp_bv, 0);
	assert_int_equal(vcpu.xstate_bv.value, XF_FPSSE | XF_AVX | XF_PKRU);
	assert_int_equal(vcpu.xstate_bv.offset, ADDRESS + 512);
	assert_int_equal(vcpu.xstate_bv.size, 8);
	assert_int_equal(vcpu.mxcsr.value, XF_MXCSR_INIT);
	assert_int_equal(vcpu.mxcsr.offset, ADDRESS + 24);
	assert_int_equal(vcpu.pkru.value, 0x55555554);
	assert_int_equal(vcpu.pkru.offset, ADDRESS + 0xa80);
	assert_int_equal(vcpu.pkru.size, 4);
	assert_int_equal(vcpu.carried, XF_AVX | XF_PKRU);
	assert_int_equal(vcpu.xcr0.size, 0);
}

/* Behind AVX, and not where the standard format has it. */
static void test_compacted(void **unused)
{
	const uint64_t in_use = XF_FPSSE | XF_AVX | XF_PKRU;
	uint8_t bytes[4096] = { 0 };
	struct xf_vcpu vcpu;

	(void)unused;
	make_area(bytes, in_use, XF_COMPACTED | in_use, 576 + 256);
	assert_opened(read_area(bytes, sizeof(bytes), &xf_layout_amd, &vcpu));
	assert_int_equal(vcpu.xcomp_bv, XF_COMPACTED | in_use);
	assert_int_equal(vcpu.pkru.offset, ADDRESS + 576 + 256);
	assert_int_equal(vcpu.pkru.value, 0x55555554);
	/* An area that ends within PKRU. */
	assert_refused(read_area(bytes, 576 + 256 + 7, &xf_layout_amd, &vcpu), XF_ERR_DAMAGED,
		       "announces components up to byte 840");
}

/* PKRU's place is told only by a layout that places all that is in use, while it is in use. */
static void test_no_place(void **unused)
{
	uint8_t bytes[4096] = { 0 };
	struct xf_vcpu vcpu;

	(void)unused;
	make_area(bytes, XF_FPSSE | XF_AVX, 0, 0x980);
	assert_opened(read_area(bytes, sizeof(bytes), &xf_layout_amd, &vcpu));
	assert_int_equal(vcpu.pkru.size, 0);

	make_area(bytes, XF_FPSSE | XF_PKRU, 0, 0x980);
	assert_opened(read_area(bytes, sizeof(bytes), NULL, &vcpu));
	assert_int_equal(vcpu.pkru.size, 0);
	assert_opened(read_area(bytes, sizeof(bytes), &xf_layout_amd, &vcpu));
	assert_int_equal(vcpu.pkru.size, 4);

	make_area(bytes, XF_FPSSE | XF_ZMM_HI256 | XF_PKRU, 0, 0x980);
	assert_opened(read_area(bytes, sizeof(bytes), &xf_layout_amd, &vcpu));
	assert_int_equal(vcpu.pkru.size, 0);
}

static void test_header(void **unused)
{
	uint8_t bytes[576] = { 0 };
	struct xf_vcpu vcpu = { .index = 99 };

	(void)unused;
	make_area(bytes, XF_FPSSE, 0, 0);
	bytes[575] = 1;
	assert_opened(read_area(bytes, sizeof(bytes), &xf_layout_intel, &vcpu));
	assert_true(vcpu.reserved);
	vcpu.index = 99;
	assert_refused(read_area(bytes, 575, &xf_layout_intel, &vcpu), XF_ERR_DAMAGED,
		       "area has 575 bytes: 576 are the least");
	/* Bit 63 of XSTATE_BV is no component. */
	make_area(bytes, XF_FPSSE | XF_COMPACTED, 0, 0);
	assert_opened(read_area(bytes, sizeof(bytes), &xf_layout_intel, &vcpu));
	make_area(bytes, XF_FPSSE | XF_AVX, 0, 0);
	vcpu.index = 99;
	assert_refused(read_area(bytes, sizeof(bytes), &xf_layout_intel, &vcpu), XF_ERR_DAMAGED,
		       "announces components up to byte 832");
	assert_int_equal(vcpu.index, 99);
}

/* ---- CPUID ---- */

static void add(struct xf_vcpu_cpuid *cpuid, uint32_t leaf, uint32_t subleaf, uint32_t flags,
		uint32_t eax, uint32_t ebx, uint32_t ecx)
{
	const struct xf_cpuid_entry entry = { leaf, subleaf, flags, { eax, ebx, ecx, 0 } };

	xf_vcpu_cpuid_add(cpuid, &entry);
}

/* A guest that was shown these components. */
static struct xf_vcpu_cpuid shown(uint32_t components)
{
	struct xf_vcpu_cpuid cpuid = { 0 };

	add(&cpuid, 0, 0, 0, 0xd, 0, 0);
	add(&cpuid, 1, 0, 0, 0, 0, XF_LEAF1_ECX_XSAVE);
	add(&cpuid, 7, 0, INDEXED, 0, 0, 0);
	add(&cpuid, 0xd, 0, INDEXED, components, 0, 0);
	add(&cpuid, 0xd, 1, INDEXED, 0, 0, 0);
	return cpuid;
}

static void test_layout(void **unused)
{
	struct xf_vcpu_cpuid cpuid = { 0 };
	struct xf_layout layout;

	(void)unused;
	assert_false(xf_vcpu_cpuid_layout(&cpuid, &layout));
	add(&cpuid, 0xd, 2, INDEXED, 256, 576, 0);
	add(&cpuid, 0xd, 9, INDEXED, 8, 0x980, 0);
	/* KVM goes by the first; the second, those without the flag, and 64 place nothing. */
	add(&cpuid, 0xd, 9, INDEXED, 8, 0xa80, 0);
	add(&cpuid, 0xd, 5, 0, 64, 0x340, 0);
	add(&cpuid, 0xd, 64, INDEXED, 64, 0x340, 0);
	assert_true(xf_vcpu_cpuid_layout(&cpuid, &layout));
	assert_int_equal(layout.at[2].offset, 576);
	assert_int_equal(layout.at[9].offset, 0x980);
	assert_int_equal(xf_layout_components(&layout), XF_FPSSE | XF_AVX | XF_PKRU);
	/* What lies in another's place cannot be. */
	add(&cpuid, 0xd, 6, INDEXED, 512, 0x900, 0);
	assert_false(xf_vcpu_cpuid_layout(&cpuid, &layout));
}

static void test_evidence(void **unused)
{
	struct xf_cpuid_evidence evidence = { 0 };
	struct xf_evidence *told = NULL;
	struct xf_vcpu_cpuid cpuid = shown(XF_FPSSE);

	(void)unused;
	xf_cpuid_evidence_add(&evidence, &cpuid);
	assert_opened(xf_cpuid_evidence_end(&evidence, "the file", &told));
	assert_string_equal(told->source, "the file");
	assert_false(told->all_of_host);
	assert_int_equal(told->guest.shown, XF_FPSSE);
	assert_true(told->guest.known & XF_AVX && told->guest.known & XF_PKRU);
	xf_evidence_free(told);

	/* What another vCPU was shown, the guest was shown. */
	cpuid = shown(XF_FPSSE | XF_AVX);
	xf_cpuid_evidence_add(&evidence, &cpuid);
	assert_int_equal(evidence.guest.shown, XF_FPSSE | XF_AVX);
	assert_true(evidence.guest.known & XF_PKRU);

	/* A vCPU that tells nothing may have been shown anything. */
	cpuid = (struct xf_vcpu_cpuid){ 0 };
	xf_cpuid_evidence_add(&evidence, &cpuid);
	assert_int_equal(evidence.guest.known, XF_FPSSE | XF_AVX);

	evidence = (struct xf_cpuid_evidence){ 0 };
	xf_cpuid_evidence_add(&evidence, &cpuid);
	assert_opened(xf_cpuid_evidence_end(&evidence, "the file", &told));
	assert_null(told);
	cpuid = shown(XF_FPSSE);
	xf_cpuid_evidence_add(&evidence, &cpuid);
	assert_false(evidence.guest.known & XF_PKRU);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_standard), cmocka_unit_test(test_compacted),
		cmocka_unit_test(test_no_place), cmocka_unit_test(test_header),
		cmocka_unit_test(test_layout),	 cmocka_unit_test(test_evidence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
