/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The `cpu` section, version 12, as QEMU for x86-64 writes it
 * (vmstate_x86_cpu in target/i386/machine.c): the same 1,817 bytes in QEMU 5.2
 * to 11.1, then subsections, each there only when it has something to say.
 */
#ifndef XF_STATE_QEMU_CPU_H
#define XF_STATE_QEMU_CPU_H

#include "base/error.h"

#define XF_QEMU_CPU_VERSION 12
/* Bytes before the first subsection. */
#define XF_QEMU_CPU_FIELDS 1817

/* The values that belong to the extended state. */
enum xf_qemu_value {
	XF_QEMU_XSTATE_BV,
	XF_QEMU_XCR0,
	XF_QEMU_CR4,
	XF_QEMU_MXCSR,
	XF_QEMU_PKRU,
	XF_QEMU_XSS,
	XF_QEMU_PKRS,
	XF_QEMU_XFD,
	XF_QEMU_XFD_ERR,
	XF_QEMU_VALUES,
};

struct xf_qemu_value_place {
	const char *name;	/* of the field in the description */
	const char *subsection; /* where it is, or NULL: in the section itself */
	uint32_t offset;	/* in the section's or the subsection's payload */
	uint32_t size;
};

extern const struct xf_qemu_value_place xf_qemu_value_places[XF_QEMU_VALUES];

/* A kind of subsection. */
struct xf_qemu_cpu_subsection {
	const char *name;
	uint32_t size;	  /* of its own fields; what is nested in it comes behind */
	uint64_t carried; /* the components whose data it is */
};

/* The kind of that name, or NULL. */
const struct xf_qemu_cpu_subsection *xf_qemu_cpu_subsection(const char *name, size_t length);

/* Where the values of one vCPU are, in its section's payload. 0: the stream has it not. */
struct xf_qemu_cpu {
	uint32_t at[XF_QEMU_VALUES];
	uint64_t carried;
};

/* What every section has. */
void xf_qemu_cpu_init(struct xf_qemu_cpu *cpu);

/* A subsection whose fields begin at `at`. */
void xf_qemu_cpu_add(struct xf_qemu_cpu *cpu, const struct xf_qemu_cpu_subsection *kind,
		     uint32_t at);

/* Reads the values. `offset` is where `payload` lies in the file. */
void xf_qemu_cpu_read(const struct xf_qemu_cpu *cpu, const uint8_t *payload, uint64_t offset,
		      uint32_t instance, struct xf_vcpu *out);

/* XF_ERR_DAMAGED when two of the vCPUs have the same index. */
struct xf_error *xf_qemu_cpu_unique(const struct xf_vcpu *vcpus, size_t count, const char *file);

#endif
