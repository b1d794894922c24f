/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* QEMU's CPU models and the words of its -cpu, as host/gen-models.py makes them of host/models/. */
#ifndef XF_HOST_MODELS_H
#define XF_HOST_MODELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Features that put a component into CPUID leaf 0xD; cpu_model.c says which. */
enum {
	XF_SHOWS_XSAVE = 1 << 0,
	XF_SHOWS_AVX = 1 << 1,
	XF_SHOWS_MPX = 1 << 2,
	XF_SHOWS_AVX512F = 1 << 3,
	XF_SHOWS_AVX10 = 1 << 4,
	XF_SHOWS_PKU = 1 << 5,
	XF_SHOWS_INTEL_PT = 1 << 6,
	XF_SHOWS_ENQCMD = 1 << 7,
	XF_SHOWS_CET_SS = 1 << 8,
	XF_SHOWS_CET_IBT = 1 << 9,
	XF_SHOWS_UINTR = 1 << 10,
	XF_SHOWS_ARCH_LBR = 1 << 11,
	XF_SHOWS_AMX_TILE = 1 << 12,
	XF_SHOWS_APXF = 1 << 13,
	XF_SHOWS_ALL = (1 << 14) - 1,
};

struct xf_cpu_model {
	const char *name;
	uint16_t any;	 /* XF_SHOWS_: what it shows in one of the QEMUs, on one machine type */
	uint16_t all;	 /* what it shows in all of them */
	uint16_t tables; /* bit i: xf_qemu_versions[i] has it */
	bool of_host;	 /* shows what its host has: host, max, base */
};

/* A property of -cpu; QEMU reads '_' in a name as '-', so names have '-' only. */
struct xf_cpu_feature {
	const char *name;
	uint16_t shows; /* its XF_SHOWS_ bit, or 0 */
	bool is_bool;	/* on or off; else it wants some other value */
};

/* Models and features are sorted as strcmp does. */
extern const struct xf_cpu_model xf_cpu_models[];
extern const size_t xf_cpu_model_count;
extern const struct xf_cpu_feature xf_cpu_features[];
extern const size_t xf_cpu_feature_count;
extern const char *const xf_qemu_versions[]; /* in the order given: oldest first */
extern const size_t xf_qemu_version_count;

#endif
