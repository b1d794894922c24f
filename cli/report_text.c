/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A report for a person who has read no documentation. */
#include <inttypes.h>

#include "cli/cli.h"

/* What comes before KVM's own judgement. */
static void print_module(const struct xf_kvm *kvm)
{
	fputs("the xferry module takes out what the guest was not shown", stdout);
	if (!is_every_component(kvm->hook_set)) {
		fputs(" of ", stdout);
		print_mask(kvm->hook_set & ~XF_FPSSE);
	}
	fputs(";\n          then ", stdout);
}

static void print_target(const struct xf_host *target)
{
	static const char *const set[] = {
		[XF_SET_UNKNOWN] = "what its KVM accepts is not known",
		[XF_SET_HOST] = "its KVM accepts all that",
		[XF_SET_GUEST] = "its KVM accepts only what the guest was shown",
		[XF_SET_GUEST_BARE] =
			"its KVM accepts only what the guest was shown, even of x87 and SSE",
	};

	fputs("  target  ", stdout);
	put_printable(target->name, stdout);
	fputs(" holds ", stdout);
	print_mask(target->kvm.host);
	fputs(";\n          ", stdout);
	if (target->kvm.hook_set)
		print_module(&target->kvm);
	fputs(target->kvm.hook_set && target->kvm.set == XF_SET_HOST
		      ? "its KVM accepts what the host holds"
		      : set[target->kvm.set],
	      stdout);
	if (target->kvm.hook_pkru)
		fputs(", and it drops PKRU that it cannot hold", stdout);
	putchar('\n');
}

static bool same_findings(const struct xf_report *report, size_t a, size_t b)
{
	const struct xf_finding *one = &report->findings[report->vcpus[a].first_finding];
	const struct xf_finding *other = &report->findings[report->vcpus[b].first_finding];

	if (report->vcpus[a].finding_count != report->vcpus[b].finding_count)
		return false;
	for (size_t i = 0; i < report->vcpus[a].finding_count; i++)
		if (one[i].problem != other[i].problem || one[i].components != other[i].components)
			return false;
	return true;
}

/* vCPUs mostly look the same: a run of such is told once. */
static size_t end_of_run(const struct xf_state *state, const struct xf_report *report, size_t first)
{
	const struct xf_vcpu *one = xf_state_vcpu(state, first);
	size_t end = first + 1;

	while (end < report->vcpu_count) {
		const struct xf_vcpu *other = xf_state_vcpu(state, end);

		if (other->xstate_bv.value != one->xstate_bv.value ||
		    other->xcr0.value != one->xcr0.value || !same_findings(report, first, end))
			break;
		end++;
	}
	return end;
}

/* What is wanted of the evidence depends on what there is of it. */
static const char *evidence_remedy(const struct xf_report *report)
{
	if (!report->evidence)
		return "say what the guest was shown: " EVIDENCE_OPTIONS;
	if (report->contradicted)
		return "give this guest's own: it was shown what it has enabled, and what its file "
		       "says";
	if (report->evidence->all_of_host)
		return "say what its host had: --from, the host where the guest began";
	return "say it more exactly: NAME-v1, +feature, -feature, or --cpuid, --exposed";
}

/* "- load it on a host that can hold it", as far as that goes. */
static void print_other_host(const struct xf_host *target)
{
	fputs("          - load the state on a host that can hold it", stdout);
	if (target->kvm.set == XF_SET_GUEST || target->kvm.set == XF_SET_GUEST_BARE)
		fputs("\n            and whose kernel is not as strict (6.6, 6.1.60 or later)",
		      stdout);
	putchar('\n');
}

static void print_show(uint64_t components)
{
	fputs("          - show the guest ", stdout);
	print_mask(components);
	puts(" on the target, which has it: the guest sees its CPU change");
}

