/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A journey over several hosts, hop by hop. Each hop is judged as check judges a
 * state (state/judge.c); between two hops the guest runs, and what the host saves
 * of it then is KVM_GET_XSAVE's to say (xf_predict_get). That is known within
 * bounds only: both ends are judged, and they tell of all that lies between, since
 * no KVM refuses a state for having less in use.
 */
#include "base/scope.h"
#include "state/judge.h"
#include "state/state.h"

/* The journey as it was asked for. */
struct plan {
	const struct xf_host *const *hosts;
	size_t hop_count;
	const struct xf_vcpu *vcpus;
	size_t vcpu_count;
	const char *machine;   /* or NULL */
	struct xf_known start; /* what is known of the guest at first, */
	struct xf_known known; /* and behind the hosts that it has run on */
	bool doubtful;
	bool from_state; /* the vCPUs are as saved, and not as they run on the first host */
	bool repair;
};

/* One vCPU on its way. */
struct traveller {
	struct xf_judged judged;
	struct xf_bounds in_use;
	bool wiped;
};

/* Not the guest's, for certain. */
static uint64_t not_shown(const struct xf_known *known)
{
	return known->guest.known & ~known->guest.shown;
}

static struct xf_bounds without(struct xf_bounds bounds, uint64_t drop)
{
	return (struct xf_bounds){ bounds.least & ~drop, bounds.most & ~drop };
}

static struct xf_verdict verdict_of(const struct xf_judged *judged, uint64_t xstate_bv)
{
	struct xf_judged c = *judged;
	struct xf_verdict verdict;

	c.head.xstate_bv = xstate_bv;
	xf_judge_vcpu(&c, &verdict);
	return verdict;
}

/* What both ends agree on. */
static enum xf_outcome between(enum xf_outcome least, enum xf_outcome most)
{
	if (least == XF_OUTCOME_REFUSED || most == XF_OUTCOME_ACCEPTED)
		return least;
	return XF_OUTCOME_UNKNOWN;
}

/* Of what may be there and is refused for certain components: without these. */
static struct xf_prediction predict_rest(const struct xf_judged *judged, uint64_t xstate_bv)
{
	struct xf_prediction prediction = verdict_of(judged, xstate_bv).prediction;

	while (prediction.outcome == XF_OUTCOME_REFUSED && prediction.blocked) {
		xstate_bv &= ~prediction.blocked;
		prediction = verdict_of(judged, xstate_bv).prediction;
	}
	/* Refused for something else. */
	if (prediction.outcome == XF_OUTCOME_REFUSED)
		prediction.loaded.most = xstate_bv;
	return prediction;
}

static struct xf_prediction predict_between(const struct xf_judged *judged,
					    const struct xf_prediction *least,
					    const struct xf_prediction *most, uint64_t sent_most)
{
	if (least->outcome == XF_OUTCOME_REFUSED)
		return *least;

	struct xf_prediction prediction = *most;
	struct xf_prediction rest = predict_rest(judged, sent_most);

	prediction.outcome = between(least->outcome, most->outcome);
	prediction.dropped = least->dropped | rest.dropped;
	prediction.loaded.least = least->loaded.least;
	prediction.loaded.most = rest.loaded.most;
	return prediction;
}

/* Those that are certain; and that the outcome is not, where what may be there decides it. */
static void note_findings(struct xf_vcpu_hop *hop, const struct xf_verdict *least,
			  const struct xf_verdict *most)
{
	struct xf_finding unknown = {
		.problem = xf_problem_by_id(XF_PROBLEM_UNKNOWN),
		.components = hop->sent.most & ~hop->sent.least,
	};

	for (size_t i = 0; i < least->count; i++)
		hop->findings[i] = least->found[i];
	hop->finding_count = least->count;
	if (least->outcome != XF_OUTCOME_ACCEPTED || hop->outcome != XF_OUTCOME_UNKNOWN)
		return;
	for (size_t i = 0; i < most->count; i++)
		unknown.remedies |= most->found[i].remedies;
	hop->findings[hop->finding_count++] = unknown;
}

