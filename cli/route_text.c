/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A journey for a person: a paragraph a hop, and at the end what to do. */
#include <inttypes.h>
#include <string.h>

#include "cli/cli.h"

/* A mask of which it may be known only what it has at least and at most. */
static void print_bounds(struct xf_bounds bounds)
{
	uint64_t perhaps = bounds.most & ~bounds.least;

	if (!bounds.most) {
		fputs("nothing", stdout);
		return;
	}
	if (bounds.least) {
		fputs(perhaps ? "at least " : "", stdout);
		print_mask(bounds.least);
		printf(" (0x%" PRIx64 ")", bounds.least);
	}
	if (perhaps) {
		fputs(bounds.least ? ",\n          perhaps " : "perhaps ", stdout);
		print_mask(perhaps);
	}
}

/* "  LABEL   words: PKRU", if there is any. */
static void print_if_any(const char *words, uint64_t mask)
{
	if (!mask)
		return;
	fputs(words, stdout);
	print_mask(mask);
	putchar('\n');
}

static bool same_bounds(struct xf_bounds a, struct xf_bounds b)
{
	return a.least == b.least && a.most == b.most;
}

static bool same_vcpu(const struct xf_vcpu_hop *a, const struct xf_vcpu_hop *b)
{
	return same_bounds(a->saved, b->saved) && same_bounds(a->sent, b->sent) &&
	       same_bounds(a->arrives, b->arrives) && a->outcome == b->outcome &&
	       a->prediction.reason == b->prediction.reason && a->unsaved == b->unsaved &&
	       a->loses == b->loses && a->wiped == b->wiped && a->finding_count == b->finding_count;
}

/* vCPUs mostly look the same: a run of such is told once. */
static size_t end_of_run(const struct xf_journey *journey, const struct xf_hop *hop, size_t first)
{
	size_t end = first + 1;

	while (end < journey->vcpu_count && same_vcpu(&hop->vcpus[first], &hop->vcpus[end]))
		end++;
	return end;
}

static void print_run(const struct trip *trip, size_t first, size_t end)
{
	if (trip->journey->vcpu_count == 1)
		return;
	printf("  vCPU %" PRIu32, xf_state_vcpu(trip->state, first)->index);
	if (end - first > 1)
		printf(" to %" PRIu32, xf_state_vcpu(trip->state, end - 1)->index);
	puts(":");
}

static void print_findings(const struct xf_vcpu_hop *v)
{
	for (size_t i = 0; i < v->finding_count; i++) {
		const struct xf_finding *finding = &v->findings[i];

		printf("    %s %s: ", finding->problem->code, finding->problem->title);
		print_mask(finding->components);
		putchar('\n');
	}
}

static void print_saved(const struct xf_vcpu_hop *v)
{
	fputs("  saved   ", stdout);
	print_bounds(v->saved);
	putchar('\n');
	print_if_any("  loses   perhaps when it is saved: ", v->unsaved);
	print_findings(v);
}

/* What comes of it for a run of vCPUs, if there is something to say. */
static void print_arrival(const struct xf_vcpu_hop *v, bool wiped_before)
{
	uint64_t taken = v->outcome == XF_OUTCOME_ACCEPTED ? v->sent.most & ~v->arrives.most : 0;

	print_if_any("  loses   ", v->loses);
	if (wiped_before)
		puts("  loses   nothing more: its registers were lost before");
	print_if_any("  note    the host's kernel takes out what is not the guest's: ",
		     taken & ~v->loses);
	if (v->outcome == XF_OUTCOME_ACCEPTED)
		print_if_any("  note    arrives with it, though not the guest's: ", v->superfluous);
}

static const struct xf_vcpu_hop *first_with(const struct xf_journey *journey,
					    const struct xf_hop *hop, enum xf_outcome outcome)
{
	for (size_t i = 0; i < journey->vcpu_count; i++)
		if (hop->vcpus[i].outcome == outcome)
			return &hop->vcpus[i];
	return NULL;
}

