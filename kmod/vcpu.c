/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "compat.h"
#include "vcpu.h"

#include <linux/mutex.h>
#include <linux/printk.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/uaccess.h>

/* The functions are what they are taken for, or this does not compile. */
#ifdef XF_HAS_GUEST_FPSTATE
typedef int set_fn(struct fpu_guest *gfpu, const void *buf, u64 xcr0, u32 *pkru);
/* 18164f66e6c5 (6.6, 6.1.60) gave it the mask of what to copy. */
typedef void get_fn(struct fpu_guest *gfpu, void *buf, unsigned int size, u64 xfeatures, u32 pkru);
typedef void old_get_fn(struct fpu_guest *gfpu, void *buf, unsigned int size, u32 pkru);

#define GET_IS(type) __same_type(fpu_copy_guest_fpstate_to_uabi, type)
#define GET_PKRU (GET_IS(get_fn) ? 4 : 3)

static_assert(__same_type(fpu_copy_uabi_to_guest_fpstate, set_fn),
	      "xferry knows another fpu_copy_uabi_to_guest_fpstate");
static_assert(GET_IS(get_fn) || GET_IS(old_get_fn),
	      "xferry knows another fpu_copy_guest_fpstate_to_uabi");
static_assert(__same_type(((struct kvm_vcpu *)0)->arch.guest_fpu, struct fpu_guest),
	      "xferry knows another struct kvm_vcpu_arch: guest_fpu");
#endif
static_assert(__same_type(((struct kvm_vcpu *)0)->arch.pkru, u32),
	      "xferry knows another struct kvm_vcpu_arch: pkru");
static_assert(__same_type(((struct kvm_vcpu *)0)->arch.cpuid_entries, struct kvm_cpuid_entry2 *),
	      "xferry knows another struct kvm_vcpu_arch: cpuid_entries");
static_assert(__same_type(((struct kvm_vcpu *)0)->arch.cpuid_nent, int),
	      "xferry knows another struct kvm_vcpu_arch: cpuid_nent");

/* Bits of a mutex' owner that are no part of the pointer (kernel/locking/mutex.h). */
#define MUTEX_FLAG_BITS 7UL

static bool distrusted;

bool xf_call_distrusted(void)
{
	return READ_ONCE(distrusted);
}

static bool distrust(const char *function, const char *what)
{
	if (!xchg(&distrusted, true))
		pr_warn("%s: %s; hands off for good: this is not the KVM xferry was built for\n",
			function, what);
	return false;
}

/* KVM holds it during every call of a vCPU's ioctls. */
static bool holds(const struct mutex *mutex)
{
#ifdef CONFIG_PREEMPT_RT
	return mutex_is_locked((struct mutex *)mutex);
#else
	return (atomic_long_read(&mutex->owner) & ~MUTEX_FLAG_BITS) == (unsigned long)current;
#endif
}

/* Called through the vCPU's fd by one of the VM's own threads. */
static bool is_own_call(const struct kvm_vcpu *vcpu)
{
	return holds(&vcpu->mutex) && vcpu->kvm->mm == current->mm;
}

#ifdef XF_HAS_GUEST_FPSTATE
static struct kvm_vcpu *vcpu_of(struct pt_regs *regs)
{
	struct fpu_guest *fpu = (struct fpu_guest *)regs_get_kernel_argument(regs, 0);

	return container_of(fpu, struct kvm_vcpu, arch.guest_fpu);
}

bool xf_call_set(struct pt_regs *regs, struct xf_call *out)
{
	out->vcpu = vcpu_of(regs);
	out->area = (void *)regs_get_kernel_argument(regs, 1);
	out->size = XF_EXTENDED_OFFSET;
	if (xf_call_distrusted())
		return false;
	/* Only compared: nothing is followed before this holds. */
	if ((u32 *)regs_get_kernel_argument(regs, 3) != &out->vcpu->arch.pkru)
		return distrust(XF_SET_SYMBOL, "not called with a vCPU's PKRU");
	if (!is_own_call(out->vcpu))
		return distrust(XF_SET_SYMBOL, "not called by one that holds the vCPU");
	return true;
}

