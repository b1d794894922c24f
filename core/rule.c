/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/rule.h"

struct xf_guest xf_guest_normal(struct xf_guest guest)
{
	guest.shown = xf_widen((guest.shown & guest.known) | XF_FPSSE);
	guest.known |= guest.shown;
	return guest;
}

struct xf_judgement xf_judge(uint64_t state, struct xf_guest guest, uint64_t host)
{
	guest = xf_guest_normal(guest);
	return (struct xf_judgement){
		.superfluous = state & guest.known & ~guest.shown,
		.undecided = state & ~guest.known,
		.lost = state & guest.shown & ~host,
		.missing = guest.shown & ~host,
	};
}

uint64_t xf_droppable(uint64_t state, struct xf_guest guest, uint64_t only)
{
	guest = xf_guest_normal(guest);
	return state & guest.known & ~guest.shown & only;
}

/*
 * guest_supported_xcr0: what of its leaf 0xD the host has; nothing before
 * KVM_SET_CPUID2, nor without XSAVE (supported_xcr0 is 0 then).
 */
static uint64_t guest_supported(const struct xf_kvm *kvm, const struct xf_kvm_vcpu *vcpu)
{
	if (!vcpu->cpuid_set || kvm->no_xsave)
		return 0;
	return kvm->shows_all ? kvm->host : vcpu->cpuid & kvm->host;
}

/*
 * fpstate->user_xfeatures. It begins as the host's own default, which has all
 * but AMX's tiles; strict kernels overwrite it in kvm_vcpu_after_set_cpuid. Tiles
 * come with a leaf 0xD that has them (kvm_check_cpuid).
 */
static uint64_t user_mask(const struct xf_kvm *kvm, const struct xf_kvm_vcpu *vcpu)
{
	uint64_t guest = guest_supported(kvm, vcpu);

	if (vcpu->cpuid_set && kvm->set == XF_SET_GUEST)
		return guest | XF_FPSSE;
	if (vcpu->cpuid_set && kvm->set == XF_SET_GUEST_BARE)
		return guest;
	return (kvm->host & ~XF_XTILEDATA) | (guest & XF_XTILEDATA);
}

/* Not for a KVM that ignores the call: that one asks nothing. */
static struct xf_area_limits limits_of(const struct xf_kvm *kvm, const struct xf_kvm_vcpu *vcpu)
{
	return (struct xf_area_limits){
		.host = kvm->host,
		.user = user_mask(kvm, vcpu),
		.mxcsr_mask = kvm->mxcsr_mask,
		.no_xsave = kvm->no_xsave,
		.refuses_protected = vcpu->guarded,
		.header_unchecked = kvm->header_unchecked,
		.mxcsr_always = kvm->mxcsr_always,
	};
}

/* What a KVM clears in XSTATE_BV before it looks at it. */
static uint64_t cleared_first(const struct xf_kvm *kvm, const struct xf_kvm_vcpu *vcpu)
{
	uint64_t cleared = kvm->xfd_clears ? vcpu->xfd : 0;

	if (kvm->hook_pkru && !(guest_supported(kvm, vcpu) & XF_PKRU))
		cleared |= XF_PKRU;
	return cleared;
}

/* What reaches the guest of an XSTATE_BV that is accepted. */
static uint64_t loaded_of(const struct xf_kvm *kvm, uint64_t seen)
{
	return kvm->no_xsave ? XF_FPSSE : seen;
}

static struct xf_kvm_answer answer(enum xf_reason reason, uint64_t loaded, uint64_t dropped)
{
	return (struct xf_kvm_answer){ reason, loaded, dropped };
}

struct xf_kvm_answer xf_kvm_set(const struct xf_kvm *kvm, const struct xf_kvm_vcpu *vcpu,
				const struct xf_area_head *head)
{
	if (vcpu->guarded && kvm->protected_ignored)
		return answer(XF_REASON_NONE, 0, 0);

	uint64_t cleared = head->xstate_bv & cleared_first(kvm, vcpu);
	struct xf_area_head seen = *head;

	seen.xstate_bv &= ~cleared;

	const struct xf_area_limits limits = limits_of(kvm, vcpu);
	enum xf_reason reason = xf_area_check_head(&seen, &limits);

	if (reason != XF_REASON_NONE)
		return answer(reason, 0, 0);
	return answer(XF_REASON_NONE, loaded_of(kvm, seen.xstate_bv), cleared);
}