/* Judges what is sent, and what a repair would send. */
static void judge_hop(const struct traveller *t, struct xf_vcpu_hop *hop)
{
	struct xf_verdict least = verdict_of(&t->judged, hop->sent.least);
	struct xf_verdict most = verdict_of(&t->judged, hop->sent.most);
	struct xf_bounds fixed = without(hop->sent, most.drop);

	hop->judgement = most.judgement;
	hop->drop = most.drop;
	hop->prediction =
		predict_between(&t->judged, &least.prediction, &most.prediction, hop->sent.most);
	hop->outcome = between(least.outcome, most.outcome);
	hop->outcome_fixed = between(verdict_of(&t->judged, fixed.least).outcome,
				     verdict_of(&t->judged, fixed.most).outcome);
	note_findings(hop, &least, &most);
}

/* What a host saves of a vCPU that runs on it. A mask from a person is taken at its word. */
static struct xf_bounds saved_on(const struct plan *plan, const struct xf_host *host,
				 struct xf_bounds in_use, bool first)
{
	if (first && plan->from_state)
		return in_use;

	struct xf_bounds saved = xf_predict_get(&host->kvm, plan->known.given, in_use);

	if (first)
		saved.most &= saved.least | in_use.most | XF_PKRU;
	return saved;
}

/* What is the guest's own, in use, and may not be in what was saved. */
static uint64_t unsaved(const struct plan *plan, const struct xf_host *host,
			struct xf_bounds in_use, struct xf_bounds saved)
{
	uint64_t own = in_use.least & plan->known.guest.shown & host->kvm.host;

	/* What the guest has disarmed itself is no loss. */
	if (host->kvm.xfd_clears)
		own &= ~XF_XTILEDATA;
	return own & ~saved.least;
}

/* QEMU has ignored the refusal: the vCPU runs on from its reset state. */
static void wipe(const struct plan *plan, const struct xf_host *to, struct traveller *t,
		 struct xf_vcpu_hop *hop)
{
	uint64_t own = hop->sent.least & ~not_shown(&plan->known);

	/* KVM_SET_XCRS comes behind KVM_SET_XSAVE, which has loaded x87 and SSE. */
	hop->loses = hop->prediction.outcome == XF_OUTCOME_REFUSED ? own : own & ~XF_FPSSE;
	hop->arrives = (struct xf_bounds){ 0, to->kvm.host & ~not_shown(&plan->known) };
	t->wiped = true;
	t->judged.xcr0 = XF_X87;
	t->judged.head.mxcsr = XF_MXCSR_INIT;
}

/* The VM goes on: a vCPU that was refused does so wiped. */
static void arrive(const struct plan *plan, const struct xf_host *to, struct traveller *t,
		   struct xf_vcpu_hop *hop)
{
	if (hop->outcome == XF_OUTCOME_REFUSED) {
		wipe(plan, to, t, hop);
	} else {
		hop->arrives = hop->prediction.loaded;
		hop->loses = hop->prediction.dropped;
	}
	hop->superfluous = hop->arrives.most & not_shown(&plan->known);
	hop->wiped = t->wiped;
	t->in_use = hop->arrives;
}

/* Not where the guest's own is refused all the same. What is unknown is made less so. */
static bool repair_helps(const struct plan *plan, const struct xf_hop *hop)
{
	uint64_t drop = 0;

	for (size_t i = 0; i < plan->vcpu_count; i++)
		drop |= hop->vcpus[i].drop;
	return drop && hop->outcome != XF_OUTCOME_ACCEPTED &&
	       hop->outcome_fixed != XF_OUTCOME_REFUSED;
}

static void sum_up(const struct plan *plan, struct xf_hop *hop)
{
	hop->outcome = hop->outcome_fixed = XF_OUTCOME_ACCEPTED;
	for (size_t i = 0; i < plan->vcpu_count; i++) {
		hop->outcome = xf_worst(hop->outcome, hop->vcpus[i].outcome);
		hop->outcome_fixed = xf_worst(hop->outcome_fixed, hop->vcpus[i].outcome_fixed);
	}
}

static void judge_all(const struct plan *plan, const struct traveller *travellers,
		      struct xf_hop *hop)
{
	for (size_t i = 0; i < plan->vcpu_count; i++) {
		struct xf_vcpu_hop *v = &hop->vcpus[i];

		judge_hop(&travellers[i], v);
		for (size_t j = 0; j < v->finding_count; j++)
			v->findings[j].vcpu = i;
	}
	sum_up(plan, hop);
}

