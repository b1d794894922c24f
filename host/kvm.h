/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The calls of KVM that concern a guest's extended state, thinly wrapped. x86 only.
 *
 *	XF_AUTO(xf_kvm_scope) struct xf_kvm_device kvm = XF_KVM_CLOSED;
 *	XF_AUTO(xf_kvm_vm_scope) struct xf_kvm_vm vm = XF_KVM_CLOSED;
 *	XF_AUTO(xf_kvm_cpu_scope) struct xf_kvm_cpu cpu = XF_KVM_CLOSED;
 *	static struct xf_kvm_cpuid supported, guest;
 *	static unsigned char area[XF_KVM_AREA_MAX];
 *
 *	XF_TRY(xf_kvm_open(&kvm));
 *	XF_TRY(xf_kvm_supported_cpuid(&kvm, &supported));
 *	XF_TRY(xf_kvm_create_vm(&kvm, &vm));
 *	XF_TRY(xf_kvm_create_cpu(&vm, &cpu));
 *	xf_kvm_cpuid_show(&supported, XF_FPSSE, &guest);
 *	int answer = xf_kvm_set_cpuid(&cpu, &guest);	// 0, or EINVAL…
 *	if (!answer)
 *		answer = xf_kvm_set_xsave(&cpu, area);
 *
 * Two kinds of functions. What opens something gives a struct xf_error as all of the
 * library does, since without it nothing can be asked. What asks a question gives
 * KVM's answer: 0 or the errno, for a refusal is an answer and no failure. An
 * interrupted call is made again, except KVM_RUN.
 */
#ifndef XF_HOST_KVM_H
#define XF_HOST_KVM_H

#include <linux/kvm.h>

#include "base/error.h"
#include "core/shown.h"

/* Newer than the headers of some distributions that still build this. */
#ifndef KVM_CAP_XSAVE2
#define KVM_CAP_XSAVE2 208
#define KVM_GET_XSAVE2 _IOR(KVMIO, 0xcf, struct kvm_xsave)
#endif

/* Room for any area: AMX needs 11,008 bytes. A KVM with larger ones gives no vCPU here. */
#define XF_KVM_AREA_MAX 16384

/* What none of the three below has been opened as yet. */
#define XF_KVM_CLOSED    \
	{                \
		.fd = -1 \
	}

/* /dev/kvm */
struct xf_kvm_device {
	int fd;
};

struct xf_kvm_vm {
	int fd;
	int device;	    /* the fd of its struct xf_kvm_device; not owned */
	uint32_t area_size; /* bytes of an area here: KVM_CAP_XSAVE2, or 4096 without that */
	bool has_xsave2;
};

struct xf_kvm_cpu {
	int fd;
	uint32_t area_size;
	bool has_xsave2;
	struct kvm_run *run; /* mapped by the first xf_kvm_run, else NULL */
	uint32_t run_size;
};

/* ---- Opening ---- */

/* Opens /dev/kvm for reading and writing, and sees that it is a KVM of the one stable API. */
struct xf_error *xf_kvm_open(struct xf_kvm_device *out);
void xf_kvm_close(struct xf_kvm_device *kvm);

/*
 * What AMX needs: leave of the kernel for this process to have guests with these
 * dynamic components (ARCH_REQ_XCOMP_GUEST_PERM). To be asked before the first vCPU
 * and before KVM_GET_SUPPORTED_CPUID, which shows only what is permitted. 0 or the
 * errno: EOPNOTSUPP or EINVAL where CPU or kernel have no such component.
 */
int xf_kvm_permit(struct xf_bit component);

/* A virtual machine without memory and without an interrupt controller. */
struct xf_error *xf_kvm_create_vm(const struct xf_kvm_device *kvm, struct xf_kvm_vm *out);
void xf_kvm_close_vm(struct xf_kvm_vm *vm);

/* A vCPU as after reset, without CPUID. `id` must be new in this VM. */
struct xf_error *xf_kvm_create_cpu(const struct xf_kvm_vm *vm, unsigned int id,
				   struct xf_kvm_cpu *out);
void xf_kvm_close_cpu(struct xf_kvm_cpu *cpu);

/* For XF_AUTO. */
void xf_kvm_scope(struct xf_kvm_device *kvm);
void xf_kvm_vm_scope(struct xf_kvm_vm *vm);
void xf_kvm_cpu_scope(struct xf_kvm_cpu *cpu);

/* KVM_CHECK_EXTENSION on any of the three file descriptors; 0 when it is not there. */
int xf_kvm_capability(int fd, int capability);

