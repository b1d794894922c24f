/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What differs between kernels. Kbuild asks the kernel's headers for each of these, so no
 * version is tested:
 *
 * XF_HAS_GUEST_FPSTATE: a guest's FPU state is a struct fpu_guest, which functions of the
 * core kernel copy (d69c1382e1b7, 5.16; distributions' 5.15 that took the rework). Before,
 * KVM copied it in functions of its own, which compilers often merge into their caller.
 *
 * XF_HAS_CONFIDENTIAL: fpstate_is_confidential() tells encrypted state (5.16).
 *
 * XF_HAS_STATE_PROTECTED: so does the vCPU (not in 5.10, in 6.1). Where neither is there,
 * KVM has no guest whose state is encrypted.
 *
 * XF_HAS_SUPPORTED_XCR0: KVM keeps the mask of what leaf 0xD shows and the host holds
 * (not from 988896bb6182, 5.17, to 8647c52e9504, 6.6 and 6.1.60).
 *
 * XF_HAS_CPUID_API: cpuid_count() has a header of its own (7.2), not asm/processor.h (6.1).
 */
#ifndef XF_KMOD_COMPAT_H
#define XF_KMOD_COMPAT_H

#include <linux/kvm_host.h>

#ifndef CONFIG_X86_64
#error "xferry is for x86-64 only"
#endif
#ifndef CONFIG_KPROBES
#error "xferry needs a kernel with CONFIG_KPROBES"
#endif
#if !IS_ENABLED(CONFIG_KVM)
#error "xferry needs a kernel with CONFIG_KVM"
#endif

#include <asm/processor.h>
#ifdef XF_HAS_CPUID_API
#include <asm/cpuid/api.h>
#endif

#ifdef XF_HAS_GUEST_FPSTATE
#include <asm/fpu/api.h>
#define XF_SET_SYMBOL "fpu_copy_uabi_to_guest_fpstate"
#define XF_GET_SYMBOL "fpu_copy_guest_fpstate_to_uabi"
#else
#define XF_SET_SYMBOL "kvm_vcpu_ioctl_x86_set_xsave"
#endif

#endif