/* The filter is what drops: there is nothing left to do for that. */
static void print_drop(uint64_t components, bool in_flight)
{
	if (!in_flight) {
		puts("          - drop it from this state: xferry fix, -o COPY or --in-place");
		return;
	}
	fputs("          - dropped here, on its way: ", stdout);
	print_mask(components);
	putchar('\n');
}

/* What of a vCPU's superfluous components the target's module is sure to take out. */
static uint64_t trimmed_there(const struct xf_host *target, const struct xf_vcpu_report *vcpu)
{
	if (!target || vcpu->outcome != XF_OUTCOME_ACCEPTED ||
	    target->kvm.unknown & XF_UNKNOWN_MODULE)
		return 0;
	return vcpu->judgement.superfluous & target->kvm.hook_set & ~vcpu->prediction.loaded.most;
}

/* The state has a finding all the same: not every target has a module. */
static void print_nothing_to_do(uint64_t components, uint64_t trimmed)
{
	fputs("          - for this target nothing need be done: its module takes ", stdout);
	if (components == trimmed)
		fputs("it", stdout);
	else
		print_mask(trimmed);
	puts(" out");
}

static void print_remedies(const struct xf_finding *finding, const struct request *request,
			   const struct xf_report *report, size_t vcpu)
{
	uint64_t trimmed = trimmed_there(request->target, &report->vcpus[vcpu]);
	unsigned int remedies = finding->remedies;

	if (finding->components & trimmed && !request->in_flight)
		print_nothing_to_do(finding->components, finding->components & trimmed);
	if (remedies & XF_REMEDY_DROP)
		print_drop(finding->components & report->droppable, request->in_flight);
	if (remedies & XF_REMEDY_OTHER_HOST)
		print_other_host(request->target);
	if (remedies & XF_REMEDY_SHOW)
		print_show(finding->components & request->target->kvm.host);
	if (remedies & XF_REMEDY_KERNEL)
		puts("          - run a newer kernel on the target: one that accepts what the host "
		     "can\n            hold (6.6, 6.1.60 or later)");
	if (remedies & XF_REMEDY_MODULE)
		puts("          - for all guests of the target: load the xferry module there, in "
		     "trim mode\n            (xferry-kmod(4))");
	if (remedies & XF_REMEDY_EVIDENCE)
		printf("          - %s\n", evidence_remedy(report));
	if (remedies & XF_REMEDY_PROFILE)
		puts("          - say in the target's profile what its KVM accepts: \"set\"");
	if (remedies & XF_REMEDY_HIDE)
		puts("          - at the guest's next boot, do not show it the feature");
}

static void print_findings(const struct xf_report *report, size_t vcpu,
			   const struct request *request)
{
	const struct xf_vcpu_report *r = &report->vcpus[vcpu];

	for (size_t i = 0; i < r->finding_count; i++) {
		const struct xf_finding *finding = &report->findings[r->first_finding + i];

		printf("    %s %s: ", finding->problem->code, finding->problem->title);
		print_mask(finding->components);
		putchar('\n');
		print_remedies(finding, request, report, vcpu);
	}
}

static void print_run(const struct xf_state *state, const struct request *request,
		      const struct xf_report *report, size_t first, size_t end)
{
	const struct xf_vcpu *vcpu = xf_state_vcpu(state, first);
	const struct xf_vcpu *last = xf_state_vcpu(state, end - 1);

	printf("  vCPU %" PRIu32, vcpu->index);
	if (end - first > 1)
		printf(" to %" PRIu32, last->index);
	printf(": in use ");
	if (vcpu->xstate_bv.value)
		print_mask(vcpu->xstate_bv.value);
	else
		fputs("nothing, or nothing marked (a vCPU at reset, or one of TCG)", stdout);
	printf(" (XSTATE_BV 0x%" PRIx64 ")", vcpu->xstate_bv.value);
	if (vcpu->xcr0.size) {
		fputs(", enabled ", stdout);
		print_mask(vcpu->xcr0.value);
		printf(" (XCR0 0x%" PRIx64 ")", vcpu->xcr0.value);
	}
	putchar('\n');
	print_findings(report, first, request);
}

