/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xf_check: findings, remedies, outcomes and edits, for records made by hand. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state/problem.h"
#include "tests/report/synthetic.h"

#define LEAK (XF_FPSSE | XF_AVX | XF_PKRU)
#define CR4_PKE ((uint64_t)1 << 22)
#define BIT_33 ((uint64_t)1 << 33)

/* What a guest was shown, all of it known. */
#define SHOWN(mask)                                             \
	{                                                       \
		.shown = (mask) | XF_FPSSE, .known = UINT64_MAX \
	}
#define MXCSR .mxcsr_mask = XF_MXCSR_MASK
/* The targets: by what SET looks at, and what the CPU has. */
#define LENIENT(mask)                                                          \
	{                                                                      \
		.host = (mask), MXCSR, .get = XF_GET_TRIMS, .set = XF_SET_HOST \
	}
#define STRICT(mask)                                                            \
	{                                                                       \
		.host = (mask), MXCSR, .get = XF_GET_TRIMS, .set = XF_SET_GUEST \
	}

#define DROP XF_REMEDY_DROP
#define OTHER XF_REMEDY_OTHER_HOST
#define SHOW XF_REMEDY_SHOW
#define KERNEL XF_REMEDY_KERNEL
#define EVIDENCE XF_REMEDY_EVIDENCE
#define HIDE XF_REMEDY_HIDE
#define PROFILE XF_REMEDY_PROFILE
#define MODULE XF_REMEDY_MODULE

struct expected {
	enum xf_problem_id id;
	uint64_t components;
	unsigned int remedies;
};

struct row {
	const char *name;
	uint64_t xstate_bv;
	uint64_t xcr0; /* 0: x87 alone */
	uint64_t cr4;
	uint32_t mxcsr; /* 0: as after reset */
	bool no_evidence;
	bool all_of_host;
	struct xf_guest guest;
	bool no_target;
	struct xf_kvm kvm;
	uint64_t only; /* 0: all */
	enum xf_outcome outcome;
	enum xf_outcome outcome_fixed;
	uint64_t drop;
	struct expected findings[4]; /* up to one without remedies and components */
};

#define UNKNOWN XF_OUTCOME_UNKNOWN
#define ACCEPTED XF_OUTCOME_ACCEPTED
#define REFUSED XF_OUTCOME_REFUSED

