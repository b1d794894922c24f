/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One vCPU judged: findings, remedies, and what a target answers. */
#include "host/evidence.h"
#include "state/judge.h"

#define CR4_PKE ((uint64_t)1 << 22)

/*
 * QEMU rebuilds the area from its stream: the header has XSTATE_BV, all else is 0. Others keep
 * the area, and give it to KVM as it is.
 */
static struct xf_area_head head_of(const struct xf_vcpu *vcpu)
{
	return (struct xf_area_head){
		.xstate_bv = vcpu->xstate_bv.value,
		.xcomp_bv = vcpu->xcomp_bv,
		.mxcsr = (uint32_t)vcpu->mxcsr.value,
		.reserved = vcpu->reserved,
	};
}

/* KVM lets a guest enable only what it was shown, so this is proof of being shown. */
static uint64_t enabled_by_guest(const struct xf_vcpu *vcpu)
{
	uint64_t enabled = vcpu->xcr0.value;

	if (vcpu->cr4.value & CR4_PKE)
		enabled |= XF_PKRU;
	return xf_widen(enabled);
}

static struct xf_guest guest_told(const struct xf_evidence *evidence)
{
	return xf_guest_normal(evidence ? evidence->guest : XF_GUEST_UNKNOWN);
}

static uint64_t hidden_by(struct xf_guest guest)
{
	return guest.known & ~guest.shown;
}

/* What `guest` is known to have been shown, and what `other` shows. */
static struct xf_guest shown_besides(struct xf_guest guest, struct xf_guest other)
{
	return (struct xf_guest){ guest.shown | other.shown, guest.known | other.shown };
}

struct xf_error *xf_known_of(const struct xf_vcpu *vcpus, size_t count,
			     const struct xf_evidence *given, const struct xf_evidence *own,
			     struct xf_known *out)
{
	const struct xf_guest file = guest_told(own);
	struct xf_known known = {
		.hidden = hidden_by(guest_told(given)) | hidden_by(file),
		.contrary = hidden_by(guest_told(given)) & file.shown,
	};
	uint64_t enabled = 0;

	for (size_t i = 0; i < count; i++)
		enabled |= enabled_by_guest(&vcpus[i]);

	XF_TRY(xf_evidence_join(given, own, &known.evidence));
	/* Who hides what the file shows is not believed in what is hidden. What is shown stays. */
	known.told = known.contrary ? shown_besides(file, guest_told(given))
				    : guest_told(known.evidence);
	known.contradicted = known.contrary || enabled & known.hidden;
	if (enabled & known.hidden)
		known.told = xf_guest_normal(XF_GUEST_UNKNOWN);
	known.given = (struct xf_guest){ known.told.shown | enabled, known.told.known | enabled };
	known.guest = known.given;
	*out = known;
	return NULL;
}

bool xf_known_has_run(struct xf_known *known, const struct xf_kvm *kvm)
{
	uint64_t besides = kvm->host & ~known->guest.shown;

	if (!kvm->shows_all && !(kvm->unknown & XF_UNKNOWN_SHOWS_ALL))
		return false;
	besides &= known->guest.known;
	known->guest.known &= ~besides;
	return besides;
}

struct xf_judged xf_judged_of(const struct xf_vcpu *vcpu, const struct xf_known *known,
			      const struct xf_host *target, uint64_t only)
{
	return (struct xf_judged){
		.known = known,
		.target = target,
		.head = head_of(vcpu),
		.xcr0 = vcpu->xcr0.value,
		.has_xcr0 = vcpu->xcr0.size != 0,
		.enabled = enabled_by_guest(vcpu),
		.only = only,
	};
}

/*
 * What this vCPU has enabled although the evidence says that the guest was never shown it, and
 * what the file says that it was.
 */
static uint64_t contradiction(const struct xf_judged *c)
{
	return (c->enabled & c->known->hidden) | c->known->contrary;
}

static bool takes_xcr0(const struct xf_judged *c, const struct xf_kvm *kvm)
{
	/* What is not known to be hidden was shown, or the guest could not have enabled it. */
	struct xf_kvm_vcpu vcpu = {
		.cpuid = c->known->given.shown | ~c->known->given.known,
		.cpuid_set = true,
	};
	struct xf_kvm kind = xf_kvm_kindest(kvm);

	return kvm->no_xsave || !c->has_xcr0 || xf_kvm_takes_xcr0(&kind, &vcpu, c->xcr0);
}

