/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Judges a whole state: each vCPU's findings and what a target answers to it
 * (state/judge.c), and the edits that follow.
 */
#include "base/scope.h"
#include "state/edit.h"
#include "state/judge.h"
#include "state/state.h"

static void judge_vcpu(struct xf_report *report, size_t i, const struct xf_judged *judged)
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
	if (!report->vcpus || !report->findings)
		return xf_error_memory();
	*out = xf_take(report);
	return NULL;
}

/* What takes out all that may be dropped, in the stream or area. */
static struct xf_error *edits_of(const struct xf_state *state, const struct xf_report *report,
				 struct xf_edit_list *out)
{
	struct xf_edit edits[XF_EDITS_PER_VCPU];

	for (size_t i = 0; i < report->vcpu_count; i++) {
		size_t count =
			xf_edits_of_vcpu(&state->record.vcpus[i], report->vcpus[i].drop, edits);

		for (size_t j = 0; j < count; j++)
			XF_TRY(xf_edit_list_add(out, &edits[j]));
	}
	return NULL;
}

/* The same in the file. */
static struct xf_error *place_edits(const struct xf_state *state, struct xf_report *report)
{
	XF_AUTO(xf_edit_list_deinit) struct xf_edit_list edits = { 0 };
	XF_AUTO(xf_edit_list_deinit) struct xf_edit_list placed = { 0 };

	XF_TRY(edits_of(state, report, &edits));
	if (edits.count && state->format->place) {
		XF_TRY(state->format->place(state, edits.edits, edits.count, &placed));
		if (!placed.count)
			return xf_error_new(XF_ERR_DAMAGED, state->name,
					    "what is to be changed is not in the file");
	}

	struct xf_edit_list *list = state->format->place ? &placed : &edits;

	report->edits = xf_take(list->edits);
	report->edit_count = list->count;
	return NULL;
}

struct xf_error *xf_check(const struct xf_state *state, const struct xf_evidence *guest,
			  const struct xf_host *target, uint64_t only, struct xf_report **out)
{
	const struct xf_record *record = &state->record;
	XF_AUTO(scope_free_report) struct xf_report *report = NULL;
	struct xf_known known;

	if (state->format->read_only)
		only = 0;
	XF_TRY(new_report(record->vcpu_count, &report));
	XF_TRY(xf_known_of(record->vcpus, record->vcpu_count, guest, record->evidence, &known));
	report->state = state;
	report->evidence = known.evidence;
	report->has_target = target != NULL;
	report->guest = known.told;
	report->contradicted = known.contradicted;
	report->outcome = target ? XF_OUTCOME_ACCEPTED : XF_OUTCOME_UNKNOWN;
	report->outcome_fixed = report->outcome;

	for (size_t i = 0; i < record->vcpu_count; i++) {
		struct xf_judged judged = xf_judged_of(&record->vcpus[i], &known, target, only);

		judge_vcpu(report, i, &judged);
		report->outcome = xf_worst(report->outcome, report->vcpus[i].outcome);
		report->outcome_fixed =
			xf_worst(report->outcome_fixed, report->vcpus[i].outcome_fixed);
	}
	XF_TRY(place_edits(state, report));
	*out = xf_take(report);
	return NULL;
}

void xf_report_free(struct xf_report *report)
{
	if (!report)
		return;
	free(report->vcpus);
	free(report->findings);
	free(report->edits);
	xf_evidence_free(report->evidence);
	free(report);
}
