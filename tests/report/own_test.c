/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a format may bring besides vCPUs: evidence, an area's header, places, refusals. */
#include <stdlib.h>
#include <string.h>

#include "host/evidence.h"
#include "state/edit.h"
#include "state/problem.h"
#include "tests/report/synthetic.h"

#define LEAK (XF_FPSSE | XF_AVX | XF_PKRU)

/* Evidence made by hand, with a name of its own. */
static struct xf_evidence *told(uint64_t shown, uint64_t known, const char *source)
{
	struct xf_evidence *evidence = NULL;

	assert_fine(xf_evidence_new((struct xf_guest){ shown, known }, false, strdup(source),
				    &evidence));
	return evidence;
}

static struct xf_state *leaky_state(struct xf_evidence *own)
{
	struct xf_vcpu vcpu = vcpu_at(0, 1600, LEAK, XF_X87);
	struct xf_state *state = synthetic_state(&vcpu, 1);

	state->record.evidence = own;
	return state;
}

static struct xf_report *check(const struct xf_state *state, const struct xf_evidence *given)
{
	struct xf_report *report = NULL;

	assert_fine(xf_check(state, given, NULL, XF_ALL, &report));
	return report;
}

static void the_files_own_suffices(void **unused)
{
	struct xf_state *state = leaky_state(told(XF_FPSSE | XF_AVX, UINT64_MAX, "the file"));
	struct xf_report *report = check(state, NULL);

	(void)unused;
	assert_int_equal(report->droppable, XF_PKRU);
	assert_string_equal(report->evidence->source, "the file");
	assert_ptr_equal(xf_state_evidence(state), state->record.evidence);
	xf_report_free(report);
	synthetic_free(state);
}

/* Of what one does not know, the other tells. */
static void both_are_joined(void **unused)
{
	struct xf_state *state = leaky_state(told(XF_FPSSE, XF_FPSSE | XF_AVX, "the file"));
	struct xf_evidence *given = told(XF_FPSSE, XF_FPSSE | XF_PKRU, "-cpu x");
	struct xf_report *report = check(state, NULL);

	(void)unused;
	assert_int_equal(report->droppable, XF_AVX);
	xf_report_free(report);
	report = check(state, given);
	assert_int_equal(report->droppable, XF_AVX | XF_PKRU);
	assert_string_equal(report->evidence->source, "-cpu x, and the file");
	assert_false(report->contradicted);
	xf_report_free(report);
	xf_evidence_free(given);
	synthetic_free(state);
}

/* What either shows is kept; what is given as hidden against the file is set aside, all of it. */
static void the_file_is_believed(void **unused)
{
	struct xf_state *state =
		leaky_state(told(XF_FPSSE | XF_PKRU, XF_FPSSE | XF_PKRU, "the file"));
	struct xf_evidence *given = told(XF_FPSSE, UINT64_MAX, "-cpu x");
	struct xf_report *report = check(state, given);

	(void)unused;
	assert_true(report->contradicted);
	assert_int_equal(report->droppable, 0);
	assert_int_equal(report->edit_count, 0);
	assert_int_equal(report->guest.shown & XF_PKRU, XF_PKRU);
	assert_int_equal(report->finding_count, 2);
	assert_ptr_equal(report->findings[0].problem, xf_problem_by_id(XF_PROBLEM_NO_EVIDENCE));
	assert_ptr_equal(report->findings[1].problem, xf_problem_by_id(XF_PROBLEM_CONTRADICTION));
	assert_int_equal(report->findings[1].components, XF_PKRU);
	xf_report_free(report);
	xf_evidence_free(given);
	synthetic_free(state);
}

/* What it shows is kept even then: a guest that hides one thing too many may be this one. */
static void shown_against_the_file(void **unused)
{
	struct xf_state *state =
		leaky_state(told(XF_FPSSE | XF_AVX, UINT64_MAX & ~XF_APX, "the file"));
	struct xf_evidence *given = told(XF_FPSSE | XF_PKRU, UINT64_MAX, "-cpu x");
	struct xf_report *report = check(state, given);

	(void)unused;
	assert_true(report->contradicted);
	assert_int_equal(report->droppable, 0);
	xf_report_free(report);
	state->record.vcpus[0].xstate_bv.value |= XF_OPMASK;
	report = check(state, given);
	assert_int_equal(report->droppable, XF_OPMASK);
	xf_report_free(report);
	xf_evidence_free(given);
	synthetic_free(state);
}