static const struct row rows[] = {
	{ .name = "a leak, and nowhere to go",
	  .xstate_bv = LEAK,
	  .guest = SHOWN(0),
	  .no_target = true,
	  .drop = XF_AVX | XF_PKRU,
	  .findings = { { XF_PROBLEM_SUPERFLUOUS, XF_AVX | XF_PKRU, DROP } } },
	{ .name = "a leak the target takes: dropping is all there is to do",
	  .xstate_bv = LEAK,
	  .guest = SHOWN(0),
	  .kvm = LENIENT(LEAK),
	  .outcome = ACCEPTED,
	  .outcome_fixed = ACCEPTED,
	  .drop = XF_AVX | XF_PKRU,
	  .findings = { { XF_PROBLEM_SUPERFLUOUS, XF_AVX | XF_PKRU, DROP } } },
	{ .name = "a leak the target's CPU cannot hold: a newer kernel would not help",
	  .xstate_bv = LEAK,
	  .guest = SHOWN(XF_AVX),
	  .kvm = LENIENT(XF_FPSSE | XF_AVX),
	  .outcome = REFUSED,
	  .outcome_fixed = ACCEPTED,
	  .drop = XF_PKRU,
	  .findings = { { XF_PROBLEM_SUPERFLUOUS, XF_PKRU, DROP | OTHER | MODULE } } },
	{ .name = "the same before the fpstate rework: the module does not load there",
	  .xstate_bv = LEAK,
	  .guest = SHOWN(XF_AVX),
	  .kvm = { .host = XF_FPSSE | XF_AVX,
		   MXCSR,
		   .set = XF_SET_HOST,
		   .header_unchecked = true,
		   .mxcsr_always = true },
	  .outcome = REFUSED,
	  .outcome_fixed = ACCEPTED,
	  .drop = XF_PKRU,
	  .findings = { { XF_PROBLEM_SUPERFLUOUS, XF_PKRU, DROP | OTHER } } },
	{ .name = "a leak that a strict kernel refuses: its CPU has it, so four ways out",
	  .xstate_bv = LEAK,
	  .guest = SHOWN(XF_AVX),
	  .kvm = STRICT(LEAK),
	  .outcome = REFUSED,
	  .outcome_fixed = ACCEPTED,
	  .drop = XF_PKRU,
	  .findings = { { XF_PROBLEM_SUPERFLUOUS, XF_PKRU, DROP | SHOW | KERNEL | MODULE } } },
	{ .name = "a leak that may not be dropped",
	  .xstate_bv = LEAK,
	  .guest = SHOWN(XF_AVX),
	  .kvm = STRICT(LEAK),
	  .only = XF_AVX512,
	  .outcome = REFUSED,
	  .outcome_fixed = REFUSED,
	  .findings = { { XF_PROBLEM_SUPERFLUOUS, XF_PKRU, SHOW | KERNEL } } },
	{ .name = "two leaks, one of which may be dropped",
	  .xstate_bv = LEAK,
	  .guest = SHOWN(0),
	  .kvm = STRICT(LEAK),
	  .only = XF_PKRU,
	  .outcome = REFUSED,
	  .outcome_fixed = REFUSED,
	  .drop = XF_PKRU,
	  .findings = { { XF_PROBLEM_SUPERFLUOUS, XF_AVX | XF_PKRU, DROP | SHOW | KERNEL } } },
	{ .name = "what the guest was shown is no leak",
	  .xstate_bv = LEAK,
	  .guest = SHOWN(LEAK),
	  .kvm = STRICT(LEAK),
	  .outcome = ACCEPTED,
	  .outcome_fixed = ACCEPTED },
	{ .name = "no evidence: said, never dropped",
	  .xstate_bv = LEAK,
	  .no_evidence = true,
	  .no_target = true,
	  .findings = { { XF_PROBLEM_NO_EVIDENCE, XF_AVX | XF_PKRU, EVIDENCE } } },
	{ .name = "no evidence, but the guest has enabled it: its own",
	  .xstate_bv = LEAK,
	  .xcr0 = XF_FPSSE | XF_AVX,
	  .cr4 = CR4_PKE,
	  .no_evidence = true,
	  .no_target = true },
	{ .name = "no evidence, and the target refuses",
	  .xstate_bv = LEAK,
	  .no_evidence = true,
	  .kvm = LENIENT(XF_FPSSE | XF_AVX),
	  .outcome = REFUSED,
	  .outcome_fixed = REFUSED,
	  .findings = { { XF_PROBLEM_NO_EVIDENCE, XF_AVX | XF_PKRU, EVIDENCE },
			{ XF_PROBLEM_BLOCKED, XF_PKRU, EVIDENCE | OTHER } } },
	{ .name = "no evidence, the guest's own, and the target refuses",
	  .xstate_bv = XF_FPSSE | XF_AVX,
	  .xcr0 = XF_FPSSE | XF_AVX,
	  .no_evidence = true,
	  .kvm = LENIENT(XF_FPSSE),
	  .outcome = REFUSED,
	  .outcome_fixed = REFUSED,
	  .findings = { { XF_PROBLEM_LOST, XF_AVX, OTHER }, { XF_PROBLEM_XCR0, XF_AVX, OTHER } } },
	{ .name = "-cpu host: nothing to suspect",
	  .xstate_bv = LEAK,
	  .all_of_host = true,
	  .no_target = true },
	{ .name = "-cpu host,-pku: that alone is known",
	  .xstate_bv = LEAK,
	  .all_of_host = true,
	  .guest = { .known = XF_PKRU },
	  .kvm = LENIENT(XF_FPSSE | XF_AVX),
	  .outcome = REFUSED,
	  .outcome_fixed = ACCEPTED,
	  .drop = XF_PKRU,
	  .findings = { { XF_PROBLEM_SUPERFLUOUS, XF_PKRU, DROP | OTHER | MODULE } } },
	{ .name = "evidence of less than all: the rest is suspected",
	  .xstate_bv = LEAK | BIT_33,
	  .guest = { .known = XF_DEFINED },
	  .no_target = true,
	  .drop = XF_AVX | XF_PKRU,
	  .findings = { { XF_PROBLEM_SUPERFLUOUS, XF_AVX | XF_PKRU, DROP },
			{ XF_PROBLEM_NO_EVIDENCE, BIT_33, EVIDENCE } } },
	{ .name = "XCR0 contradicts the evidence: all of it is set aside",
	  .xstate_bv = LEAK,
	  .xcr0 = XF_FPSSE | XF_AVX,
	  .guest = SHOWN(0),
	  .no_target = true,
	  .findings = { { XF_PROBLEM_NO_EVIDENCE, XF_PKRU, EVIDENCE },
			{ XF_PROBLEM_CONTRADICTION, XF_AVX, EVIDENCE } } },
	{ .name = "CR4.PKE contradicts the evidence",
	  .xstate_bv = XF_FPSSE | XF_PKRU,
	  .cr4 = CR4_PKE,
	  .guest = SHOWN(0),
	  .no_target = true,
	  .findings = { { XF_PROBLEM_CONTRADICTION, XF_PKRU, EVIDENCE } } },
	{ .name = "AVX-512 needs AVX: the evidence of one is that of both",
	  .xstate_bv = XF_FPSSE | XF_AVX,
	  .xcr0 = XF_FPSSE | XF_AVX,
	  .guest = SHOWN(XF_AVX512),
	  .no_target = true },
	{ .name = "the guest's own, and the target has no place for it",
	  .xstate_bv = LEAK,
	  .guest = SHOWN(LEAK),
	  .kvm = LENIENT(XF_FPSSE | XF_AVX),
	  .outcome = REFUSED,
	  .outcome_fixed = REFUSED,
	  .findings = { { XF_PROBLEM_LOST, XF_PKRU, OTHER } } },
	{ .name = "the guest's own lost, another's leak dropped: still refused",
	  .xstate_bv = LEAK,
	  .guest = SHOWN(XF_PKRU),
	  .kvm = LENIENT(XF_FPSSE),
	  .outcome = REFUSED,
	  .outcome_fixed = REFUSED,
	  .drop = XF_AVX,
	  .findings = { { XF_PROBLEM_SUPERFLUOUS, XF_AVX, DROP | OTHER },
			{ XF_PROBLEM_LOST, XF_PKRU, OTHER } } },
	{ .name = "shown, not in use, not at the target",
	  .xstate_bv = XF_FPSSE,
	  .guest = SHOWN(LEAK),
	  .kvm = LENIENT(XF_FPSSE | XF_AVX),
	  .outcome = ACCEPTED,
	  .outcome_fixed = ACCEPTED,
	  .findings = { { XF_PROBLEM_MISSING, XF_PKRU, OTHER | HIDE } } },
	{ .name = "enabled in XCR0, not in use, not at the target",
	  .xstate_bv = XF_FPSSE,
	  .xcr0 = XF_FPSSE | XF_AVX,
	  .guest = SHOWN(XF_AVX),
	  .kvm = LENIENT(XF_FPSSE | XF_PKRU),
	  .outcome = REFUSED,
	  .outcome_fixed = REFUSED,
	  .findings = { { XF_PROBLEM_MISSING, XF_AVX, OTHER | HIDE },
			{ XF_PROBLEM_XCR0, XF_AVX, OTHER } } },
	{ .name = "a reserved bit of MXCSR",
	  .xstate_bv = XF_FPSSE,
	  .mxcsr = 0x11f80,
	  .guest = SHOWN(0),
	  .kvm = LENIENT(LEAK),
	  .outcome = REFUSED,
	  .outcome_fixed = REFUSED,
	  .findings = { { XF_PROBLEM_MXCSR, XF_SSE, 0 } } },
	{ .name = "a reserved bit of MXCSR, on a CPU without XSAVE",
	  .xstate_bv = XF_FPSSE,
	  .mxcsr = 0x11f80,
	  .guest = SHOWN(0),
	  .kvm = { .host = XF_FPSSE, MXCSR, .set = XF_SET_HOST, .no_xsave = true },
	  .outcome = REFUSED,
	  .outcome_fixed = REFUSED,
	  .findings = { { XF_PROBLEM_MXCSR, XF_SSE, 0 } } },
	{ .name = "a leak, on a CPU without XSAVE: KVM_SET_XCRS is never called there",
	  .xstate_bv = LEAK,
	  .guest = SHOWN(0),
	  .kvm = { .host = XF_FPSSE, MXCSR, .set = XF_SET_HOST, .no_xsave = true },
	  .outcome = REFUSED,
	  .outcome_fixed = ACCEPTED,
	  .drop = XF_AVX | XF_PKRU,
	  .findings = { { XF_PROBLEM_SUPERFLUOUS, XF_AVX | XF_PKRU, DROP | OTHER | MODULE } } },
	{ .name = "the hook takes the guest's own",
	  .xstate_bv = LEAK,
	  .guest = SHOWN(LEAK),
	  .kvm = { .host = XF_FPSSE | XF_AVX, MXCSR, .set = XF_SET_HOST, .hook_pkru = true },
	  .outcome = ACCEPTED,
	  .outcome_fixed = ACCEPTED,
	  .findings = { { XF_PROBLEM_HOOK, XF_PKRU, OTHER } } },
	{ .name = "the hook takes a leak: nothing of the guest's",
	  .xstate_bv = XF_FPSSE | XF_PKRU,
	  .guest = SHOWN(0),
	  .kvm = { .host = XF_FPSSE, MXCSR, .set = XF_SET_GUEST, .hook_pkru = true },
	  .outcome = ACCEPTED,
	  .outcome_fixed = ACCEPTED,
	  .drop = XF_PKRU,
	  .findings = { { XF_PROBLEM_SUPERFLUOUS, XF_PKRU, DROP } } },
	{ .name = "the module takes a leak, and nothing is refused",
	  .xstate_bv = LEAK,
	  .guest = SHOWN(0),
	  .kvm = { .host = XF_FPSSE | XF_AVX, MXCSR, .set = XF_SET_GUEST, .hook_set = UINT64_MAX },
	  .outcome = ACCEPTED,
	  .outcome_fixed = ACCEPTED,
	  .drop = XF_AVX | XF_PKRU,
	  .findings = { { XF_PROBLEM_SUPERFLUOUS, XF_AVX | XF_PKRU, DROP } } },
	{ .name = "the module takes PKRU alone, and a strict kernel refuses AVX",
	  .xstate_bv = LEAK,
	  .guest = SHOWN(0),
	  .kvm = { .host = XF_FPSSE | XF_AVX, MXCSR, .set = XF_SET_GUEST, .hook_set = XF_PKRU },
	  .outcome = REFUSED,
	  .outcome_fixed = ACCEPTED,
	  .drop = XF_AVX | XF_PKRU,
	  .findings = { { XF_PROBLEM_SUPERFLUOUS, XF_AVX | XF_PKRU,
			  DROP | SHOW | KERNEL | MODULE } } },
	{ .name = "the module leaves the guest's own alone, which the host cannot hold",
	  .xstate_bv = LEAK,
	  .guest = SHOWN(LEAK),
	  .kvm = { .host = XF_FPSSE | XF_AVX, MXCSR, .set = XF_SET_HOST, .hook_set = UINT64_MAX },
	  .outcome = REFUSED,
	  .outcome_fixed = REFUSED,
	  .findings = { { XF_PROBLEM_LOST, XF_PKRU, OTHER } } },
	{ .name = "x87 and SSE alone, where a guest without XSAVE is refused even these",
	  .xstate_bv = XF_FPSSE,
	  .guest = SHOWN(0),
	  .kvm = { .host = LEAK, MXCSR, .set = XF_SET_GUEST_BARE },
	  .outcome = UNKNOWN,
	  .outcome_fixed = UNKNOWN,
	  .findings = { { XF_PROBLEM_FPSSE, XF_FPSSE, KERNEL } } },
	{ .name = "the same with a leak: that is refused for sure",
	  .xstate_bv = XF_FPSSE | XF_PKRU,
	  .guest = SHOWN(0),
	  .kvm = { .host = LEAK, MXCSR, .set = XF_SET_GUEST_BARE },
	  .outcome = REFUSED,
	  .outcome_fixed = UNKNOWN,
	  .drop = XF_PKRU,
	  .findings = { { XF_PROBLEM_SUPERFLUOUS, XF_PKRU, DROP | SHOW | KERNEL | MODULE } } },
	{ .name = "the same for a guest that has AVX, so XSAVE",
	  .xstate_bv = XF_FPSSE,
	  .guest = SHOWN(XF_AVX),
	  .kvm = { .host = LEAK, MXCSR, .set = XF_SET_GUEST_BARE },
	  .outcome = ACCEPTED,
	  .outcome_fixed = ACCEPTED },
	{ .name = "nobody knows what the target accepts",
	  .xstate_bv = LEAK,
	  .guest = SHOWN(0),
	  .kvm = { .host = LEAK, MXCSR },
	  .outcome = UNKNOWN,
	  .outcome_fixed = UNKNOWN,
	  .drop = XF_AVX | XF_PKRU,
	  .findings = { { XF_PROBLEM_SUPERFLUOUS, XF_AVX | XF_PKRU, DROP },
			{ XF_PROBLEM_UNKNOWN, XF_AVX | XF_PKRU, PROFILE } } },
	{ .name = "nobody knows what the target accepts: not even of x87 and SSE",
	  .xstate_bv = XF_FPSSE,
	  .guest = SHOWN(0),
	  .kvm = { .host = LEAK, MXCSR },
	  .outcome = UNKNOWN,
	  .outcome_fixed = UNKNOWN,
	  .findings = { { XF_PROBLEM_UNKNOWN, XF_FPSSE, PROFILE } } },
	{ .name = "nor whether the guest has XSAVE, which some want to see for x87 and SSE",
	  .xstate_bv = XF_FPSSE,
	  .no_evidence = true,
	  .kvm = { .host = LEAK, MXCSR, .set = XF_SET_GUEST_BARE },
	  .outcome = UNKNOWN,
	  .outcome_fixed = UNKNOWN,
	  .findings = { { XF_PROBLEM_UNKNOWN, XF_FPSSE, EVIDENCE } } },
	{ .name = "the hook takes what may be the guest's own",
	  .xstate_bv = LEAK,
	  .all_of_host = true,
	  .kvm = { .host = XF_FPSSE | XF_AVX, MXCSR, .set = XF_SET_HOST, .hook_pkru = true },
	  .outcome = ACCEPTED,
	  .outcome_fixed = ACCEPTED,
	  .findings = { { XF_PROBLEM_HOOK, XF_PKRU, OTHER | EVIDENCE } } },
	{ .name = "a strict target, and nobody knows what the guest was shown",
	  .xstate_bv = LEAK,
	  .all_of_host = true,
	  .kvm = STRICT(LEAK),
	  .outcome = UNKNOWN,
	  .outcome_fixed = UNKNOWN,
	  .findings = { { XF_PROBLEM_UNKNOWN, XF_AVX | XF_PKRU, EVIDENCE } } },
	{ .name = "an area that nothing is in use of",
	  .xstate_bv = 0,
	  .guest = SHOWN(0),
	  .kvm = STRICT(LEAK),
	  .outcome = ACCEPTED,
	  .outcome_fixed = ACCEPTED },
};