uint64_t xf_kvm_get(const struct xf_kvm *kvm, const struct xf_kvm_vcpu *vcpu, uint64_t in_use)
{
	if (kvm->no_xsave)
		return XF_FPSSE;
	in_use &= ~XF_SUPERVISOR;
	if (kvm->xfd_clears)
		in_use &= ~vcpu->xfd;
	if (kvm->get == XF_GET_LEAKS || (kvm->get_after_cpuid && !vcpu->cpuid_set))
		return in_use;

	uint64_t guest = guest_supported(kvm, vcpu);

	return in_use & (kvm->get == XF_GET_TRIMS_BARE ? guest : guest | XF_FPSSE);
}

bool xf_kvm_takes_xcr0(const struct xf_kvm *kvm, const struct xf_kvm_vcpu *vcpu, uint64_t xcr0)
{
	uint64_t valid = XF_X87 | guest_supported(kvm, vcpu);

	/* Without XSAVE, KVM_SET_XCRS is -EINVAL whatever it is given. */
	return !kvm->no_xsave && xf_is_consistent(xcr0) && !(xcr0 & ~valid);
}

/* The components that a refusal is about, or 0 where it is about something else. */
static uint64_t blocked_by(const struct xf_area_limits *limits, uint64_t xstate_bv,
			   enum xf_reason reason)
{
	switch (reason) {
	case XF_REASON_NO_XSAVE:
		return xstate_bv & ~XF_FPSSE;
	case XF_REASON_HOST:
		return xstate_bv & ~limits->host;
	case XF_REASON_USER:
		return xstate_bv & ~limits->user;
	default:
		return 0;
	}
}

/*
 * A KVM is the more lenient the more the guest was shown, and "set" by the host's
 * mask the most lenient of its behaviours. So of all that is possible there is a
 * kindest case and a harshest, and what they agree on is certain.
 */
static struct xf_kvm_vcpu fresh_vcpu(uint64_t cpuid)
{
	return (struct xf_kvm_vcpu){ cpuid, .cpuid_set = true, .guarded = false, .xfd = 0 };
}

static struct xf_kvm_vcpu kindest_vcpu(struct xf_guest guest)
{
	return fresh_vcpu(guest.shown | ~guest.known);
}

/* With x87 and SSE alone there may be no leaf 0xD at all. */
static struct xf_kvm_vcpu harshest_vcpu(struct xf_guest guest)
{
	return fresh_vcpu(guest.shown & ~XF_FPSSE ? guest.shown : 0);
}

struct xf_kvm xf_kvm_kindest(const struct xf_kvm *kvm)
{
	struct xf_kvm kind = *kvm;

	if (kvm->set == XF_SET_UNKNOWN)
		kind.set = XF_SET_HOST;
	if (kvm->unknown & XF_UNKNOWN_HOOK)
		kind.hook_pkru = true;
	if (kvm->unknown & XF_UNKNOWN_SHOWS_ALL)
		kind.shows_all = true;
	if (kvm->unknown & XF_UNKNOWN_MXCSR_MASK)
		kind.mxcsr_mask = UINT32_MAX;
	if (kvm->unknown & XF_UNKNOWN_MXCSR_ALWAYS)
		kind.mxcsr_always = false;
	return kind;
}

static struct xf_kvm harshest_kvm(const struct xf_kvm *kvm)
{
	struct xf_kvm harsh = *kvm;

	if (kvm->set == XF_SET_UNKNOWN)
		harsh.set = XF_SET_GUEST_BARE;
	if (kvm->unknown & XF_UNKNOWN_HOOK)
		harsh.hook_pkru = false;
	if (kvm->unknown & XF_UNKNOWN_SHOWS_ALL)
		harsh.shows_all = false;
	if (kvm->unknown & XF_UNKNOWN_MXCSR_MASK)
		harsh.mxcsr_mask = XF_MXCSR_MASK; /* what every CPU with XSAVE has */
	if (kvm->unknown & XF_UNKNOWN_MXCSR_ALWAYS)
		harsh.mxcsr_always = true;
	return harsh;
}

/* What is loaded at most. A hook that may not be there leaves PKRU in, where that is taken. */
static uint64_t loaded_at_most(const struct xf_kvm *kind, bool hook_unknown,
			       const struct xf_kvm_vcpu *vcpu, const struct xf_area_head *head)
{
	struct xf_kvm kvm = *kind;
	struct xf_kvm_answer with = xf_kvm_set(&kvm, vcpu, head);

	if (!hook_unknown)
		return with.loaded;
	kvm.hook_pkru = false;

	struct xf_kvm_answer without = xf_kvm_set(&kvm, vcpu, head);

	return with.loaded | without.loaded;
}

