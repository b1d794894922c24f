/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The state components: one table that says what each is called, how large it
 * is, which CPUID bit shows it to a guest and what must come with it.
 * Sources: Intel SDM vol. 1, 13.1 and 13.5; AMD APM vol. 2, 11.5; the kernel's
 * arch/x86/include/asm/fpu/types.h and xstate.c (xsave_cpuid_features).
 */
#ifndef XF_CORE_COMPONENT_H
#define XF_CORE_COMPONENT_H

#include "core/bits.h"

#define XF_MASK_(n) ((uint64_t)1 << (n))

#define XF_X87 XF_MASK_(0)
#define XF_SSE XF_MASK_(1)
#define XF_AVX XF_MASK_(2)
#define XF_BNDREGS XF_MASK_(3)
#define XF_BNDCSR XF_MASK_(4)
#define XF_OPMASK XF_MASK_(5)
#define XF_ZMM_HI256 XF_MASK_(6)
#define XF_HI16_ZMM XF_MASK_(7)
#define XF_PT XF_MASK_(8)
#define XF_PKRU XF_MASK_(9)
#define XF_PASID XF_MASK_(10)
#define XF_CET_U XF_MASK_(11)
#define XF_CET_S XF_MASK_(12)
#define XF_HDC XF_MASK_(13)
#define XF_UINTR XF_MASK_(14)
#define XF_LBR XF_MASK_(15)
#define XF_HWP XF_MASK_(16)
#define XF_XTILECFG XF_MASK_(17)
#define XF_XTILEDATA XF_MASK_(18)
#define XF_APX XF_MASK_(19)

/* x87 and SSE: every guest has them, whatever its CPUID says of XSAVE. */
#define XF_FPSSE (XF_X87 | XF_SSE)
#define XF_MPX (XF_BNDREGS | XF_BNDCSR)
#define XF_AVX512 (XF_OPMASK | XF_ZMM_HI256 | XF_HI16_ZMM)
#define XF_CET (XF_CET_U | XF_CET_S)
#define XF_AMX (XF_XTILECFG | XF_XTILEDATA)

/* The components this table knows, and those of them that IA32_XSS governs, not XCR0. */
#define XF_DEFINED (XF_MASK_(20) - 1)
#define XF_SUPERVISOR (XF_PT | XF_PASID | XF_CET | XF_HDC | XF_UINTR | XF_LBR | XF_HWP)
#define XF_USER (XF_DEFINED & ~XF_SUPERVISOR)

enum xf_cpuid_reg { XF_EAX, XF_EBX, XF_ECX, XF_EDX };

/* One feature bit of CPUID. leaf 0 stands for "none". */
struct xf_cpuid_bit {
	uint32_t leaf;
	uint32_t subleaf;
	enum xf_cpuid_reg reg;
	unsigned char bit;
};

struct xf_component {
	const char *name;  /* "pkru": as xferry reads and prints it */
	const char *label; /* "PKRU": as people write it */
	const char *what;  /* one line for a person: what the registers are for */
	uint32_t size;	   /* bytes of its data; x87 and SSE: their parts of the legacy region */
	bool aligned;	   /* starts on 64 bytes in the compacted format (CPUID.(0xD,i).ECX[1]) */
	bool supervisor;   /* IA32_XSS governs it: never in KVM's uABI area */
	struct xf_cpuid_bit shown_by[2]; /* either bit, set, shows it to the guest (with XSAVE) */
	uint64_t group; /* all or none of these are enabled together; has its own bit */
	uint64_t needs; /* components that must be enabled for it to be */
};

/* The row of a component, or NULL for a number that none has. The row lives for ever. */
const struct xf_component *xf_component(struct xf_bit bit);

/*
 * The mask of a component ("pkru"), of a group ("avx512", "mpx", "amx", "cet")
 * or of the feature that people name instead ("pku", "fp", "xtile", "amx-tile",
 * "avx512f", "intel-pt"…). Not case sensitive; `len` characters are looked at.
 * 0: there is no such name.
 */
uint64_t xf_component_mask(const char *name, size_t len);

/*
 * Groups are complete and every need is met: what XCR0 may be
 * (SDM vol. 1, 13.3; KVM's __kvm_set_xcr). x87 must be there.
 */
bool xf_is_consistent(uint64_t mask);

/* The smallest consistent mask with all of `mask`. Bits without a row stay as they are. */
uint64_t xf_widen(uint64_t mask);

/* The largest consistent mask within `mask` | x87. Bits without a row stay as they are. */
uint64_t xf_narrow(uint64_t mask);

#endif