static struct xf_vcpu vcpu_of(const struct row *row, uint32_t index)
{
	struct xf_vcpu vcpu =
		vcpu_at(index, 100 + 1000 * (uint64_t)index, row->xstate_bv, row->xcr0 | XF_X87);

	vcpu.cr4.value = row->cr4;
	vcpu.mxcsr.value = row->mxcsr ? row->mxcsr : 0x1f80;
	return vcpu;
}

static struct xf_report *check(const struct row *row, const struct xf_state *state)
{
	const struct xf_evidence evidence = { row->guest, row->all_of_host, "a test" };
	const struct xf_host host = { .name = "a test", .kvm = row->kvm };
	struct xf_report *report = NULL;

	assert_fine(xf_check(state, row->no_evidence ? NULL : &evidence,
			     row->no_target ? NULL : &host, row->only ? row->only : XF_ALL,
			     &report));
	assert_non_null(report);
	return report;
}

static void hold_findings(const struct row *row, const struct xf_report *report, size_t vcpu)
{
	size_t i = 0;

	for (size_t k = 0; k < report->finding_count; k++) {
		const struct xf_finding *finding = &report->findings[k];
		const struct expected *expected = &row->findings[i];

		if (finding->vcpu != vcpu)
			continue;
		assert_true(i < 4);
		assert_string_equal(finding->problem->code, xf_problem_by_id(expected->id)->code);
		assert_int_equal(finding->components, expected->components);
		assert_int_equal(finding->remedies, expected->remedies);
		i++;
	}
	assert_true(i == 4 || !row->findings[i].components);
}