/* What is loaded at least, where it is accepted: a hook that may be there takes PKRU out. */
static uint64_t loaded_at_least(const struct xf_kvm *harsh, bool hook_unknown,
				const struct xf_kvm_vcpu *vcpu, const struct xf_area_head *head)
{
	struct xf_kvm kvm = *harsh;

	kvm.hook_pkru |= hook_unknown;
	return loaded_of(&kvm, head->xstate_bv & ~cleared_first(&kvm, vcpu));
}

struct xf_prediction xf_predict(const struct xf_kvm *kvm, struct xf_guest guest,
				const struct xf_area_head *head)
{
	guest = xf_guest_normal(guest);

	const struct xf_kvm_vcpu kind = kindest_vcpu(guest);
	const struct xf_kvm_vcpu harsh = harshest_vcpu(guest);
	const struct xf_kvm kind_kvm = xf_kvm_kindest(kvm);
	const struct xf_kvm harsh_kvm = harshest_kvm(kvm);
	bool hook_unknown = kvm->unknown & XF_UNKNOWN_HOOK;
	struct xf_kvm_answer best = xf_kvm_set(&kind_kvm, &kind, head);

	if (best.reason != XF_REASON_NONE) {
		const struct xf_area_limits limits = limits_of(&kind_kvm, &kind);
		uint64_t seen = head->xstate_bv & ~cleared_first(&kind_kvm, &kind);

		return (struct xf_prediction){
			.outcome = XF_OUTCOME_REFUSED,
			.reason = best.reason,
			.blocked = blocked_by(&limits, seen, best.reason),
			.dropped = 0,
			.loaded = { 0, 0 },
		};
	}

	struct xf_kvm_answer worst = xf_kvm_set(&harsh_kvm, &harsh, head);

	/* Every member is named: else clang would call memset for the rest. */
	return (struct xf_prediction){
		.outcome =
			worst.reason == XF_REASON_NONE ? XF_OUTCOME_ACCEPTED : XF_OUTCOME_UNKNOWN,
		.reason = XF_REASON_NONE,
		.blocked = 0,
		.dropped = best.dropped & ~(guest.known & ~guest.shown),
		.loaded = { loaded_at_least(&harsh_kvm, hook_unknown, &harsh, head),
			    loaded_at_most(&kind_kvm, hook_unknown, &kind, head) },
	};
}

bool xf_kvm_leaks(const struct xf_kvm *kvm)
{
	if (kvm->no_xsave || kvm->get == XF_GET_UNKNOWN)
		return false;
	return kvm->get == XF_GET_LEAKS || kvm->shows_all;
}

/* What a leaky KVM adds: its mask is the host's default, which has all but AMX's tiles. */
static uint64_t may_leak(const struct xf_kvm *kvm)
{
	return kvm->host & ~XF_XTILEDATA;
}

struct xf_bounds xf_predict_get(const struct xf_kvm *kvm, struct xf_guest guest,
				struct xf_bounds in_use)
{
	guest = xf_guest_normal(guest);

	const struct xf_kvm_vcpu kind = kindest_vcpu(guest);
	const struct xf_kvm_vcpu harsh = harshest_vcpu(guest);
	struct xf_kvm least = *kvm;
	struct xf_kvm most = *kvm;

	if (kvm->get == XF_GET_UNKNOWN) {
		least.get = XF_GET_TRIMS_BARE;
		most.get = XF_GET_LEAKS;
	}
	if (kvm->unknown & XF_UNKNOWN_SHOWS_ALL) {
		least.shows_all = false;
		most.shows_all = true;
	}
	if (xf_kvm_leaks(&least))
		in_use.least |= XF_PKRU;
	if (xf_kvm_leaks(&most))
		in_use.most |= may_leak(kvm);
	/* What the guest's IA32_XFD disarms reads clear, and that is not known. */
	if (kvm->xfd_clears)
		in_use.least &= ~XF_XTILEDATA;
	return (struct xf_bounds){
		xf_kvm_get(&least, &harsh, in_use.least & kvm->host),
		xf_kvm_get(&most, &kind, in_use.most & kvm->host),
	};
}

const char *xf_outcome_name(enum xf_outcome outcome)
{
	switch (outcome) {
	case XF_OUTCOME_ACCEPTED:
		return "accepted";
	case XF_OUTCOME_REFUSED:
		return "refused";
	default:
		return "unknown";
	}
}
