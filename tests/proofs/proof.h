/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One directory a proof: its proof.c states one invariant of the rule over one
 * case, and says which parts of a case it reads. driver.c makes the cases: all
 * that matter as a plain test, or any at all (XF_CBMC) for a bounded model
 * checker.
 */
#ifndef XF_TESTS_PROOF_H
#define XF_TESTS_PROOF_H

#include "core/rule.h"

struct proof_case {
	struct xf_guest guest;	  /* what is known of the guest */
	uint64_t host;		  /* what the target holds; kvm.host is the same */
	uint64_t only;		  /* the components that a repair may touch */
	struct xf_area_head head; /* the state: head.xstate_bv */
	struct xf_kvm kvm;	  /* as it is known: kvm.set may be unknown */
	enum xf_kvm_set set;	  /* what it really does */
	struct xf_kvm_vcpu vcpu;  /* what the guest was really shown */
};

/* What a proof reads of a case; the driver leaves the rest alone. */
enum proof_axis {
	READS_STATE = 1 << 0,
	READS_SHOWN = 1 << 1,
	READS_KNOWN = 1 << 2,
	READS_HOST = 1 << 3,
	READS_ONLY = 1 << 4,
	READS_CPUID = 1 << 5,
	READS_SET = 1 << 6,  /* kvm.set, set, no_xsave, hook_pkru */
	READS_GET = 1 << 7,  /* kvm.get, get_after_cpuid, no_xsave */
	READS_HEAD = 1 << 8, /* the rest of the head, and which of it the KVM checks */
	READS_VCPU = 1 << 9, /* cpuid_set, guarded, xfd, and what the KVM does about them */
	IS_SLOW = 1 << 10,   /* of the states that nothing singles out, one in 509 will do */
};

#define READS_GUEST (READS_SHOWN | READS_KNOWN)

extern const unsigned int proof_reads;
void proof(const struct proof_case *c);

#ifdef XF_CBMC
#ifdef XF_REACHED
/* For the run that wants every claim to be reached: none of them may hold. */
#define CLAIM(condition) __CPROVER_assert((condition) && false, "reached: " #condition)
#else
#define CLAIM(condition) __CPROVER_assert(condition, #condition)
#endif
#define ASSUME(condition) __CPROVER_assume(condition)
#else
/* Ends the run with the case that does not hold. */
void proof_failed(const struct proof_case *c, const char *claim);
#define CLAIM(condition) ((condition) ? (void)0 : proof_failed(c, #condition))
/* Leaves a proof: it says nothing of this case. */
void proof_skipped(void);
#define ASSUME(condition)                \
	do {                             \
		if (!(condition)) {      \
			proof_skipped(); \
			return;          \
		}                        \
	} while (0)
#endif

/* The KVM as it really is. */
static inline struct xf_kvm real_kvm(const struct proof_case *c)
{
	struct xf_kvm kvm = c->kvm;

	kvm.set = c->set;
	return kvm;
}

/* Whether the vCPU's CPUID is one that the evidence allows; one not shown any has no leaf 0xD. */
static inline bool agrees(const struct proof_case *c)
{
	struct xf_guest guest = xf_guest_normal(c->guest);
	uint64_t cpuid = c->vcpu.cpuid;

	if (cpuid & guest.known & ~guest.shown)
		return false;
	return (cpuid & guest.shown) == guest.shown || (!cpuid && !(guest.shown & ~XF_FPSSE));
}

/* A fresh vCPU: what xf_predict speaks of. */
static inline struct xf_kvm_vcpu fresh(uint64_t cpuid)
{
	return (struct xf_kvm_vcpu){ .cpuid = cpuid, .cpuid_set = true };
}

#endif
