/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The rule. Three masks decide everything: what the saved state has in use,
 * what the guest was shown, what the target can hold. Two things are sacred:
 * a component that the guest was shown is never dropped, and nothing is changed
 * without evidence of what it was shown.
 *
 * Evidence may speak of some components only ("-cpu host,-pku" tells of PKRU
 * and of nothing else), so it is two masks.
 */
#ifndef XF_CORE_RULE_H
#define XF_CORE_RULE_H

#include "core/area.h"

/*
 * What is known of the CPUID a guest was shown (CPUID.(0xD,0).EDX:EAX). Bits of
 * `shown` outside `known` mean nothing. x87 and SSE always count as known and
 * shown, and so does whatever a shown component cannot be without (xf_widen).
 */
struct xf_guest {
	uint64_t shown;
	uint64_t known;
};

/* No evidence at all. */
#define XF_GUEST_UNKNOWN ((struct xf_guest){ 0, 0 })

struct xf_judgement {
	uint64_t superfluous; /* in use, known not to be the guest's: may be dropped */
	uint64_t undecided;   /* in use, no evidence: never dropped */
	uint64_t lost;	      /* in use, the guest's own, and the target cannot hold it */
	uint64_t missing;     /* shown to the guest, absent at the target, in use or not */
};

/* Judges one vCPU. `host` is what the target can hold; ~0 when there is no target. */
struct xf_judgement xf_judge(uint64_t state, struct xf_guest guest, uint64_t host);

/* The components that a repair drops: the superfluous ones among `only` (~0: all). */
uint64_t xf_droppable(uint64_t state, struct xf_guest guest, uint64_t only);

/* The guest mask with everything that is implied: what xf_judge works with. */
struct xf_guest xf_guest_normal(struct xf_guest guest);

/* What KVM_GET_XSAVE puts into XSTATE_BV. */
enum xf_kvm_get {
	XF_GET_UNKNOWN,
	XF_GET_TRIMS,	   /* in use, within what the guest was shown, x87 and SSE included */
	XF_GET_TRIMS_BARE, /* the same, but x87 and SSE only if leaf 0xD shows them (5.17) */
	XF_GET_LEAKS,	   /* all that is in use */
};

/* What KVM_SET_XSAVE lets into XSTATE_BV. */
enum xf_kvm_set {
	XF_SET_UNKNOWN,
	XF_SET_HOST,	   /* what the host can hold */
	XF_SET_GUEST,	   /* what the guest was shown, x87 and SSE included: strict */
	XF_SET_GUEST_BARE, /* the same without that inclusion (before a1020a25e697) */
};

/*
 * How one KVM treats a guest's XSAVE state. Facts of a kernel and a CPU, found by
 * asking (host profile) or known from its source (preset), never from a version.
 */
struct xf_kvm {
	uint64_t host; /* components it can hold: kvm_caps.supported_xcr0 */
	/*
	 * The xferry module, trimming: SET, and GET with trim_get, first take those of these
	 * components out that the vCPU's own CPUID tells to be superfluous.
	 */
	uint64_t hook_set;
	uint64_t hook_get;
	uint32_t mxcsr_mask;
	enum xf_kvm_get get;
	enum xf_kvm_set set;
	/* GET trims only once KVM_SET_CPUID2 has been called: its mask is then that of SET
	   (fpstate->user_xfeatures, 5.17 to the fix); else guest_supported_xcr0, 0 until then. */
	bool get_after_cpuid;
	bool no_xsave;
	bool header_unchecked; /* <= 5.15 */
	/* <= 5.15: MXCSR is checked whatever XSTATE_BV says, for the legacy region is loaded and
	   read back in one piece (core/vcpu.h). */
	bool mxcsr_always;
	bool protected_ignored; /* protected guest: SET answers 0 and loads nothing (6.1) */
	bool xfd_clears;      /* SET clears bits that the guest's XFD disarms; GET shows them clear
				 (~6.19) */
	bool hook_pkru;	      /* Proxmox 1559d22f: SET clears PKRU when the guest's mask lacks it */
	bool shows_all;	      /* KVM_SET_CPUID2 shows a guest all of `host`, whatever it is given */
	unsigned int unknown; /* enum xf_kvm_unknown */
};

/* What of the above stands there for want of better, and may be otherwise. */
enum xf_kvm_unknown {
	XF_UNKNOWN_HOOK = 1,	     /* hook_pkru */
	XF_UNKNOWN_SHOWS_ALL = 2,    /* shows_all */
	XF_UNKNOWN_MXCSR_MASK = 4,   /* mxcsr_mask */
	XF_UNKNOWN_MXCSR_ALWAYS = 8, /* mxcsr_always */
	XF_UNKNOWN_MODULE = 16,	     /* hook_set, hook_get */
};

/*
 * Whether what is saved of a guest may have more in it than the guest was given: GET
 * leaks, and no module trims all that it leaks; or it trims, but to what KVM shows its
 * guests, and that is all that the host holds. False where GET is not known.
 */
bool xf_kvm_leaks(const struct xf_kvm *kvm);