static void hold_report(const struct row *row, const struct xf_report *report)
{
	assert_int_equal(report->has_target, !row->no_target);
	assert_int_equal(report->outcome, row->outcome);
	assert_int_equal(report->outcome_fixed, row->outcome_fixed);
	assert_int_equal(report->droppable, row->drop);
	assert_int_equal(report->edit_count, row->drop ? report->vcpu_count : 0);
	for (size_t i = 0; i < report->vcpu_count; i++) {
		assert_int_equal(report->vcpus[i].drop, row->drop);
		assert_int_equal(report->vcpus[i].outcome, row->outcome);
		assert_int_equal(report->vcpus[i].outcome_fixed, row->outcome_fixed);
		hold_findings(row, report, i);
	}
	for (size_t i = 0; i < report->edit_count; i++) {
		assert_int_equal(report->edits[i].offset, 100 + 1000 * i);
		assert_int_equal(report->edits[i].length, 8);
	}
}

static void every_row(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		struct xf_vcpu vcpus[] = { vcpu_of(row, 0), vcpu_of(row, 1) };
		struct xf_state *state = synthetic_state(vcpus, 2);
		struct xf_report *report = check(row, state);

		print_message("%s\n", row->name);
		hold_report(row, report);
		xf_report_free(report);
		synthetic_free(state);
	}
}