static void print_unknown(const struct xf_vcpu_hop *v)
{
	if (v->prediction.reason == XF_REASON_NONE) {
		puts("  outcome unknown: it depends on what is not known of the guest or the "
		     "target.");
		return;
	}
	printf("  outcome unknown: refused if there is more than is certain:\n          %s",
	       xf_reason_text(v->prediction.reason));
	if (v->prediction.blocked) {
		fputs(" (", stdout);
		print_mask(v->prediction.blocked);
		putchar(')');
	}
	putchar('\n');
}

static void print_outcome(const struct trip *trip, const struct xf_hop *hop)
{
	const struct xf_journey *journey = trip->journey;
	const struct xf_vcpu_hop *v = first_with(journey, hop, hop->outcome);
	uint64_t dropped = 0;

	switch (hop->outcome) {
	case XF_OUTCOME_ACCEPTED:
		for (size_t i = 0; i < journey->vcpu_count; i++)
			dropped |= hop->vcpus[i].prediction.dropped;
		if (dropped)
			print_acceptance(dropped, 0);
		else
			puts("  outcome accepted");
		break;
	case XF_OUTCOME_REFUSED:
		print_refusal(v->prediction.outcome == XF_OUTCOME_REFUSED ? &v->prediction : NULL,
			      is_qemu_state(trip->state), hop->refusal);
		break;
	case XF_OUTCOME_UNKNOWN:
		print_unknown(v);
		break;
	}
}

static uint64_t dropped_by_repair(const struct xf_journey *journey, const struct xf_hop *hop)
{
	uint64_t dropped = 0;

	for (size_t i = 0; i < journey->vcpu_count; i++)
		dropped |= hop->vcpus[i].saved.most & ~hop->vcpus[i].sent.most;
	return dropped;
}

static void print_repair(const struct xf_journey *journey, const struct xf_hop *hop)
{
	fputs("  repair  before this hop drops ", stdout);
	print_mask(dropped_by_repair(journey, hop));
	printf(";\n          what the host answers then: %s\n", xf_outcome_name(hop->outcome));
}

/*
 * With bit 9 clear, KVM_SET_XSAVE leaves the vCPU's PKRU alone: right on the fresh
 * vCPU of a migration, where it is 0, and wrong where a snapshot is rolled back to.
 */
static void print_pkru_note(const struct trip *trip, const struct xf_hop *hop)
{
	uint64_t shown = trip->journey->guest.shown & trip->hosts[1]->kvm.host;

	if (!trip->state || hop->outcome == XF_OUTCOME_REFUSED || !(shown & XF_PKRU))
		return;
	for (size_t i = 0; i < trip->journey->vcpu_count; i++)
		if (!(hop->vcpus[i].sent.most & XF_PKRU)) {
			puts("  note    PKRU is not in it: loaded over a running guest (loadvm), "
			     "a vCPU keeps\n          the PKRU that it has then");
			return;
		}
}

/* A KVM that leaks, with or without a module that trims what it gives. */
static void print_leaky(const struct xf_kvm *kvm)
{
	bool module = kvm->hook_get && !(kvm->unknown & XF_UNKNOWN_MODULE);

	if (module && !xf_kvm_leaks(kvm))
		puts("  note    this KVM leaks, and the module there takes it out again "
		     "(trim_get=1)");
	else if (module)
		puts("  note    this KVM leaks: what the host itself has in use is saved too, but "
		     "for what\n          the module there takes out (trim_get=1)");
	else
		puts("  note    this KVM leaks: what the host itself has in use is saved too");
}

static void print_leak_note(const struct trip *trip, size_t n)
{
	const struct xf_kvm *kvm = &trip->hosts[n]->kvm;
	bool state_is_known = n == 0 && trip->state;

	if (kvm->no_xsave)
		return;
	if (kvm->get == XF_GET_LEAKS && !state_is_known)
		print_leaky(kvm);
	else if (kvm->shows_all && !state_is_known)
		puts("  note    this KVM shows its guests all that it holds: what else a guest has "
		     "in use\n"
		     "          there is saved with it");
	else if (kvm->shows_all)
		puts("  note    this KVM shows its guests all that it holds");
	else if (kvm->unknown & XF_UNKNOWN_SHOWS_ALL)
		puts("  note    it is not known whether this KVM shows its guests more than they "
		     "are given");
}