/* What a VMM that puts XSAVE and XCR0 is answered, with XSTATE_BV as given. */
static enum xf_outcome outcome(const struct xf_judged *c, const struct xf_kvm *kvm,
			       uint64_t xstate_bv)
{
	struct xf_area_head head = c->head;

	head.xstate_bv = xstate_bv;
	if (!takes_xcr0(c, kvm))
		return XF_OUTCOME_REFUSED;
	return xf_predict(kvm, c->known->given, &head).outcome;
}

/* Whether the present kernel's behaviour on the target's CPU would not refuse. */
static bool newer_kernel_helps(const struct xf_judged *c)
{
	struct xf_kvm kvm = c->target->kvm;

	kvm.set = XF_SET_HOST;
	return outcome(c, &kvm, c->head.xstate_bv) != XF_OUTCOME_REFUSED;
}

/* Whether the module there, told of what may be dropped, would have it taken: where it loads. */
static bool module_helps(const struct xf_judged *c)
{
	struct xf_kvm kvm = c->target->kvm;

	if (xf_kvm_predates_fpstate(&kvm))
		return false;
	kvm.hook_set |= c->only;
	kvm.unknown &= ~(unsigned int)XF_UNKNOWN_MODULE;
	return outcome(c, &kvm, c->head.xstate_bv) != XF_OUTCOME_REFUSED;
}

/* What helps when the target refuses `components` and nobody drops them. */
static unsigned int target_remedies(const struct xf_judged *c, uint64_t components)
{
	uint64_t host = c->target->kvm.host;
	unsigned int remedies = 0;

	if (components & ~host)
		remedies |= XF_REMEDY_OTHER_HOST;
	if ((components & host) && newer_kernel_helps(c))
		remedies |= XF_REMEDY_KERNEL;
	return remedies;
}

static unsigned int superfluous_remedies(const struct xf_judged *c, const struct xf_verdict *v)
{
	uint64_t blocked = v->judgement.superfluous & v->prediction.blocked;
	unsigned int remedies = v->drop ? XF_REMEDY_DROP : 0;

	if (!blocked)
		return remedies;
	if (blocked & c->target->kvm.host)
		remedies |= XF_REMEDY_SHOW;
	if (module_helps(c))
		remedies |= XF_REMEDY_MODULE;
	return remedies | target_remedies(c, blocked);
}

static void add(struct xf_verdict *v, enum xf_problem_id id, uint64_t components,
		unsigned int remedies)
{
	v->found[v->count++] = (struct xf_finding){
		.problem = xf_problem_by_id(id),
		.components = components,
		.remedies = remedies,
	};
}

/* Findings that need no target. */
static void find_in_state(const struct xf_judged *c, struct xf_verdict *v)
{
	const struct xf_evidence *evidence = c->known->evidence;
	uint64_t contrary = contradiction(c);

	if (v->judgement.superfluous)
		add(v, XF_PROBLEM_SUPERFLUOUS, v->judgement.superfluous,
		    superfluous_remedies(c, v));
	/* A guest that was shown all its host had cannot have been shown less than it saved. */
	if (v->judgement.undecided && !(evidence && evidence->all_of_host))
		add(v, XF_PROBLEM_NO_EVIDENCE, v->judgement.undecided, XF_REMEDY_EVIDENCE);
	if (contrary)
		add(v, XF_PROBLEM_CONTRADICTION, contrary, XF_REMEDY_EVIDENCE);
}

/* It depends on the guest having XSAVE at all, which the masks do not tell. */
static bool may_refuse_fpsse(const struct xf_judged *c, const struct xf_prediction *p)
{
	return c->target->kvm.set == XF_SET_GUEST_BARE && p->outcome == XF_OUTCOME_UNKNOWN &&
	       (c->known->given.known & XF_USER) == XF_USER && c->known->given.shown == XF_FPSSE;
}

/* What of XCR0 the host lacks; all of it when no host would take it, as SSE's lack under AVX. */
static uint64_t refused_xcr0(const struct xf_judged *c)
{
	uint64_t beyond = c->xcr0 & ~c->target->kvm.host;

	return beyond ? beyond : c->xcr0;
}