/*
 * Whether its answers are those of a kernel before the fpstate rework (5.16), on which the
 * xferry module does not load. A host without XSAVE does not tell: there every kernel copies
 * the legacy region and looks at no header.
 */
static inline bool xf_kvm_predates_fpstate(const struct xf_kvm *kvm)
{
	return !kvm->no_xsave && (kvm->header_unchecked || kvm->mxcsr_always);
}

/* Of all that the KVM may be, the one that refuses least. */
struct xf_kvm xf_kvm_kindest(const struct xf_kvm *kvm);

/* The vCPU that the state goes into, as KVM sees it. */
struct xf_kvm_vcpu {
	uint64_t cpuid; /* CPUID.(0xD,0) as set by KVM_SET_CPUID2; 0 without that leaf */
	bool cpuid_set; /* KVM_SET_CPUID2 has been called */
	bool guarded;	/* its state is protected (SEV-ES, TDX) */
	uint64_t xfd;	/* the guest's IA32_XFD */
	/*
	 * What the CPUID that it was given tells of what it was shown (xf_shown_guest): what
	 * the module goes by. Unknown: no CPUID, or one of no entries.
	 */
	struct xf_guest evidence;
};

struct xf_kvm_answer {
	enum xf_reason reason; /* XF_REASON_NONE: KVM_SET_XSAVE returns 0 */
	uint64_t loaded;       /* XSTATE_BV that reaches the guest; 0 when refused */
	uint64_t dropped;      /* components that this KVM took away silently; 0 when refused */
	uint64_t trimmed;      /* and what the module took out before; 0 when refused */
};

/*
 * KVM_SET_XSAVE, predicted. `kvm->set` must be known. A host without XSAVE loads
 * the legacy region whatever XSTATE_BV says: `loaded` is then x87 and SSE. A
 * protected guest's KVM that ignores the call loads and drops nothing.
 */
struct xf_kvm_answer xf_kvm_set(const struct xf_kvm *kvm, const struct xf_kvm_vcpu *vcpu,
				const struct xf_area_head *head);

/*
 * XSTATE_BV as KVM_GET_XSAVE returns it, of the components in use (the XSTATE_BV
 * that the kernel's XSAVE stored). `kvm->get` must be known.
 */
uint64_t xf_kvm_get(const struct xf_kvm *kvm, const struct xf_kvm_vcpu *vcpu, uint64_t in_use);

/*
 * KVM_SET_XCRS: whether it takes this XCR0. It must be consistent and within
 * x87 | (shown & host). Kernel: __kvm_set_xcr.
 */
bool xf_kvm_takes_xcr0(const struct xf_kvm *kvm, const struct xf_kvm_vcpu *vcpu, uint64_t xcr0);

enum xf_outcome { XF_OUTCOME_UNKNOWN, XF_OUTCOME_ACCEPTED, XF_OUTCOME_REFUSED };

/* A mask that is not known exactly: all of `least` is in it, and nothing beyond `most`. */
struct xf_bounds {
	uint64_t least;
	uint64_t most;
};

struct xf_prediction {
	enum xf_outcome outcome;
	enum xf_reason reason; /* when refused for sure: the first reason KVM meets */
	/* When refused for sure: the components that are the reason (host, user, no-xsave). */
	uint64_t blocked;
	/*
	 * What is the guest's own, or may be, and the target, if it accepts, drops silently:
	 * Proxmox' hook. What the module takes out is superfluous, and not in it; but where KVM
	 * shows its guests all of the host, the module takes the rest for superfluous.
	 */
	uint64_t dropped;
	/* If it accepts: XSTATE_BV that reaches the guest. Empty when refused for sure. */
	struct xf_bounds loaded;
};

/*
 * What the target answers to a state when a VMM has set the guest's CPUID first,
 * with whatever is known of the guest and of the KVM: where what is unknown
 * could change the answer, the outcome is unknown. The vCPU is a fresh one, as
 * when a migration comes in: not protected, IA32_XFD 0. A module there has the whole
 * CPUID: of XCR0's components it knows all that is known here.
 *
 * A guest shown x87 and SSE alone may have no leaf 0xD at all; only a KVM that
 * counts neither as shown (XF_SET_GUEST_BARE) tells the two apart, and there the
 * outcome is unknown.
 */
struct xf_prediction xf_predict(const struct xf_kvm *kvm, struct xf_guest guest,
				const struct xf_area_head *head);

/*
 * What KVM_GET_XSAVE puts into XSTATE_BV when a guest that has `in_use` in use is
 * saved, with whatever is known of the guest and of the KVM. A KVM that leaks
 * (xf_kvm_leaks) adds what its host has in use: PKRU for certain, which a host that has it never
 * leaves in its initial state, and perhaps any other component but AMX's tiles.
 */
struct xf_bounds xf_predict_get(const struct xf_kvm *kvm, struct xf_guest guest,
				struct xf_bounds in_use);

/* "accepted", "refused", "unknown". */
const char *xf_outcome_name(enum xf_outcome outcome);

#endif
