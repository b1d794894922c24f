/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "base/bytes.h"
#include "base/scope.h"
#include "state/qemu_cpu.h"

const struct xf_qemu_value_place xf_qemu_value_places[XF_QEMU_VALUES] = {
	[XF_QEMU_XSTATE_BV] = { "env.xstate_bv", NULL, 1553, 8 },
	[XF_QEMU_XCR0] = { "env.xcr0", NULL, 1545, 8 },
	[XF_QEMU_CR4] = { "env.cr[4]", NULL, 480, 8 },
	[XF_QEMU_MXCSR] = { "env.mxcsr", NULL, 556, 4 },
	[XF_QEMU_PKRU] = { "env.pkru", "cpu/pkru", 0, 4 },
	[XF_QEMU_XSS] = { "env.xss", "cpu/xss", 0, 8 },
	[XF_QEMU_PKRS] = { "env.pkrs", "cpu/pkrs", 0, 4 },
	[XF_QEMU_XFD] = { "env.msr_xfd", "cpu/msr_xfd", 0, 8 },
	[XF_QEMU_XFD_ERR] = { "env.msr_xfd_err", "cpu/msr_xfd", 8, 8 },
};

/*
 * Every subsection of QEMU 5.2 to 11.1. Nested ones ("cpu/cet_shstk") follow
 * their parent's fields, so a stream without description can be read flat.
 */
static const struct xf_qemu_cpu_subsection subsections[] = {
	{ "cpu/amd_tsc_scale_msr", 8, 0 },
	{ "cpu/apx", 16 * 8, XF_APX },
	{ "cpu/arch_lbr", 16 + 32 * 24, 0 },
	{ "cpu/async_pf_int_msr", 8, 0 },
	{ "cpu/async_pf_msr", 8, 0 },
	{ "cpu/async_pv_eoi_msr", 8, 0 },
	{ "cpu/avx512", 8 * 8 + 16 * 32 + 16 * 64, XF_AVX512 },
	{ "cpu/cet", 16, 0 },
	{ "cpu/cet_shstk", 40, 0 },
	{ "cpu/efer32", 8, 0 },
	{ "cpu/error_code", 4, 0 },
	{ "cpu/exception_info", 11, 0 },
	{ "cpu/fpop_ip_dp", 18, 0 },
	{ "cpu/fred", 72, 0 },
	{ "cpu/intel_amx_xtile", 64 + 8192, XF_AMX },
	{ "cpu/intel_pt", 40 + 8 * 8, 0 },
	{ "cpu/intel_sgx", 32, 0 },
	{ "cpu/kvm_nested_state/svm", 8 + 4096, 0 },
	{ "cpu/kvm_nested_state/vmx", 18, 0 },
	{ "cpu/kvm_nested_state/vmx/shadow_vmcs12", 4096, 0 },
	{ "cpu/kvm_nested_state/vmx/vmcs12", 4096, 0 },
	{ "cpu/mcg_ext_ctl", 8, 0 },
	{ "cpu/mpx", 4 * 16 + 3 * 8, XF_MPX },
	{ "cpu/msr_architectural_pmu", 32 + (3 + 18 + 18) * 8, 0 },
	{ "cpu/msr_hwcr", 8, 0 },
	{ "cpu/msr_hyperv_crash", 40, 0 },
	{ "cpu/msr_hyperv_hypercall", 16, 0 },
	{ "cpu/msr_hyperv_reenlightenment", 24, 0 },
	{ "cpu/msr_hyperv_runtime", 8, 0 },
	{ "cpu/msr_hyperv_stimer", 64, 0 },
	{ "cpu/msr_hyperv_synic", 24 + 16 * 8, 0 },
	{ "cpu/msr_hyperv_time", 8, 0 },
	{ "cpu/msr_hyperv_vapic", 8, 0 },
	{ "cpu/msr_ia32_feature_control", 8, 0 },
	{ "cpu/msr_ia32_misc_enable", 8, 0 },
	{ "cpu/msr_pl0_ssp", 8, 0 },
	{ "cpu/msr_smi_count", 8, 0 },
	{ "cpu/msr_tsc_adjust", 8, 0 },
	{ "cpu/msr_tscdeadline", 8, 0 },
	{ "cpu/msr_tsx_ctrl", 4, 0 },
	{ "cpu/msr_xfd", 16, 0 },
	{ "cpu/nested_state", 8, 0 },
	{ "cpu/pdptrs", 32, 0 },
	{ "cpu/pkrs", 4, 0 },
	{ "cpu/pkru", 4, XF_PKRU },
	{ "cpu/poll_control_msr", 8, 0 },
	{ "cpu/spec_ctrl", 8, 0 },
	{ "cpu/steal_time_msr", 8, 0 },
	{ "cpu/svm_guest", 4, 0 },
	{ "cpu/svn_npt", 12, 0 },
	{ "cpu/triple_fault", 1, 0 },
	{ "cpu/tsc_khz", 8, 0 },
	{ "cpu/umwait", 4, 0 },
	{ "cpu/virt_ssbd", 8, 0 },
	{ "cpu/xen_vcpu", 4 * 8 + 1 + 24 * 2 + 2 * 8, 0 },
	{ "cpu/xss", 8, 0 },
};