static void repair_all(const struct plan *plan, const struct traveller *travellers,
		       struct xf_hop *hop)
{
	hop->repaired = true;
	for (size_t i = 0; i < plan->vcpu_count; i++)
		hop->vcpus[i].sent = without(hop->vcpus[i].sent, hop->vcpus[i].drop);
	judge_all(plan, travellers, hop);
}

/* Whether the guest runs on the host ahead. */
static bool goes_on(const struct plan *plan, const struct xf_hop *hop)
{
	return hop->outcome != XF_OUTCOME_REFUSED ||
	       (!plan->repair && hop->refusal == XF_REFUSAL_RUNS_ON);
}

/*
 * What the guest itself saw on the first host stays true of that one. It is no proof for
 * a later one, where it may have been started anew.
 */
static void run_on(struct plan *plan, size_t n)
{
	const struct xf_evidence *evidence = plan->known.evidence;

	if (n == 0 && evidence && evidence->seen_inside)
		return;
	plan->doubtful |= xf_known_has_run(&plan->known, &plan->hosts[n]->kvm);
}

static bool make_hop(struct plan *plan, size_t n, struct traveller *travellers, struct xf_hop *hop)
{
	const struct xf_host *from = plan->hosts[n];
	const struct xf_host *to = plan->hosts[n + 1];

	hop->reached = true;
	run_on(plan, n);
	for (size_t i = 0; i < plan->vcpu_count; i++) {
		struct xf_vcpu_hop *v = &hop->vcpus[i];

		v->saved = saved_on(plan, from, travellers[i].in_use, n == 0);
		v->sent = v->saved;
		if (n > 0 || !plan->from_state)
			v->unsaved = unsaved(plan, from, travellers[i].in_use, v->saved);
		travellers[i].judged.target = to;
	}
	judge_all(plan, travellers, hop);
	if (plan->repair && repair_helps(plan, hop))
		repair_all(plan, travellers, hop);
	if (!goes_on(plan, hop))
		return false;
	for (size_t i = 0; i < plan->vcpu_count; i++)
		arrive(plan, to, &travellers[i], &hop->vcpus[i]);
	return true;
}

static void set_out(const struct plan *plan, struct traveller *travellers)
{
	for (size_t i = 0; i < plan->vcpu_count; i++) {
		uint64_t in_use = plan->vcpus[i].xstate_bv.value;

		travellers[i] = (struct traveller){
			.judged = xf_judged_of(&plan->vcpus[i], &plan->known, NULL, XF_ALL),
			.in_use = { in_use, in_use },
		};
	}
}

static enum xf_outcome travel(struct plan *plan, struct traveller *travellers, struct xf_hop *hops)
{
	enum xf_outcome outcome = XF_OUTCOME_ACCEPTED;
	bool on_the_way = true;

	plan->known = plan->start;
	set_out(plan, travellers);
	for (size_t n = 0; n < plan->hop_count; n++)
		hops[n].refusal = xf_refusal_at(plan->hosts[n + 1], plan->machine);
	for (size_t n = 0; n < plan->hop_count && on_the_way; n++) {
		on_the_way = make_hop(plan, n, travellers, &hops[n]);
		outcome = xf_worst(outcome, hops[n].outcome);
	}
	return outcome;
}

/* What the first host would not have saved of the state, or cannot have in use. */
static uint64_t unexpected(const struct plan *plan)
{
	const struct xf_kvm *first = &plan->hosts[0]->kvm;
	uint64_t found = 0;

	for (size_t i = 0; i < plan->vcpu_count; i++) {
		uint64_t in_use = plan->vcpus[i].xstate_bv.value;
		struct xf_bounds bounds = { in_use, in_use };
		struct xf_bounds saved = xf_predict_get(first, plan->start.given, bounds);

		found |= in_use & ~(plan->from_state ? saved.most : first->host);
	}
	return found;
}

static bool is_sound(const struct xf_journey *journey)
{
	if (journey->outcome != XF_OUTCOME_ACCEPTED || journey->contradicted || journey->unexpected)
		return false;
	for (size_t n = 0; n < journey->hop_count; n++)
		for (size_t i = 0; i < journey->vcpu_count; i++) {
			const struct xf_vcpu_hop *v = &journey->as_saved[n].vcpus[i];

			if (v->judgement.missing || v->loses || v->unsaved)
				return false;
		}
	return true;
}