static void print_arrivals(const struct trip *trip, size_t n, const struct xf_hop *hop)
{
	const struct xf_journey *journey = trip->journey;

	for (size_t i = 0; i < journey->vcpu_count;) {
		const struct xf_hop *before = n && hop == &journey->as_saved[n] ? hop - 1 : NULL;
		bool wiped_before = before && before->vcpus[i].wiped;
		size_t end = end_of_run(journey, hop, i);

		if (hop->vcpus[i].loses || wiped_before)
			print_run(trip, i, end);
		print_arrival(&hop->vcpus[i], wiped_before);
		i = end;
	}
}

/* What was saved, what is answered, and what comes of it. */
static void print_leg(const struct trip *trip, size_t n, const struct xf_hop *hop)
{
	const struct xf_journey *journey = trip->journey;

	for (size_t i = 0; i < journey->vcpu_count;) {
		size_t end = end_of_run(journey, hop, i);

		print_run(trip, i, end);
		print_saved(&hop->vcpus[i]);
		i = end;
	}
	print_leak_note(trip, n);
	if (hop->repaired)
		print_repair(journey, hop);
	else
		print_outcome(trip, hop);
	print_arrivals(trip, n, hop);
	if (n == 0)
		print_pkru_note(trip, hop);
}

/* The same comes to be loaded, whether or not it was repaired before. */
static bool same_load(const struct xf_journey *journey, size_t n)
{
	const struct xf_hop *as_saved = &journey->as_saved[n];
	const struct xf_hop *repaired = &journey->repaired[n];

	if (!as_saved->reached || !repaired->reached)
		return false;
	for (size_t i = 0; i < journey->vcpu_count; i++)
		if (!same_bounds(as_saved->vcpus[i].saved, repaired->vcpus[i].saved) ||
		    as_saved->vcpus[i].unsaved != repaired->vcpus[i].unsaved ||
		    (n > 0 && journey->as_saved[n - 1].vcpus[i].wiped))
			return false;
	return true;
}

/* Where it is not known what QEMU does with a refusal, the journey may not have ended. */
static const char *why_not_reached(const struct xf_hop *hops, size_t n)
{
	while (n > 0 && !hops[n].reached)
		n--;
	return hops[n].refusal == XF_REFUSAL_UNKNOWN
		       ? " the journey has ended before, or the guest runs on with lost registers"
		       : " the journey has ended before";
}

static void print_as_saved(const struct trip *trip, size_t n)
{
	const struct xf_hop *hops = trip->journey->as_saved;

	printf(" as saved:%s\n", hops[n].reached ? "" : why_not_reached(hops, n));
	if (hops[n].reached)
		print_leg(trip, n, &hops[n]);
}

static void print_repaired(const struct trip *trip, size_t n)
{
	const struct xf_hop *hop = &trip->journey->repaired[n];

	printf(" repaired:%s\n", hop->reached ? "" : " the journey has ended before");
	if (hop->reached)
		print_leg(trip, n, hop);
}

static void print_hop(const struct trip *trip, size_t n)
{
	const struct xf_journey *journey = trip->journey;

	printf("\nhop %zu: ", n + 1);
	put_printable(trip->hosts[n]->name, stdout);
	fputs(" -> ", stdout);
	put_printable(trip->hosts[n + 1]->name, stdout);
	putchar('\n');
	if (same_load(journey, n)) {
		print_leg(trip, n, &journey->as_saved[n]);
		if (journey->repaired[n].repaired)
			print_repair(journey, &journey->repaired[n]);
		return;
	}
	if (!journey->as_saved[n].reached && !journey->repaired[n].reached) {
		puts("  the journey has ended before");
		return;
	}
	print_as_saved(trip, n);
	print_repaired(trip, n);
}