/* With the edits made, there is nothing left to drop and nothing new to find. */
static void repaired_rows(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct row row = rows[i];

		row.xstate_bv &= ~row.drop;

		struct xf_vcpu vcpu = vcpu_of(&row, 0);
		struct xf_state *state = synthetic_state(&vcpu, 1);
		struct xf_report *report = check(&row, state);

		assert_int_equal(report->edit_count, 0);
		assert_int_equal(report->droppable, 0);
		assert_int_equal(report->outcome, row.outcome_fixed);
		assert_int_equal(report->outcome_fixed, row.outcome_fixed);
		xf_report_free(report);
		synthetic_free(state);
	}
}

/* A state is loaded whole: its worst vCPU speaks for it, in whatever order they come. */
static void worst_vcpu(void **unused)
{
	const struct row row = {
		.guest = SHOWN(0),
		.kvm = STRICT(XF_FPSSE | XF_AVX),
	};
	struct xf_vcpu good = vcpu_at(7, 100, XF_FPSSE, 1);
	struct xf_vcpu leaky = vcpu_at(9, 2100, XF_FPSSE | XF_PKRU, 1);
	struct xf_vcpu orders[][2] = { { good, leaky }, { leaky, good } };

	(void)unused;
	for (size_t i = 0; i < 2; i++) {
		struct xf_state *state = synthetic_state(orders[i], 2);
		struct xf_report *report = check(&row, state);

		assert_int_equal(report->outcome, REFUSED);
		assert_int_equal(report->outcome_fixed, ACCEPTED);
		assert_int_equal(report->finding_count, 1);
		assert_int_equal(report->findings[0].vcpu, 1 - i);
		assert_int_equal(report->edit_count, 1);
		assert_int_equal(report->edits[0].offset, 2100);
		xf_report_free(report);
		synthetic_free(state);
	}
}

