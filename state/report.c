/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Judges a whole state: the rule of core/ applied to each vCPU, what it means
 * for a target, and the findings and edits that follow.
 */
#include "base/scope.h"
#include "state/edit.h"
#include "state/problem.h"
#include "state/state.h"

#define CR4_PKE ((uint64_t)1 << 22)

/* One vCPU's judgement in the making. */
struct judged {
	const struct xf_vcpu *vcpu;
	struct xf_guest guest;
	const struct xf_evidence *evidence; /* or NULL */
	const struct xf_host *target;	    /* or NULL */
	struct xf_area_head head;	    /* of the area that QEMU will build */
	uint64_t only;			    /* what may be dropped */
};

/* What the judgement comes to: of the state as it stands, then of the repaired one. */
struct verdict {
	struct xf_judgement judgement;
	struct xf_prediction prediction;
	enum xf_outcome outcome;
	uint64_t drop;
	struct xf_finding found[XF_PROBLEMS]; /* room for every problem */
	size_t count;
};

/* QEMU rebuilds the area from the stream: the header has XSTATE_BV, all else is 0. */
static struct xf_area_head rebuilt_head(const struct xf_vcpu *vcpu)
{
	return (struct xf_area_head){
		.xstate_bv = vcpu->xstate_bv.value,
		.mxcsr = (uint32_t)vcpu->mxcsr.value,
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

/* What the guest has enabled although the evidence says that it was never shown. */
static uint64_t contradiction(const struct xf_vcpu *vcpu, struct xf_guest guest)
{
	return enabled_by_guest(vcpu) & guest.known & ~guest.shown;
}

static bool takes_xcr0(const struct judged *c, const struct xf_kvm *kvm)
{
	/* What is not known to be hidden was shown, or the guest could not have enabled it. */
	struct xf_kvm_vcpu vcpu = {
		.cpuid = c->guest.shown | ~c->guest.known,
		.cpuid_set = true,
	};

	return kvm->no_xsave || xf_kvm_takes_xcr0(kvm, &vcpu, c->vcpu->xcr0.value);
}

/* What a VMM that puts XSAVE and XCR0 is answered, with XSTATE_BV as given. */
static enum xf_outcome outcome(const struct judged *c, const struct xf_kvm *kvm, uint64_t xstate_bv)
{
	struct xf_area_head head = c->head;

	head.xstate_bv = xstate_bv;
	if (!takes_xcr0(c, kvm))
		return XF_OUTCOME_REFUSED;
	return xf_predict(kvm, c->guest, &head).outcome;
}

/* Whether the present kernel's behaviour on the target's CPU would not refuse. */
static bool newer_kernel_helps(const struct judged *c)
{
	struct xf_kvm kvm = c->target->kvm;

	kvm.set = XF_SET_HOST;
	return outcome(c, &kvm, c->head.xstate_bv) != XF_OUTCOME_REFUSED;
}

/* What helps when the target refuses `components` and nobody drops them. */
static unsigned int target_remedies(const struct judged *c, uint64_t components)
{
	uint64_t host = c->target->kvm.host;
	unsigned int remedies = 0;

	if (components & ~host)
		remedies |= XF_REMEDY_OTHER_HOST;
	if ((components & host) && newer_kernel_helps(c))
		remedies |= XF_REMEDY_KERNEL;
	return remedies;
}

static unsigned int superfluous_remedies(const struct judged *c, const struct verdict *v)
{
	uint64_t blocked = v->judgement.superfluous & v->prediction.blocked;
	unsigned int remedies = v->drop ? XF_REMEDY_DROP : 0;

	if (!blocked)
		return remedies;
	if (blocked & c->target->kvm.host)
		remedies |= XF_REMEDY_SHOW;
	return remedies | target_remedies(c, blocked);
}

static void add(struct verdict *v, enum xf_problem_id id, uint64_t components,
		unsigned int remedies)
{
	v->found[v->count++] = (struct xf_finding){
		.problem = xf_problem_by_id(id),
		.components = components,
		.remedies = remedies,
	};
}

/* Findings that need no target. */
static void find_in_state(const struct judged *c, struct verdict *v)
{
	const struct xf_evidence *evidence = c->evidence;
	uint64_t contrary = evidence ? contradiction(c->vcpu, xf_guest_normal(evidence->guest)) : 0;

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
static bool may_refuse_fpsse(const struct judged *c, const struct xf_prediction *p)
{
	return c->target->kvm.set == XF_SET_GUEST_BARE && p->outcome == XF_OUTCOME_UNKNOWN &&
	       (c->guest.known & XF_USER) == XF_USER && c->guest.shown == XF_FPSSE;
}

/* What of XCR0 the host lacks; all of it when no host would take it, as SSE's lack under AVX. */
static uint64_t refused_xcr0(const struct judged *c)
{
	uint64_t beyond = c->vcpu->xcr0.value & ~c->target->kvm.host;

	return beyond ? beyond : c->vcpu->xcr0.value;
}

/* What is not known: of the guest, of the target's KVM, or both. */
static unsigned int unknown_remedies(const struct judged *c, const struct verdict *v)
{
	return (v->judgement.undecided ? XF_REMEDY_EVIDENCE : 0) |
	       (c->target->kvm.set == XF_SET_UNKNOWN ? XF_REMEDY_PROFILE : 0);
}

/* Findings about the target. */
static void find_at_target(const struct judged *c, struct verdict *v)
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
	if (!takes_xcr0(c, &c->target->kvm))
		add(v, XF_PROBLEM_XCR0, refused_xcr0(c), XF_REMEDY_OTHER_HOST);
	if (p->dropped)
		add(v, XF_PROBLEM_HOOK, p->dropped,
		    XF_REMEDY_OTHER_HOST | (p->dropped & ~c->guest.known ? XF_REMEDY_EVIDENCE : 0));
	if (v->outcome == XF_OUTCOME_UNKNOWN && doubtful)
		add(v, XF_PROBLEM_UNKNOWN, doubtful, unknown_remedies(c, v));
}

static void judge(const struct judged *c, struct verdict *v)
{
	uint64_t state = c->head.xstate_bv;

	*v = (struct verdict){ .outcome = XF_OUTCOME_UNKNOWN };
	v->judgement = xf_judge(state, c->guest, c->target ? c->target->kvm.host : UINT64_MAX);
	v->drop = xf_droppable(state, c->guest, c->only);
	if (c->target) {
		v->prediction = xf_predict(&c->target->kvm, c->guest, &c->head);
		v->outcome = outcome(c, &c->target->kvm, state);
	}
	find_in_state(c, v);
	if (c->target)
		find_at_target(c, v);
}

static void judge_vcpu(struct xf_report *report, size_t i, const struct judged *c)
{
	struct judged repaired = *c;
	struct verdict now, then;

	judge(c, &now);
	repaired.head.xstate_bv &= ~now.drop;
	judge(&repaired, &then);

	report->vcpus[i] = (struct xf_vcpu_report){
		.judgement = now.judgement,
		.prediction = now.prediction,
		.outcome = now.outcome,
		.outcome_fixed = then.outcome,
		.drop = now.drop,
		.first_finding = report->finding_count,
		.finding_count = now.count,
	};
	report->droppable |= now.drop;
	report->left_count += then.count;
	report->edit_count +=
		xf_edits_of_vcpu(c->vcpu, now.drop, &report->edits[report->edit_count]);
	for (size_t j = 0; j < now.count; j++) {
		now.found[j].vcpu = i;
		report->findings[report->finding_count++] = now.found[j];
	}
}

/* A state is loaded whole or not at all, so its worst vCPU speaks for it. */
static enum xf_outcome worst(enum xf_outcome a, enum xf_outcome b)
{
	if (a == XF_OUTCOME_REFUSED || b == XF_OUTCOME_REFUSED)
		return XF_OUTCOME_REFUSED;
	if (a == XF_OUTCOME_UNKNOWN || b == XF_OUTCOME_UNKNOWN)
		return XF_OUTCOME_UNKNOWN;
	return XF_OUTCOME_ACCEPTED;
}

static void scope_free_report(struct xf_report **report)
{
	xf_report_free(*report);
}

static struct xf_error *new_report(size_t vcpus, struct xf_report **out)
{
	XF_AUTO(scope_free_report) struct xf_report *report = calloc(1, sizeof(*report));

	if (!report)
		return xf_error_memory();
	report->vcpu_count = vcpus;
	report->vcpus = calloc(vcpus, sizeof(*report->vcpus));
	report->findings = calloc(vcpus, XF_PROBLEMS * sizeof(*report->findings));
	report->edits = calloc(vcpus, XF_EDITS_PER_VCPU * sizeof(*report->edits));
	if (!report->vcpus || !report->findings || !report->edits)
		return xf_error_memory();
	*out = xf_take(report);
	return NULL;
}

/* What any vCPU has enabled: the guest's CPUID is the same on all of them. */
static uint64_t enabled_by_any(const struct xf_record *record)
{
	uint64_t enabled = 0;

	for (size_t i = 0; i < record->vcpu_count; i++)
		enabled |= enabled_by_guest(&record->vcpus[i]);
	return enabled;
}

struct xf_error *xf_check(const struct xf_state *state, const struct xf_evidence *guest,
			  const struct xf_host *target, uint64_t only, struct xf_report **out)
{
	const struct xf_record *record = &state->record;
	uint64_t enabled = enabled_by_any(record);
	struct xf_report *report = NULL;

	XF_TRY(new_report(record->vcpu_count, &report));
	report->has_target = target != NULL;
	report->guest = xf_guest_normal(guest ? guest->guest : XF_GUEST_UNKNOWN);
	report->contradicted = enabled & report->guest.known & ~report->guest.shown;
	if (report->contradicted)
		report->guest = xf_guest_normal(XF_GUEST_UNKNOWN);
	report->outcome = target ? XF_OUTCOME_ACCEPTED : XF_OUTCOME_UNKNOWN;
	report->outcome_fixed = report->outcome;

	for (size_t i = 0; i < record->vcpu_count; i++) {
		const struct xf_vcpu *vcpu = &record->vcpus[i];
		struct judged c = {
			.vcpu = vcpu,
			.guest = { report->guest.shown | enabled, report->guest.known | enabled },
			.evidence = guest,
			.target = target,
			.head = rebuilt_head(vcpu),
			.only = only,
		};

		judge_vcpu(report, i, &c);
		report->outcome = worst(report->outcome, report->vcpus[i].outcome);
		report->outcome_fixed =
			worst(report->outcome_fixed, report->vcpus[i].outcome_fixed);
	}
	report->state = state;
	*out = report;
	return NULL;
}

void xf_report_free(struct xf_report *report)
{
	if (!report)
		return;
	free(report->vcpus);
	free(report->findings);
	free(report->edits);
	free(report);
}