static bool any_repair(const struct xf_journey *journey)
{
	for (size_t n = 0; n < journey->hop_count; n++)
		if (journey->repaired[n].repaired)
			return true;
	return false;
}

/* Whether somebody who knew more of the guest might repair more. */
static bool any_undecided(const struct xf_journey *journey)
{
	for (size_t n = 0; n < journey->hop_count; n++)
		for (size_t i = 0; i < journey->vcpu_count; i++)
			if (journey->as_saved[n].vcpus[i].outcome != XF_OUTCOME_ACCEPTED &&
			    journey->as_saved[n].vcpus[i].judgement.undecided)
				return true;
	return false;
}

/* The number of the hop where this outcome comes up first. */
static size_t hop_of(const struct xf_journey *journey, const struct xf_hop *hops,
		     enum xf_outcome outcome)
{
	size_t n = 0;

	while (n + 1 < journey->hop_count && hops[n].outcome != outcome)
		n++;
	return n + 1;
}

/* As a shell reads it: quoted where that is needed. */
static void print_word(const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "_-+=:,./@%";

	if (*word && !word[strspn(word, plain)]) {
		fputs(word, stdout);
		return;
	}
	putchar('\'');
	for (; *word; word++) {
		char text[2] = { *word, '\0' };

		if (*word == '\'')
			fputs("'\\''", stdout);
		else
			put_printable(text, stdout);
	}
	putchar('\'');
}

static void print_option(const char *option, const char *value)
{
	if (!value)
		return;
	printf(" %s ", option);
	print_word(value);
}

/* A file is fixed; what is a mask yet, or is saved again on the way, goes through the filter. */
static void print_fix(const struct trip *trip, size_t n)
{
	const struct options *options = trip->options;
	bool file = n == 0 && !trip->from_mask;

	printf("  repair before hop %zu: xferry %s", n + 1, file ? "fix" : "filter");
	print_option("--cpu", options->cpu);
	print_option("--xml", options->xml);
	print_option("--qm", options->qm);
	print_option("--from", options->from);
	print_option("--cpuid", options->cpuid);
	print_option("--exposed", options->exposed);
	print_option("--to", trip->hosts[n + 1]->name);
	if (file) {
		fputs(" -o COPY ", stdout);
		print_word(strcmp(options->arguments[0], "-") == 0 ? "STATE"
								   : options->arguments[0]);
	}
	putchar('\n');
}

/* What repairs come to, behind what the journey comes to without. */
static void print_repaired_verdict(const struct trip *trip)
{
	const struct xf_journey *journey = trip->journey;
	enum xf_outcome outcome = journey->outcome_repaired;

	if (!any_repair(journey)) {
		if (journey->outcome != XF_OUTCOME_ACCEPTED)
			fputs(any_undecided(journey) ? "; nothing may be dropped without evidence"
						     : "; no repair helps",
			      stdout);
		putchar('\n');
		return;
	}
	if (outcome == XF_OUTCOME_ACCEPTED)
		puts("; repaired, accepted on every hop");
	else
		printf("; repaired, %s on hop %zu\n", xf_outcome_name(outcome),
		       hop_of(journey, journey->repaired, outcome));
	for (size_t n = 0; n < journey->hop_count; n++)
		if (journey->repaired[n].repaired)
			print_fix(trip, n);
}

static const char *evidence_remedy(const struct trip *trip)
{
	if (trip->journey->contradicted)
		return "give this guest's own evidence: it was shown what it has enabled";
	if (trip->journey->doubtful)
		return "a guest that has run where KVM shows its guests all that it holds may own "
		       "that,\n    whatever it was given: give what the guest itself sees on its "
		       "first host, --cpuid";
	if (trip->journey->evidence)
		return "say more exactly what the guest was shown: " EVIDENCE_OPTIONS;
	return "say what the guest was shown: " EVIDENCE_OPTIONS;
}

/* What the findings on the repaired way could be helped with. */
static unsigned int remedies_left(const struct xf_journey *journey)
{
	unsigned int remedies = 0;

	for (size_t n = 0; n < journey->hop_count; n++)
		for (size_t i = 0; i < journey->vcpu_count; i++) {
			const struct xf_vcpu_hop *v = &journey->repaired[n].vcpus[i];

			for (size_t j = 0; j < v->finding_count; j++)
				remedies |= v->findings[j].remedies;
		}
	return remedies;
}