/* ---- CPUID ---- */

#define XF_KVM_CPUID_MAX 256

/* struct kvm_cpuid2 with room. */
struct xf_kvm_cpuid {
	uint32_t count;
	uint32_t padding;
	struct kvm_cpuid_entry2 entries[XF_KVM_CPUID_MAX];
};

/* KVM_GET_SUPPORTED_CPUID */
struct xf_error *xf_kvm_supported_cpuid(const struct xf_kvm_device *kvm, struct xf_kvm_cpuid *out);

/* KVM_SET_CPUID2, KVM_GET_CPUID2 */
int xf_kvm_set_cpuid(const struct xf_kvm_cpu *cpu, const struct xf_kvm_cpuid *cpuid);
int xf_kvm_get_cpuid(const struct xf_kvm_cpu *cpu, struct xf_kvm_cpuid *out);

/* The entry of a leaf, or NULL. */
const struct kvm_cpuid_entry2 *xf_kvm_cpuid_find(const struct xf_kvm_cpuid *cpuid, uint32_t leaf,
						 uint32_t subleaf);

/* CPUID.(0xD,0).EDX:EAX: the components shown; 0 without that leaf. */
uint64_t xf_kvm_cpuid_shown(const struct xf_kvm_cpuid *cpuid);

/*
 * What it tells of what a guest is shown, leaf by leaf (core/shown.h); nothing when it has
 * no entries. So the module reads what KVM was given.
 */
struct xf_guest xf_kvm_cpuid_evidence(const struct xf_kvm_cpuid *cpuid);

/* Sub-leaves 0 to 63 of leaf 0xD, as xf_layout_from_cpuid takes them. */
void xf_kvm_cpuid_extents(const struct xf_kvm_cpuid *cpuid, struct xf_cpuid_regs out[XF_BITS]);

/*
 * The CPUID of a guest that is shown the components of `mask` and all else that
 * KVM supports: leaf 0xD is cut to `mask`, the feature bits of the others are cleared.
 */
void xf_kvm_cpuid_show(const struct xf_kvm_cpuid *supported, uint64_t mask,
		       struct xf_kvm_cpuid *out);

/* The CPUID of a guest without XSAVE: no leaf 0xD, no feature bit that needs it. */
void xf_kvm_cpuid_bare(const struct xf_kvm_cpuid *supported, struct xf_kvm_cpuid *out);

/* ---- State ---- */

/* KVM_SET_XSAVE: reads `cpu->area_size` bytes. */
int xf_kvm_set_xsave(const struct xf_kvm_cpu *cpu, const void *area);

/* KVM_GET_XSAVE2, or KVM_GET_XSAVE without that: writes `cpu->area_size` bytes. */
int xf_kvm_get_xsave(const struct xf_kvm_cpu *cpu, void *area);

/* KVM_SET_XCRS, KVM_GET_XCRS: XCR0 alone. */
int xf_kvm_set_xcr0(const struct xf_kvm_cpu *cpu, uint64_t xcr0);
int xf_kvm_get_xcr0(const struct xf_kvm_cpu *cpu, uint64_t *out);

#define XF_MSR_IA32_XFD 0x1c4

/* KVM_SET_MSRS, KVM_GET_MSRS of one MSR. ENOENT: KVM would not take that one. */
int xf_kvm_set_msr(const struct xf_kvm_cpu *cpu, uint32_t msr, uint64_t value);
int xf_kvm_get_msr(const struct xf_kvm_cpu *cpu, uint32_t msr, uint64_t *out);

/* KVM_SET_USER_MEMORY_REGION: `size` bytes at `memory`, both of whole pages. */
int xf_kvm_set_memory(const struct xf_kvm_vm *vm, uint32_t slot, uint64_t guest_address,
		      void *memory, uint64_t size);

/*
 * KVM_SET_TSS_ADDR: three pages of the guest's addresses that Intel CPUs without
 * "unrestricted guest" need for real mode. Others take it and do nothing.
 */
int xf_kvm_set_tss(const struct xf_kvm_vm *vm, uint64_t guest_address);

/*
 * KVM_RUN until it comes back: `cpu->run->exit_reason` tells why. After
 * `milliseconds` it is made to come back, and the answer is ETIMEDOUT. It runs in a
 * thread of its own, so that no signal and no handler of the caller's is touched. One
 * that does not even come back then is left alone: `cpu` is closed (its fd -1), and
 * its thread, fd and mapping stay until the process ends.
 */
int xf_kvm_run(struct xf_kvm_cpu *cpu, unsigned int milliseconds);

#endif