static struct xf_error *new_hops(size_t hop_count, size_t vcpu_count, struct xf_hop **out)
{
	struct xf_hop *hops = calloc(hop_count, sizeof(*hops));

	*out = hops;
	if (!hops)
		return xf_error_memory();
	for (size_t n = 0; n < hop_count; n++) {
		hops[n].vcpus = calloc(vcpu_count, sizeof(*hops[n].vcpus));
		if (!hops[n].vcpus)
			return xf_error_memory();
		for (size_t i = 0; i < vcpu_count; i++) {
			struct xf_finding **findings = &hops[n].vcpus[i].findings;

			*findings = calloc(XF_PROBLEMS, sizeof(**findings));
			if (!*findings)
				return xf_error_memory();
		}
	}
	return NULL;
}

static void free_hops(struct xf_hop *hops, const struct xf_journey *journey)
{
	for (size_t n = 0; hops && n < journey->hop_count; n++) {
		for (size_t i = 0; hops[n].vcpus && i < journey->vcpu_count; i++)
			free(hops[n].vcpus[i].findings);
		free(hops[n].vcpus);
	}
	free(hops);
}

void xf_journey_free(struct xf_journey *journey)
{
	if (!journey)
		return;
	free_hops(journey->as_saved, journey);
	free_hops(journey->repaired, journey);
	xf_evidence_free(journey->evidence);
	free(journey);
}

static void scope_free_journey(struct xf_journey **journey)
{
	xf_journey_free(*journey);
}

static struct xf_error *predict(struct plan *plan, struct xf_journey **out)
{
	XF_AUTO(scope_free_journey) struct xf_journey *journey = calloc(1, sizeof(*journey));
	XF_AUTO_FREE struct traveller *travellers = calloc(plan->vcpu_count, sizeof(*travellers));

	if (!journey || !travellers)
		return xf_error_memory();
	journey->hop_count = plan->hop_count;
	journey->vcpu_count = plan->vcpu_count;
	XF_TRY(new_hops(plan->hop_count, plan->vcpu_count, &journey->as_saved));
	XF_TRY(new_hops(plan->hop_count, plan->vcpu_count, &journey->repaired));
	journey->guest = plan->start.told;
	journey->contradicted = plan->start.contradicted;
	journey->unexpected = unexpected(plan);
	journey->outcome = travel(plan, travellers, journey->as_saved);
	plan->repair = true;
	journey->outcome_repaired = travel(plan, travellers, journey->repaired);
	journey->doubtful = plan->doubtful;
	journey->sound = is_sound(journey);
	*out = xf_take(journey);
	return NULL;
}

static void scope_free_evidence(struct xf_evidence **evidence)
{
	xf_evidence_free(*evidence);
}

struct xf_error *xf_route(const struct xf_state *state, uint64_t in_use,
			  const struct xf_evidence *guest, const struct xf_host *const *hosts,
			  size_t host_count, struct xf_journey **out)
{
	const struct xf_vcpu running = {
		.xstate_bv.value = in_use,
		.xcr0 = { .value = XF_X87, .size = 8 },
		.mxcsr.value = XF_MXCSR_INIT,
	};
	const struct xf_vcpu *vcpus = state ? state->record.vcpus : &running;
	size_t vcpu_count = state ? state->record.vcpu_count : 1;
	struct plan plan = {
		.hosts = hosts,
		.vcpus = vcpus,
		.vcpu_count = vcpu_count,
		.machine = state ? state->record.machine : NULL,
		.from_state = state != NULL,
	};
	XF_AUTO(scope_free_evidence) struct xf_evidence *evidence = NULL;

	if (host_count < 2)
		return xf_error_new(XF_ERR_USAGE, NULL,
				    "a journey has at least two hosts: where the guest runs, and "
				    "where it goes");
	plan.hop_count = host_count - 1;
	XF_TRY(xf_known_of(vcpus, vcpu_count, guest, state ? state->record.evidence : NULL,
			   &plan.start));
	evidence = plan.start.evidence;
	XF_TRY(predict(&plan, out));
	(*out)->evidence = xf_take(evidence);
	return NULL;
}