/* Whether it is not known of some host what it saves, where it has to save. */
static bool any_get_unknown(const struct trip *trip)
{
	for (size_t i = trip->from_mask ? 0 : 1; i + 1 < trip->host_count; i++)
		if (trip->hosts[i]->kvm.get == XF_GET_UNKNOWN)
			return true;
	return false;
}

/* What would help where the journey, repaired or not, does not get through. */
static void print_remedies(const struct trip *trip)
{
	unsigned int remedies = remedies_left(trip->journey);

	if (remedies & XF_REMEDY_EVIDENCE)
		printf("  - %s\n", evidence_remedy(trip));
	if (remedies & XF_REMEDY_OTHER_HOST)
		puts("  - go by hosts that can hold what the guest was shown");
	if (remedies & XF_REMEDY_KERNEL)
		puts("  - run a newer kernel there: one that accepts what the host can hold (6.6, "
		     "6.1.60\n    or later)");
	if (remedies & XF_REMEDY_MODULE)
		puts("  - for all guests: load the xferry module there, in trim mode "
		     "(xferry-kmod(4))");
	if (remedies & XF_REMEDY_PROFILE)
		puts("  - say in the host's profile what its KVM accepts: \"set\"");
	if (any_get_unknown(trip))
		puts("  - say in the host's profile what its KVM saves: \"get\"");
	if (remedies & XF_REMEDY_HIDE)
		puts("  - at the guest's next boot, do not show it the feature");
}

static const struct xf_finding *first_finding(const struct xf_journey *journey)
{
	for (size_t n = 0; n < journey->hop_count; n++)
		for (size_t i = 0; i < journey->vcpu_count; i++)
			if (journey->as_saved[n].vcpus[i].finding_count)
				return journey->as_saved[n].vcpus[i].findings;
	return NULL;
}

static void print_verdict(const struct trip *trip)
{
	const struct xf_journey *journey = trip->journey;
	const struct xf_finding *finding = first_finding(journey);

	if (journey->sound) {
		puts("\nverdict: as saved, accepted on every hop, and nothing is lost");
	} else {
		if (journey->outcome == XF_OUTCOME_ACCEPTED)
			fputs("\nverdict: as saved, accepted on every hop, but not all is well",
			      stdout);
		else
			printf("\nverdict: as saved, %s on hop %zu",
			       xf_outcome_name(journey->outcome),
			       hop_of(journey, journey->as_saved, journey->outcome));
		print_repaired_verdict(trip);
		print_remedies(trip);
		if (journey->unexpected)
			puts("  - HOST 1 would not have saved this: see whether the state comes "
			     "from there,\n"
			     "    and whether what tells of the guest is this guest's");
	}
	if (finding)
		printf("  'xferry explain %s' tells more.\n", finding->problem->code);
}

/* The first host is where this was saved, or runs: does that go together? */
static void print_doubts(const struct trip *trip)
{
	uint64_t unexpected = trip->journey->unexpected;

	if (!unexpected)
		return;
	fputs("  doubt   ", stdout);
	put_printable(trip->hosts[0]->name, stdout);
	fputs(trip->from_mask ? " cannot have this in use: " : " would not have saved this: ",
	      stdout);
	print_mask(unexpected);
	putchar('\n');
}

void print_text_route(const struct trip *trip)
{
	const struct xf_journey *journey = trip->journey;

	if (trip->state) {
		print_heading(trip->state);
	} else {
		fputs("in use on the first host: ", stdout);
		print_mask(trip->in_use);
		printf(" (0x%" PRIx64 ")\n", trip->in_use);
	}
	print_guest(journey->evidence, journey->guest, journey->contradicted);
	print_doubts(trip);
	for (size_t n = 0; n < journey->hop_count; n++)
		print_hop(trip, n);
	print_verdict(trip);
}
