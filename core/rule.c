/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/rule.h"
#include "core/bytes.h"

struct xf_guest xf_guest_normal(struct xf_guest guest)
{
	guest.shown = xf_widen((guest.shown & guest.known) | XF_FPSSE);
	guest.known |= guest.shown;
	return guest;
}

/* Of a normal guest. Bit 63 is no component: a state that has it is wrong, and stays refused. */
static uint64_t superfluous_in(uint64_t state, struct xf_guest guest)
{
	return state & guest.known & ~guest.shown & ~XF_COMPACTED;
}

struct xf_judgement xf_judge(uint64_t state, struct xf_guest guest, uint64_t host)
{
	guest = xf_guest_normal(guest);
	return (struct xf_judgement){
		.superfluous = superfluous_in(state, guest),
		.undecided = state & (~guest.known | XF_COMPACTED),
		.lost = state & guest.shown & ~host,
		.missing = guest.shown & ~host,
	};
}

uint64_t xf_droppable(uint64_t state, struct xf_guest guest, uint64_t only)
{
	guest = xf_guest_normal(guest);
	return superfluous_in(state, guest) & only;
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

/* What a KVM, with or without Proxmox' hook, clears in XSTATE_BV before it looks at it. */
static uint64_t cleared_first(const struct xf_kvm *kvm, const struct xf_kvm_vcpu *vcpu,
			      bool hook_pkru)
{
	uint64_t cleared = kvm->xfd_clears ? vcpu->xfd : 0;

	if (hook_pkru && !(guest_supported(kvm, vcpu) & XF_PKRU))
		cleared |= XF_PKRU;
	return cleared;
}

/*
 * What the module knows: what its KVM keeps of the CPUID it was given, and that is all of
 * the host where guests are shown that.
 */
static struct xf_guest evidence_kept(const struct xf_kvm *kvm, struct xf_guest evidence)
{
	if (kvm->shows_all && evidence.known)
		return (struct xf_guest){ kvm->host, ~UINT64_C(0) };
	return evidence;
}

/*
 * Of the components that it was told to trim, those that it takes out of this vCPU's state.
 * It leaves protected guests alone, but of those KVM takes and gives nothing anyway.
 */
static uint64_t trims(const struct xf_kvm *kvm, const struct xf_kvm_vcpu *vcpu, uint64_t told)
{
	if (!vcpu->cpuid_set)
		return 0;
	return xf_droppable(~UINT64_C(0), evidence_kept(kvm, vcpu->evidence), told);
}

/* What reaches the guest of an XSTATE_BV that is accepted. */
static uint64_t loaded_of(const struct xf_kvm *kvm, uint64_t seen)
{
	return kvm->no_xsave ? XF_FPSSE : seen;
}

static struct xf_kvm_answer answer(enum xf_reason reason, uint64_t loaded, uint64_t dropped,
				   uint64_t trimmed)
{
	return (struct xf_kvm_answer){ reason, loaded, dropped, trimmed };
}

/* KVM_SET_XSAVE where a module takes `trim` out, once KVM has cleared what it clears first. */
static struct xf_kvm_answer set_trimmed(const struct xf_kvm *kvm, const struct xf_kvm_vcpu *vcpu,
					const struct xf_area_head *head, uint64_t trim)
{
	uint64_t cleared = head->xstate_bv & cleared_first(kvm, vcpu, kvm->hook_pkru);
	struct xf_area_head seen = *head;

	trim &= head->xstate_bv & ~cleared;
	seen.xstate_bv &= ~(cleared | trim);

	const struct xf_area_limits limits = limits_of(kvm, vcpu);
	enum xf_reason reason = xf_area_check_head(&seen, &limits);

	if (reason != XF_REASON_NONE)
		return answer(reason, 0, 0, 0);
	return answer(XF_REASON_NONE, loaded_of(kvm, seen.xstate_bv), cleared, trim);
}

struct xf_kvm_answer xf_kvm_set(const struct xf_kvm *kvm, const struct xf_kvm_vcpu *vcpu,
				const struct xf_area_head *head)
{
	if (vcpu->guarded && kvm->protected_ignored)
		return answer(XF_REASON_NONE, 0, 0, 0);
	return set_trimmed(kvm, vcpu, head, trims(kvm, vcpu, kvm->hook_set));
}

/* What KVM itself gives, before a module trims it. */
static uint64_t given(const struct xf_kvm *kvm, const struct xf_kvm_vcpu *vcpu, uint64_t in_use)
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

uint64_t xf_kvm_get(const struct xf_kvm *kvm, const struct xf_kvm_vcpu *vcpu, uint64_t in_use)
{
	return given(kvm, vcpu, in_use) & ~trims(kvm, vcpu, kvm->hook_get);
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
	return (struct xf_kvm_vcpu){
		.cpuid = cpuid,
		.cpuid_set = true,
		.guarded = false,
		.xfd = 0,
		.evidence = XF_GUEST_UNKNOWN,
	};
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
	struct xf_kvm kind;

	XF_COPY(&kind, kvm);
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
	if (kvm->unknown & XF_UNKNOWN_MODULE)
		kind.hook_set = ~UINT64_C(0);
	return kind;
}

static struct xf_kvm harshest_kvm(const struct xf_kvm *kvm)
{
	struct xf_kvm harsh;

	XF_COPY(&harsh, kvm);
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
	if (kvm->unknown & XF_UNKNOWN_MODULE)
		harsh.hook_set = 0;
	return harsh;
}

/*
 * What a module takes out of whatever guest it may be that `guest` tells of. It knows what
 * is known here, and more; but of supervisor components, which no guest has in XCR0, it may
 * know nothing.
 */
static struct xf_bounds trim_bounds(const struct xf_kvm *kvm, struct xf_guest guest,
				    struct xf_bounds told)
{
	bool shows_unknown = kvm->unknown & XF_UNKNOWN_SHOWS_ALL;
	const struct xf_guest surely = { guest.shown, guest.known & ~XF_SUPERVISOR };
	const struct xf_guest perhaps = { guest.shown, ~UINT64_C(0) };
	const struct xf_guest all = { kvm->host, ~UINT64_C(0) };
	uint64_t least = ~UINT64_C(0), most = 0;

	if (!kvm->shows_all || shows_unknown) {
		least &= xf_droppable(~UINT64_C(0), surely, ~UINT64_C(0));
		most |= xf_droppable(~UINT64_C(0), perhaps, ~UINT64_C(0));
	}
	if (kvm->shows_all || shows_unknown) {
		least &= xf_droppable(~UINT64_C(0), all, ~UINT64_C(0));
		most |= xf_droppable(~UINT64_C(0), all, ~UINT64_C(0));
	}
	return (struct xf_bounds){ least & told.least, most & told.most };
}

/*
 * What is loaded at most, where it is accepted: a hook that may not be there leaves PKRU in,
 * and a module what may be the guest's, where that is taken.
 */
static uint64_t loaded_at_most(const struct xf_kvm *kind, bool hook_pkru,
			       const struct xf_kvm_vcpu *vcpu, uint64_t xstate_bv)
{
	const struct xf_area_limits limits = limits_of(kind, vcpu);
	uint64_t seen = xstate_bv & ~cleared_first(kind, vcpu, hook_pkru);

	return loaded_of(kind, seen & limits.host & limits.user);
}

/* What is loaded at least, where it is accepted: a hook that may be there takes PKRU out. */
static uint64_t loaded_at_least(const struct xf_kvm *harsh, bool hook_pkru,
				const struct xf_kvm_vcpu *vcpu, uint64_t xstate_bv)
{
	return loaded_of(harsh, xstate_bv & ~cleared_first(harsh, vcpu, hook_pkru));
}

/*
 * Of what the module takes out: what may be the guest's own all the same. Its evidence
 * is not the guest's where KVM shows all of the host in place of what it was given.
 */
static uint64_t mistaken(const struct xf_kvm *kvm, uint64_t trimmed)
{
	return kvm->shows_all ? trimmed & ~kvm->host : 0;
}

static struct xf_prediction refused_for_sure(const struct xf_kvm *kvm,
					     const struct xf_kvm_vcpu *vcpu, enum xf_reason reason,
					     uint64_t xstate_bv)
{
	const struct xf_area_limits limits = limits_of(kvm, vcpu);
	uint64_t seen = xstate_bv & ~cleared_first(kvm, vcpu, kvm->hook_pkru);

	return (struct xf_prediction){
		.outcome = XF_OUTCOME_REFUSED,
		.reason = reason,
		.blocked = blocked_by(&limits, seen, reason),
		.dropped = 0,
		.loaded = { 0, 0 },
	};
}

struct xf_prediction xf_predict(const struct xf_kvm *kvm, struct xf_guest guest,
				const struct xf_area_head *head)
{
	guest = xf_guest_normal(guest);

	const struct xf_kvm_vcpu kind = kindest_vcpu(guest);
	const struct xf_kvm_vcpu harsh = harshest_vcpu(guest);
	const struct xf_kvm kind_kvm = xf_kvm_kindest(kvm);
	const struct xf_kvm harsh_kvm = harshest_kvm(kvm);
	const struct xf_bounds told = { harsh_kvm.hook_set, kind_kvm.hook_set };
	const struct xf_bounds trim = trim_bounds(kvm, guest, told);
	struct xf_kvm_answer best = set_trimmed(&kind_kvm, &kind, head, trim.most);
	uint64_t left = head->xstate_bv & ~trim.most;

	if (best.reason != XF_REASON_NONE)
		return refused_for_sure(&kind_kvm, &kind, best.reason, left);

	struct xf_kvm_answer worst = set_trimmed(&harsh_kvm, &harsh, head, trim.least);
	uint64_t dropped = best.dropped | mistaken(&kind_kvm, best.trimmed);

	/* Every member is named: else clang would call memset for the rest. */
	return (struct xf_prediction){
		.outcome =
			worst.reason == XF_REASON_NONE ? XF_OUTCOME_ACCEPTED : XF_OUTCOME_UNKNOWN,
		.reason = XF_REASON_NONE,
		.blocked = 0,
		.dropped = dropped & ~(guest.known & ~guest.shown),
		.loaded = { loaded_at_least(&harsh_kvm, kind_kvm.hook_pkru, &harsh, left),
			    loaded_at_most(&kind_kvm, harsh_kvm.hook_pkru, &kind,
					   head->xstate_bv & ~trim.least) },
	};
}

/* More than the guest was given, before a module trims it. */
static bool gives_more(const struct xf_kvm *kvm)
{
	return !kvm->no_xsave && (kvm->get == XF_GET_LEAKS || kvm->shows_all);
}

bool xf_kvm_leaks(const struct xf_kvm *kvm)
{
	uint64_t trimmed = kvm->unknown & XF_UNKNOWN_MODULE ? 0 : kvm->hook_get;

	if (kvm->get == XF_GET_UNKNOWN || !gives_more(kvm))
		return false;
	/* Where guests are shown all of the host, the module holds none of it superfluous. */
	return kvm->shows_all || kvm->host & ~XF_FPSSE & ~trimmed;
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
	struct xf_kvm least, most;

	XF_COPY(&least, kvm);
	XF_COPY(&most, kvm);
	if (kvm->get == XF_GET_UNKNOWN) {
		least.get = XF_GET_TRIMS_BARE;
		most.get = XF_GET_LEAKS;
	}
	if (kvm->unknown & XF_UNKNOWN_SHOWS_ALL) {
		least.shows_all = false;
		most.shows_all = true;
	}
	if (gives_more(&least))
		in_use.least |= XF_PKRU;
	if (gives_more(&most))
		in_use.most |= may_leak(kvm);
	/* What the guest's IA32_XFD disarms reads clear, and that is not known. */
	if (kvm->xfd_clears)
		in_use.least &= ~XF_XTILEDATA;

	bool told_unknown = kvm->unknown & XF_UNKNOWN_MODULE;
	const struct xf_bounds told = {
		told_unknown ? 0 : kvm->hook_get,
		told_unknown ? ~UINT64_C(0) : kvm->hook_get,
	};
	const struct xf_bounds trim = trim_bounds(kvm, guest, told);

	return (struct xf_bounds){
		given(&least, &harsh, in_use.least & kvm->host) & ~trim.most,
		given(&most, &kind, in_use.most & kvm->host) & ~trim.least,
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