/* What is not known: of the guest, of the target's KVM, or both. */
static unsigned int unknown_remedies(const struct xf_judged *c, const struct xf_verdict *v)
{
	bool kvm_known = c->target->kvm.set != XF_SET_UNKNOWN;
	bool own_refused = kvm_known && !v->judgement.superfluous;

	return (v->judgement.undecided || own_refused ? XF_REMEDY_EVIDENCE : 0) |
	       (kvm_known ? 0 : XF_REMEDY_PROFILE);
}

/* Findings about the target. */
static void find_at_target(const struct xf_judged *c, struct xf_verdict *v)
{
	const struct xf_prediction *p = &v->prediction;
	uint64_t lost = v->judgement.lost & ~p->dropped;
	uint64_t undecided = v->judgement.undecided & p->blocked;
	uint64_t missing = v->judgement.missing & ~v->judgement.lost;
	uint64_t doubtful = v->judgement.superfluous | v->judgement.undecided;

	if (lost)
		add(v, XF_PROBLEM_LOST, lost, XF_REMEDY_OTHER_HOST);
	if (missing)
		add(v, XF_PROBLEM_MISSING, missing, XF_REMEDY_OTHER_HOST | XF_REMEDY_HIDE);
	if (undecided)
		add(v, XF_PROBLEM_BLOCKED, undecided,
		    XF_REMEDY_EVIDENCE | target_remedies(c, undecided));
	if (may_refuse_fpsse(c, p))
		add(v, XF_PROBLEM_FPSSE, c->head.xstate_bv & XF_FPSSE, XF_REMEDY_KERNEL);
	if (p->reason == XF_REASON_MXCSR || p->reason == XF_REASON_NO_XSAVE_MXCSR)
		add(v, XF_PROBLEM_MXCSR, XF_SSE, 0);
	if (p->reason == XF_REASON_COMPACTED || p->reason == XF_REASON_RESERVED)
		add(v, XF_PROBLEM_HEADER, v->judgement.undecided | c->head.xstate_bv, 0);
	if (!takes_xcr0(c, &c->target->kvm))
		add(v, XF_PROBLEM_XCR0, refused_xcr0(c), XF_REMEDY_OTHER_HOST);
	if (p->dropped)
		add(v, XF_PROBLEM_HOOK, p->dropped,
		    XF_REMEDY_OTHER_HOST |
			    (p->dropped & ~c->known->guest.known ? XF_REMEDY_EVIDENCE : 0));
	/* Some refuse even x87 and SSE: who knows nothing of a KVM cannot rule that out. */
	if (v->outcome == XF_OUTCOME_UNKNOWN && (doubtful || !may_refuse_fpsse(c, p)))
		add(v, XF_PROBLEM_UNKNOWN, doubtful ? doubtful : c->head.xstate_bv & XF_FPSSE,
		    unknown_remedies(c, v));
}

/*
 * What the target answers goes by the CPUID that the guest is given there. What it takes
 * out and may be the guest's own goes by what the guest has really been shown.
 */
static struct xf_prediction predict(const struct xf_judged *c, uint64_t undecided)
{
	const struct xf_guest *given = &c->known->given;
	struct xf_prediction p = xf_predict(&c->target->kvm, *given, &c->head);

	/* What is known of neither, xf_predict has reckoned with. */
	if (p.outcome != XF_OUTCOME_REFUSED)
		p.dropped |= undecided & given->known & ~given->shown & ~p.loaded.most;
	return p;
}

void xf_judge_vcpu(const struct xf_judged *c, struct xf_verdict *v)
{
	uint64_t state = c->head.xstate_bv;

	*v = (struct xf_verdict){ .outcome = XF_OUTCOME_UNKNOWN };
	v->judgement =
		xf_judge(state, c->known->guest, c->target ? c->target->kvm.host : UINT64_MAX);
	v->drop = xf_droppable(state, c->known->guest, c->only);
	if (c->target) {
		v->prediction = predict(c, v->judgement.undecided);
		v->outcome = outcome(c, &c->target->kvm, state);
	}
	find_in_state(c, v);
	if (c->target)
		find_at_target(c, v);
}

enum xf_outcome xf_worst(enum xf_outcome a, enum xf_outcome b)
{
	if (a == XF_OUTCOME_REFUSED || b == XF_OUTCOME_REFUSED)
		return XF_OUTCOME_REFUSED;
	if (a == XF_OUTCOME_UNKNOWN || b == XF_OUTCOME_UNKNOWN)
		return XF_OUTCOME_UNKNOWN;
	return XF_OUTCOME_ACCEPTED;
}
