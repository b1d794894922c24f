/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which function of KVM is hooked, and what else differs between kernels. Kbuild asks
 * the kernel's headers for each, so no version is tested:
 *
 * XF_HAS_GUEST_FPSTATE: KVM's FPU state is a struct fpu_guest, copied by functions of
 * the core kernel (d69c1382e1b7, 5.16; distributions' 5.15 that took the rework). Before,
 * KVM copies it in a function of its own, which compilers often merge into its caller.
 *
 * XF_HAS_CONFIDENTIAL: encrypted state is marked in the fpstate (2ab3f2a2e2a1 and its
 * neighbours, 5.16).
 *
 * XF_HAS_STATE_PROTECTED: and in the vCPU (f1c6366e3043, 5.11). Where neither is there
 * KVM knows no guest whose state is encrypted.
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

#ifdef XF_HAS_GUEST_FPSTATE
#include <asm/fpu/api.h>
#define XF_SET_SYMBOL "fpu_copy_uabi_to_guest_fpstate"
#define XF_GET_SYMBOL "fpu_copy_guest_fpstate_to_uabi"
#else
#define XF_SET_SYMBOL "kvm_vcpu_ioctl_x86_set_xsave"
#endif

#endif