/* What is given to show more than the file does is kept as well. */
static void given_more_is_kept(void **unused)
{
	struct xf_state *state = leaky_state(told(XF_FPSSE, UINT64_MAX, "the file"));
	struct xf_evidence *given = told(XF_FPSSE | XF_PKRU, UINT64_MAX, "-cpu x");
	struct xf_report *report = check(state, given);

	(void)unused;
	assert_int_equal(report->droppable, XF_AVX);
	xf_report_free(report);
	xf_evidence_free(given);
	synthetic_free(state);
}

/* Not even the file's own counts against what the guest has enabled. */
static void the_state_is_believed_most(void **unused)
{
	struct xf_state *state = leaky_state(told(XF_FPSSE, UINT64_MAX, "the file"));
	struct xf_report *report;

	(void)unused;
	state->record.vcpus[0].xcr0.value = XF_FPSSE | XF_AVX;
	report = check(state, NULL);
	assert_true(report->contradicted);
	assert_int_equal(report->droppable, 0);
	xf_report_free(report);
	synthetic_free(state);
}

static void began_on_a_host(void **unused)
{
	struct xf_state *state = leaky_state(told(XF_FPSSE, XF_FPSSE, "host-model"));
	struct xf_host host = { .name = "old", .kvm.host = XF_FPSSE | XF_AVX };
	struct xf_report *report;

	(void)unused;
	/* It does not depend on the host: nothing happens. */
	assert_error(xf_state_began_on(state, &host), XF_ERR_USAGE, "depends on the host");
	assert_string_equal(xf_state_evidence(state)->source, "host-model");
	state->record.evidence->all_of_host = true;
	assert_fine(xf_state_began_on(state, &host));
	assert_string_equal(xf_state_evidence(state)->source, "host-model, started on old");
	report = check(state, NULL);
	assert_int_equal(report->droppable, XF_PKRU);
	xf_report_free(report);
	synthetic_free(state);
}

static const struct xf_host holds_all = {
	.name = "target",
	.kvm = { .host = LEAK, .mxcsr_mask = XF_MXCSR_MASK, .set = XF_SET_HOST },
};

/* Of a state whose file shows the guest all: what is changed in it alone may be found. */
static struct xf_report *check_changed(struct xf_state *state)
{
	struct xf_report *report = NULL;

	assert_fine(xf_check(state, NULL, &holds_all, XF_ALL, &report));
	return report;
}

static void header_that_kvm_refuses(void **unused)
{
	struct xf_state *state = leaky_state(told(LEAK, UINT64_MAX, "the file"));
	struct xf_report *report;

	(void)unused;
	state->record.vcpus[0].xcomp_bv = XF_COMPACTED | LEAK;
	report = check_changed(state);
	assert_int_equal(report->outcome, XF_OUTCOME_REFUSED);
	assert_int_equal(report->finding_count, 1);
	assert_ptr_equal(report->findings[0].problem, xf_problem_by_id(XF_PROBLEM_HEADER));
	xf_report_free(report);

	state->record.vcpus[0].xcomp_bv = 0;
	state->record.vcpus[0].reserved = true;
	report = check_changed(state);
	assert_int_equal(report->vcpus[0].prediction.reason, XF_REASON_RESERVED);
	assert_ptr_equal(report->findings[0].problem, xf_problem_by_id(XF_PROBLEM_HEADER));
	xf_report_free(report);
	synthetic_free(state);
}

/* An XCR0 that the file does not tell is none that is refused. */
static void no_xcr0(void **unused)
{
	struct xf_state *state = leaky_state(told(LEAK, UINT64_MAX, "the file"));
	struct xf_report *report;

	(void)unused;
	state->record.vcpus[0].xcr0 = (struct xf_field){ 0 };
	report = check_changed(state);
	assert_int_equal(report->outcome, XF_OUTCOME_ACCEPTED);
	assert_int_equal(report->finding_count, 0);
	xf_report_free(report);
	synthetic_free(state);
}

static void little_endian_edits(void **unused)
{
	static const uint8_t was[8] = { 0x07, 0x02 }, becomes[8] = { 0x07 };
	static const uint8_t value[4] = { 0x54, 0x55, 0x55, 0x55 };
	const struct xf_vcpu vcpu = {
		.xstate_bv = { LEAK, 512, 8 },
		.pkru = { 0x55555554, 2688, 4 },
		.little_endian = true,
	};
	struct xf_edit edits[XF_EDITS_PER_VCPU];

	(void)unused;
	assert_int_equal(xf_edits_of_vcpu(&vcpu, XF_PKRU, edits), 2);
	assert_memory_equal(edits[0].old_bytes, was, 8);
	assert_memory_equal(edits[0].new_bytes, becomes, 8);
	assert_memory_equal(edits[1].old_bytes, value, 4);
	assert_memory_equal(edits[1].new_bytes, was + 2, 4);
}