bool xf_call_get(struct pt_regs *regs, struct xf_call *out)
{
	out->vcpu = vcpu_of(regs);
	out->area = (void *)regs_get_kernel_argument(regs, 1);
	out->size = (unsigned int)regs_get_kernel_argument(regs, 2);
	if (xf_call_distrusted())
		return false;
	if (!is_own_call(out->vcpu))
		return distrust(XF_GET_SYMBOL, "not called by one that holds the vCPU");
	if ((u32)regs_get_kernel_argument(regs, GET_PKRU) != out->vcpu->arch.pkru)
		return distrust(XF_GET_SYMBOL, "not called with the vCPU's PKRU");
	return true;
}
#else
/* kvm_vcpu_ioctl_x86_set_xsave(vcpu, guest_xsave) */
bool xf_call_set(struct pt_regs *regs, struct xf_call *out)
{
	out->vcpu = (struct kvm_vcpu *)regs_get_kernel_argument(regs, 0);
	out->area = ((struct kvm_xsave *)regs_get_kernel_argument(regs, 1))->region;
	out->size = XF_EXTENDED_OFFSET;
	if (xf_call_distrusted())
		return false;
	if (!is_own_call(out->vcpu))
		return distrust(XF_SET_SYMBOL, "not called by one that holds the vCPU");
	return true;
}
#endif

bool xf_vcpu_protected(const struct kvm_vcpu *vcpu)
{
#ifdef XF_HAS_STATE_PROTECTED
	if (vcpu->arch.guest_state_protected)
		return true;
#endif
#ifdef XF_HAS_CONFIDENTIAL
	if (fpstate_is_confidential((struct fpu_guest *)&vcpu->arch.guest_fpu))
		return true;
#endif
	return false;
}

u64 xf_vcpu_supported(const struct kvm_vcpu *vcpu)
{
#ifdef XF_HAS_SUPPORTED_XCR0
	return vcpu->arch.guest_supported_xcr0;
#else
	return 0;
#endif
}

static void note_leaf(struct xf_shown *shown, const struct kvm_cpuid_entry2 *entry)
{
	const struct xf_cpuid_regs regs = { entry->eax, entry->ebx, entry->ecx, entry->edx };

	xf_shown_entry(shown, entry->function, entry->index,
		       entry->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX, &regs);
}

/*
 * Whether there is a table where this module's headers say. The checks of a call do not
 * reach that far into the structure, and what is not a table must not be followed.
 */
static bool is_table(const struct kvm_cpuid_entry2 *entries, int count)
{
	u32 ends[2];

	return count <= KVM_MAX_CPUID_ENTRIES &&
	       !copy_from_kernel_nofault(&ends[0], &entries[0].function, sizeof(u32)) &&
	       !copy_from_kernel_nofault(&ends[1], &entries[count - 1].padding[2], sizeof(u32));
}

/* The entries cannot change: who sets them needs the vCPU's mutex, which the caller holds. */
bool xf_vcpu_shown(const struct kvm_vcpu *vcpu, struct xf_shown *out)
{
	const struct kvm_cpuid_entry2 *entries = vcpu->arch.cpuid_entries;
	int count = vcpu->arch.cpuid_nent;

	if (count <= 0)
		return false;
	if (!is_table(entries, count))
		return distrust("struct kvm_vcpu_arch", "no CPUID where it is looked for");
	out->seen = 0;
	for (int i = 0; i < count; i++)
		if (xf_shown_keeps(entries[i].function))
			note_leaf(out, &entries[i]);
	if (xf_vcpu_supported(vcpu) & ~xf_shown_leaf_d(out))
		return distrust("struct kvm_vcpu_arch", "not the CPUID that KVM has gone by");
	return true;
}

int xf_vcpu_id(const struct kvm_vcpu *vcpu)
{
	return vcpu->vcpu_id;
}

const void *xf_vcpu_vm(const struct kvm_vcpu *vcpu)
{
	return vcpu->kvm;
}