static void unknown_beats_accepted(void **unused)
{
	const struct row row = { .guest = SHOWN(0), .kvm = { .host = LEAK, MXCSR } };
	struct xf_vcpu vcpus[] = { vcpu_at(0, 100, 0, 1), vcpu_at(1, 2100, LEAK, 1) };
	struct xf_state *state = synthetic_state(vcpus, 2);
	struct xf_report *report = check(&row, state);

	(void)unused;
	assert_int_equal(report->vcpus[0].outcome, ACCEPTED);
	assert_int_equal(report->vcpus[1].outcome, UNKNOWN);
	assert_int_equal(report->outcome, UNKNOWN);
	xf_report_free(report);
	synthetic_free(state);
}

/* The evidence is one for the whole VM: one vCPU that contradicts it takes it from all. */
static void contradiction_is_everybodys(void **unused)
{
	const struct row row = { .guest = SHOWN(0), .no_target = true };
	struct xf_vcpu vcpus[] = { vcpu_at(0, 100, LEAK, 1),
				   vcpu_at(1, 2100, LEAK, XF_FPSSE | XF_AVX) };
	struct xf_state *state = synthetic_state(vcpus, 2);
	struct xf_report *report = check(&row, state);

	(void)unused;
	assert_true(report->contradicted);
	assert_int_equal(report->guest.known, XF_FPSSE);
	assert_int_equal(report->edit_count, 0);
	assert_int_equal(report->finding_count, 3);
	assert_string_equal(report->findings[0].problem->code, "XF102");
	assert_string_equal(report->findings[1].problem->code, "XF102");
	assert_string_equal(report->findings[2].problem->code, "XF103");
	assert_int_equal(report->findings[2].vcpu, 1);
	xf_report_free(report);
	synthetic_free(state);
}