/* ---- A format whose addresses are not the file's offsets ---- */

/* Each byte by itself, a mebibyte further. */
static struct xf_error *place_far(const struct xf_state *state, const struct xf_edit *edits,
				  size_t count, struct xf_edit_list *out)
{
	(void)state;
	for (size_t i = 0; i < count; i++) {
		for (uint32_t j = 0; j < edits[i].length; j++) {
			struct xf_edit edit = { edits[i].offset + j + (1 << 20), 1, { 0 }, { 0 } };

			edit.old_bytes[0] = edits[i].old_bytes[j];
			edit.new_bytes[0] = edits[i].new_bytes[j];
			XF_TRY(xf_edit_list_add(out, &edit));
		}
	}
	return NULL;
}

static struct xf_error *place_nowhere(const struct xf_state *state, const struct xf_edit *edits,
				      size_t count, struct xf_edit_list *out)
{
	(void)edits;
	(void)count;
	(void)out;
	return xf_error_new(XF_ERR_FORMAT, state->name, "has no place for it");
}

static struct xf_error *may_not(const struct xf_state *state, const struct xf_report *report,
				bool locked)
{
	(void)locked;
	(void)report;
	return xf_error_new(XF_ERR_REFUSED, state->name, "is for reading only");
}

static struct xf_error *place_none(const struct xf_state *state, const struct xf_edit *edits,
				   size_t count, struct xf_edit_list *out)
{
	(void)state;
	(void)edits;
	(void)count;
	(void)out;
	return NULL;
}

static void edits_are_placed(void **unused)
{
	const struct xf_format far = { .name = "far", .place = place_far };
	const struct xf_format nowhere = { .name = "nowhere", .place = place_nowhere };
	const struct xf_format none = { .name = "none", .place = place_none };
	struct xf_state *state = leaky_state(told(XF_FPSSE, UINT64_MAX, "the file"));
	struct xf_report *report;

	(void)unused;
	state->format = &far;
	report = check(state, NULL);
	assert_int_equal(report->edit_count, 8);
	assert_int_equal(report->edits[7].offset, 1607 + (1 << 20));
	assert_int_equal(report->edits[7].old_bytes[0], 0x07);
	assert_int_equal(report->edits[7].new_bytes[0], 0x03);
	xf_report_free(report);
	state->format = &nowhere;
	assert_error(xf_check(state, NULL, NULL, XF_ALL, &report), XF_ERR_FORMAT,
		     "has no place for it");
	/* Addresses that are no offsets must never be taken for some. */
	state->format = &none;
	assert_error(xf_check(state, NULL, NULL, XF_ALL, &report), XF_ERR_DAMAGED,
		     "is not in the file");
	synthetic_free(state);
}

static void reading_only(void **unused)
{
	const struct xf_format format = { .name = "only", .may_fix = may_not };
	struct place place;
	uint8_t bytes[2048] = { 0 };
	struct xf_vcpu vcpu = vcpu_at(0, 1600, LEAK, XF_X87);

	(void)unused;
	place_init(&place);
	write_file(place.path, bytes, sizeof(bytes));

	struct xf_state *state = synthetic_file(place.path, &vcpu, 1);

	state->format = &format;
	state->record.evidence = told(XF_FPSSE, UINT64_MAX, "the file");

	struct xf_report *report = check(state, NULL);

	assert_error(xf_fix_in_place(state, report, NULL, NULL), XF_ERR_REFUSED, "reading only");
	assert_error(xf_fix_copy(state, report, place.undo, NULL), XF_ERR_REFUSED, "reading only");
	assert_false(is_there(place.undo));
	assert_content(place.path, bytes, sizeof(bytes));
	xf_report_free(report);
	synthetic_free(state);
	place_clear(&place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_files_own_suffices),
		cmocka_unit_test(both_are_joined),
		cmocka_unit_test(the_file_is_believed),
		cmocka_unit_test(shown_against_the_file),
		cmocka_unit_test(given_more_is_kept),
		cmocka_unit_test(the_state_is_believed_most),
		cmocka_unit_test(began_on_a_host),
		cmocka_unit_test(header_that_kvm_refuses),
		cmocka_unit_test(no_xcr0),
		cmocka_unit_test(little_endian_edits),
		cmocka_unit_test(edits_are_placed),
		cmocka_unit_test(reading_only),
	};

	return cmocka_run_group_tests_name("own", tests, NULL, NULL);
}
