/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Judges a whole state: each vCPU's findings and what a target answers to it
 * (state/judge.c), and the edits that follow.
 */
#include "base/scope.h"
#include "state/edit.h"
#include "state/judge.h"
#include "state/state.h"

static void judge_vcpu(struct xf_report *report, size_t i, const struct xf_vcpu *vcpu,
		       const struct xf_judged *judged)
{
	struct xf_judged repaired = *judged;
	struct xf_verdict now, then;

	xf_judge_vcpu(judged, &now);
	repaired.head.xstate_bv &= ~now.drop;
	xf_judge_vcpu(&repaired, &then);

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
	report->edit_count += xf_edits_of_vcpu(vcpu, now.drop, &report->edits[report->edit_count]);
	for (size_t j = 0; j < now.count; j++) {
		now.found[j].vcpu = i;
		report->findings[report->finding_count++] = now.found[j];
	}
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

struct xf_error *xf_check(const struct xf_state *state, const struct xf_evidence *guest,
			  const struct xf_host *target, uint64_t only, struct xf_report **out)
{
	const struct xf_record *record = &state->record;
	struct xf_known known = xf_known_of(record->vcpus, record->vcpu_count, guest);
	struct xf_report *report = NULL;

	XF_TRY(new_report(record->vcpu_count, &report));
	report->has_target = target != NULL;
	report->guest = known.told;
	report->contradicted = known.contradicted;
	report->outcome = target ? XF_OUTCOME_ACCEPTED : XF_OUTCOME_UNKNOWN;
	report->outcome_fixed = report->outcome;

	for (size_t i = 0; i < record->vcpu_count; i++) {
		struct xf_judged judged = xf_judged_of(&record->vcpus[i], &known, target, only);

		judge_vcpu(report, i, &record->vcpus[i], &judged);
		report->outcome = xf_worst(report->outcome, report->vcpus[i].outcome);
		report->outcome_fixed =
			xf_worst(report->outcome_fixed, report->vcpus[i].outcome_fixed);
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