/* The first vCPU whose KVM_SET_XSAVE is refused, or NULL: then it is KVM_SET_XCRS. */
static const struct xf_prediction *refused_xsave(const struct xf_report *report)
{
	for (size_t i = 0; i < report->vcpu_count; i++)
		if (report->vcpus[i].prediction.outcome == XF_OUTCOME_REFUSED)
			return &report->vcpus[i].prediction;
	return NULL;
}

static uint64_t dropped_by_any(const struct xf_report *report)
{
	uint64_t dropped = 0;

	for (size_t i = 0; i < report->vcpu_count; i++)
		dropped |= report->vcpus[i].prediction.dropped;
	return dropped;
}

static uint64_t trimmed_of_any(const struct xf_report *report, const struct xf_host *target)
{
	uint64_t trimmed = 0;

	for (size_t i = 0; i < report->vcpu_count; i++)
		trimmed |= trimmed_there(target, &report->vcpus[i]);
	return trimmed;
}

static void print_outcome(const struct xf_state *state, const struct xf_host *target,
			  const struct xf_report *report)
{
	switch (report->outcome) {
	case XF_OUTCOME_ACCEPTED:
		print_acceptance(dropped_by_any(report), trimmed_of_any(report, target));
		break;
	case XF_OUTCOME_REFUSED:
		print_refusal(refused_xsave(report), is_qemu_state(state),
			      xf_refusal_at(target, xf_state_machine(state)));
		break;
	case XF_OUTCOME_UNKNOWN:
		puts("  outcome unknown: it depends on what is not known of the guest or the "
		     "target.");
		break;
	}
}

/* By all that is known a leaked PKRU is 0: another value looks like the guest's work. */
static void print_doubt(const struct xf_state *state, const struct xf_report *report)
{
	for (size_t i = 0; i < report->vcpu_count; i++) {
		const struct xf_vcpu *vcpu = xf_state_vcpu(state, i);

		if (!(report->vcpus[i].drop & XF_PKRU) || !vcpu->pkru.size || !vcpu->pkru.value)
			continue;
		printf("  note    vCPU %" PRIu32 " has PKRU 0x%" PRIx64
		       ", which becomes 0. A leaked PKRU mostly is 0:\n"
		       "          make sure that the evidence is this guest's\n",
		       vcpu->index, vcpu->pkru.value);
		return;
	}
}

static void print_drops(const struct request *request, const struct xf_report *report)
{
	size_t bytes = 0;

	for (size_t i = 0; i < report->edit_count; i++)
		bytes += report->edits[i].length;
	printf("  repair  drops ");
	print_mask(report->droppable);
	printf(": %zu bytes change", bytes);
	if (request->target)
		printf("; what the target answers then: %s",
		       xf_outcome_name(report->outcome_fixed));
	putchar('\n');
}

void print_text_report(const struct xf_state *state, const struct request *request,
		       const struct xf_report *report)
{
	print_heading(state);
	print_guest(report->evidence, report->guest, report->contradicted);
	if (request->target)
		print_target(request->target);
	for (size_t i = 0; i < report->vcpu_count;) {
		size_t end = end_of_run(state, report, i);

		print_run(state, request, report, i, end);
		i = end;
	}
	if (request->target)
		print_outcome(state, request->target, report);
	if (report->edit_count) {
		print_drops(request, report);
		print_doubt(state, report);
	} else if (!report->finding_count) {
		puts("  Nothing to repair.");
	}
	if (report->finding_count)
		printf("  'xferry explain %s' tells more.\n", report->findings[0].problem->code);
}

void print_text_repair(const struct xf_state *state, const struct request *request,
		       const struct xf_report *report)
{
	print_heading(state);
	print_drops(request, report);
}