const struct xf_qemu_cpu_subsection *xf_qemu_cpu_subsection(const char *name, size_t length)
{
	for (size_t i = 0; i < sizeof(subsections) / sizeof(subsections[0]); i++)
		if (strlen(subsections[i].name) == length &&
		    memcmp(subsections[i].name, name, length) == 0)
			return &subsections[i];
	return NULL;
}

void xf_qemu_cpu_init(struct xf_qemu_cpu *cpu)
{
	*cpu = (struct xf_qemu_cpu){ 0 };
	for (unsigned int i = 0; i < XF_QEMU_VALUES; i++)
		if (!xf_qemu_value_places[i].subsection)
			cpu->at[i] = xf_qemu_value_places[i].offset;
}

void xf_qemu_cpu_add(struct xf_qemu_cpu *cpu, const struct xf_qemu_cpu_subsection *kind,
		     uint32_t at)
{
	cpu->carried |= kind->carried;
	for (unsigned int i = 0; i < XF_QEMU_VALUES; i++) {
		const struct xf_qemu_value_place *place = &xf_qemu_value_places[i];

		if (place->subsection && strcmp(place->subsection, kind->name) == 0)
			cpu->at[i] = at + place->offset;
	}
}

void xf_qemu_cpu_read(const struct xf_qemu_cpu *cpu, const uint8_t *payload, uint64_t offset,
		      uint32_t instance, struct xf_vcpu *out)
{
	struct xf_field values[XF_QEMU_VALUES] = { 0 };

	for (unsigned int i = 0; i < XF_QEMU_VALUES; i++) {
		const uint8_t *p = payload + cpu->at[i];

		if (cpu->at[i] == 0)
			continue;
		values[i].size = xf_qemu_value_places[i].size;
		values[i].offset = offset + cpu->at[i];
		values[i].value = values[i].size == 8 ? xf_be64(p) : xf_be32(p);
	}
	*out = (struct xf_vcpu){
		.index = instance,
		.xstate_bv = values[XF_QEMU_XSTATE_BV],
		.xcr0 = values[XF_QEMU_XCR0],
		.cr4 = values[XF_QEMU_CR4],
		.mxcsr = values[XF_QEMU_MXCSR],
		.pkru = values[XF_QEMU_PKRU],
		.xss = values[XF_QEMU_XSS],
		.pkrs = values[XF_QEMU_PKRS],
		.xfd = values[XF_QEMU_XFD],
		.xfd_err = values[XF_QEMU_XFD_ERR],
		.carried = cpu->carried,
	};
}

static int compare_indices(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a;
	uint32_t y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

struct xf_error *xf_qemu_cpu_unique(const struct xf_vcpu *vcpus, size_t count, const char *file)
{
	XF_AUTO_FREE uint32_t *indices = malloc((count + 1) * sizeof(*indices));

	if (!indices)
		return xf_error_memory();
	for (size_t i = 0; i < count; i++)
		indices[i] = vcpus[i].index;
	qsort(indices, count, sizeof(*indices), compare_indices);
	for (size_t i = 1; i < count; i++)
		if (indices[i] == indices[i - 1])
			return xf_error_new(XF_ERR_DAMAGED, file, "has two sections for vCPU %u",
					    indices[i]);
	return NULL;
}