static void a_thousand_vcpus(void **unused)
{
	enum { COUNT = 1024 };
	static struct xf_vcpu vcpus[COUNT];
	const struct row row = { .guest = SHOWN(0), .kvm = STRICT(LEAK) };

	(void)unused;
	for (uint32_t i = 0; i < COUNT; i++) {
		vcpus[i] = vcpu_at(i, 100 + 3000 * (uint64_t)i, LEAK, 1);
		if (i % 2)
			vcpus[i].pkru = (struct xf_field){ 0x55555554, 2100 + 3000 * i, 4 };
	}

	struct xf_state *state = synthetic_state(vcpus, COUNT);
	struct xf_report *report = check(&row, state);

	assert_int_equal(report->vcpu_count, COUNT);
	assert_int_equal(report->finding_count, COUNT);
	assert_int_equal(report->edit_count, COUNT + COUNT / 2);
	for (size_t i = 1; i < report->edit_count; i++)
		assert_true(report->edits[i].offset > report->edits[i - 1].offset);
	for (size_t i = 1; i < report->finding_count; i++)
		assert_int_equal(report->findings[i].vcpu, i);
	assert_int_equal(report->outcome, REFUSED);
	assert_int_equal(report->outcome_fixed, ACCEPTED);
	xf_report_free(report);
	synthetic_free(state);
}

/* ---- The table of findings ---- */

static void every_problem_is_told(void **unused)
{
	size_t i;

	(void)unused;
	for (i = 0; xf_problem(i); i++) {
		const struct xf_problem *problem = xf_problem(i);

		assert_int_equal(strlen(problem->code), 5);
		assert_memory_equal(problem->code, "XF", 2);
		assert_true(strlen(problem->title) > 10);
		assert_null(strchr(problem->title, '\n'));
		assert_true(strlen(problem->text) > 100);
		assert_ptr_equal(xf_problem_by_code(problem->code), problem);
		assert_ptr_equal(xf_problem_by_id((enum xf_problem_id)i), problem);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(xf_problem(k)->code, problem->code);
	}
	assert_int_equal(i, XF_PROBLEMS);
	assert_null(xf_problem(SIZE_MAX));
	assert_ptr_equal(xf_problem_by_code("xf101"), xf_problem(0));
	assert_null(xf_problem_by_code("XF999"));
	assert_null(xf_problem_by_code(""));
}

static void no_report_is_freed(void **unused)
{
	(void)unused;
	xf_report_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row),
		cmocka_unit_test(repaired_rows),
		cmocka_unit_test(worst_vcpu),
		cmocka_unit_test(unknown_beats_accepted),
		cmocka_unit_test(contradiction_is_everybodys),
		cmocka_unit_test(a_thousand_vcpus),
		cmocka_unit_test(every_problem_is_told),
		cmocka_unit_test(no_report_is_freed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
