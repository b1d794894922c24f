/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xf_route: the journeys that people make, by hand. */
#include <string.h>

#include "tests/route/hosts.h"

#define LEAK (XF_FPSSE | XF_AVX | XF_PKRU)
#define UNKNOWN XF_OUTCOME_UNKNOWN
#define ACCEPTED XF_OUTCOME_ACCEPTED
#define REFUSED XF_OUTCOME_REFUSED

static const struct xf_host leaky_avx512 = HOST_("leaky, AVX-512", AVX512_CPU, LEAKS, HOST);
static const struct xf_host leaky_no_pku = HOST_("leaky, no PKU", NO_PKU_CPU, LEAKS, HOST);
static const struct xf_host bare = HOST_("5.17", PKU_CPU, TRIMS_BARE, GUEST_BARE);
static const struct xf_host get_unknown = HOST_("get unknown", PKU_CPU, UNKNOWN, HOST);
static const struct xf_host strict_old_qemu = HOST_("strict", PKU_CPU, TRIMS, GUEST, .qemu = "7.2");
static const struct xf_host strict_new_qemu = HOST_("strict", PKU_CPU, TRIMS, GUEST, .qemu = "8.2");
static const struct xf_host no_pku_old_qemu =
	HOST_("fixed, no PKU", NO_PKU_CPU, TRIMS, HOST, .qemu = "8.1");
static const struct xf_host hook_no_pku = {
	.name = "hook",
	.kvm = { .host = NO_PKU_CPU,
		 .mxcsr_mask = XF_MXCSR_MASK,
		 .get = XF_GET_TRIMS,
		 .set = XF_SET_HOST,
		 .hook_pkru = true },
};
static const struct xf_host amx = {
	.name = "AMX",
	.kvm = { .host = AVX512_CPU | XF_AMX,
		 .mxcsr_mask = XF_MXCSR_MASK,
		 .get = XF_GET_TRIMS,
		 .set = XF_SET_HOST,
		 .xfd_clears = true },
};
static const struct xf_host no_xsave = {
	.name = "no XSAVE",
	.kvm = { .host = XF_FPSSE,
		 .mxcsr_mask = XF_MXCSR_MASK,
		 .get = XF_GET_TRIMS,
		 .set = XF_SET_HOST,
		 .no_xsave = true },
};

#define SHOWS_ALL_(name_, host_, set_, ...)           \
	{                                             \
		.name = name_,                        \
		.kvm = { .host = (host_),             \
			 .mxcsr_mask = XF_MXCSR_MASK, \
			 .get = XF_GET_TRIMS,         \
			 .set = XF_SET_##set_,        \
			 .shows_all = true,           \
			 ##__VA_ARGS__ },             \
	}

static const struct xf_host shows_all = SHOWS_ALL_("shows all", NO_PKU_CPU, HOST);
static const struct xf_host shows_all_pku = SHOWS_ALL_("shows all", PKU_CPU, HOST);
static const struct xf_host shows_all_strict = SHOWS_ALL_("strict, shows all", PKU_CPU, GUEST);
static const struct xf_host shows_unknown =
	SHOWS_ALL_("may show all", PKU_CPU, HOST, .unknown = XF_UNKNOWN_SHOWS_ALL);
static const struct xf_host hook_unknown = {
	.name = "hook unknown",
	.kvm = { .host = NO_PKU_CPU,
		 .mxcsr_mask = XF_MXCSR_MASK,
		 .get = XF_GET_TRIMS,
		 .set = XF_SET_HOST,
		 .unknown = XF_UNKNOWN_HOOK },
};

static const struct xf_evidence bare_guest = KNOWN(0);
static const struct xf_evidence seen_guest = { .guest = { XF_FPSSE, UINT64_MAX },
					       .source = "the test",
					       .seen_inside = true };
static const struct xf_evidence avx_guest = KNOWN(XF_AVX);
static const struct xf_evidence pku_guest = KNOWN(XF_AVX | XF_PKRU);
static const struct xf_evidence amx_guest = KNOWN(AVX512_CPU | XF_AMX);

/* What is expected of one hop on one of the two ways; not reached where all is 0. */
struct way {
	uint64_t least, most;	 /* saved */
	enum xf_outcome outcome; /* of what is sent */
	bool reached;
	bool repaired;
	uint64_t loses;
	bool wiped;
	const char *codes;
};

#define SAVED(least_, most_, outcome_, ...)                                                 \
	{                                                                                   \
		.least = (least_), .most = (most_), .outcome = (outcome_), .reached = true, \
		##__VA_ARGS__                                                               \
	}
#define EXACTLY(mask, outcome_, ...) SAVED(mask, mask, outcome_, ##__VA_ARGS__)

struct row {
	const char *name;
	const struct xf_evidence *guest;
	uint64_t in_use;
	bool from_state; /* it is what the first host saved; else what runs there */
	const struct xf_host *hosts[4];
	struct way as_saved[3];
	struct way repaired[3];
	enum xf_outcome outcome, outcome_repaired;
	bool sound;
};

static const struct row rows[] = {
	{ .name = "OLD, NEW (strict), a third host, as on the list",
	  .guest = &bare_guest,
	  .in_use = LEAK,
	  .from_state = true,
	  .hosts = { &leaky, &strict_new_qemu, &fixed },
	  .as_saved = { EXACTLY(LEAK, REFUSED, .codes = "XF101") },
	  .repaired = { EXACTLY(LEAK, ACCEPTED, .repaired = true), EXACTLY(XF_FPSSE, ACCEPTED) },
	  .outcome = REFUSED,
	  .outcome_repaired = ACCEPTED },
	{ .name = "the same with an old QEMU: all is lost and it goes on",
	  .guest = &avx_guest,
	  .in_use = LEAK,
	  .from_state = true,
	  .hosts = { &leaky, &strict_old_qemu, &fixed },
	  .as_saved = { EXACTLY(LEAK, REFUSED, .loses = XF_FPSSE | XF_AVX, .wiped = true,
				.codes = "XF101"),
			SAVED(0, XF_FPSSE | XF_AVX, ACCEPTED, .wiped = true) },
	  .repaired = { EXACTLY(LEAK, ACCEPTED, .repaired = true),
			EXACTLY(XF_FPSSE | XF_AVX, ACCEPTED) },
	  .outcome = REFUSED,
	  .outcome_repaired = ACCEPTED },
	{ .name = "OLD, NEW (fixed): accepted, and the next save is clean",
	  .guest = &bare_guest,
	  .in_use = LEAK,
	  .from_state = true,
	  .hosts = { &leaky, &fixed, &strict },
	  .as_saved = { EXACTLY(LEAK, ACCEPTED, .codes = "XF101"), EXACTLY(XF_FPSSE, ACCEPTED) },
	  .repaired = { EXACTLY(LEAK, ACCEPTED, .codes = "XF101"), EXACTLY(XF_FPSSE, ACCEPTED) },
	  .outcome = ACCEPTED,
	  .outcome_repaired = ACCEPTED,
	  .sound = true },
	{ .name = "what runs on a leaky host has its PKRU in use",
	  .guest = &bare_guest,
	  .in_use = XF_FPSSE,
	  .hosts = { &leaky, &fixed_no_pku },
	  .as_saved = { EXACTLY(XF_FPSSE | XF_PKRU, REFUSED, .codes = "XF101") },
	  .repaired = { EXACTLY(XF_FPSSE | XF_PKRU, ACCEPTED, .repaired = true) },
	  .outcome = REFUSED,
	  .outcome_repaired = ACCEPTED },
	{ .name = "A, B, A: the leak is made anew on the way back",
	  .guest = &bare_guest,
	  .in_use = XF_FPSSE,
	  .hosts = { &strict, &leaky, &strict },
	  .as_saved = { EXACTLY(XF_FPSSE, ACCEPTED),
			SAVED(XF_FPSSE | XF_PKRU, LEAK, REFUSED, .codes = "XF101") },
	  .repaired = { EXACTLY(XF_FPSSE, ACCEPTED),
			SAVED(XF_FPSSE | XF_PKRU, LEAK, ACCEPTED, .repaired = true) },
	  .outcome = REFUSED,
	  .outcome_repaired = ACCEPTED },
	{ .name = "what else may leak decides, and that nobody knows",
	  .guest = &bare_guest,
	  .in_use = XF_FPSSE,
	  .hosts = { &fixed, &leaky_avx512, &fixed },
	  .as_saved = { EXACTLY(XF_FPSSE, ACCEPTED),
			SAVED(XF_FPSSE | XF_PKRU, AVX512_CPU, UNKNOWN, .codes = "XF101 XF208") },
	  .repaired = { EXACTLY(XF_FPSSE, ACCEPTED),
			SAVED(XF_FPSSE | XF_PKRU, AVX512_CPU, ACCEPTED, .repaired = true) },
	  .outcome = UNKNOWN,
	  .outcome_repaired = ACCEPTED },
	{ .name = "a mask is taken at its word: no AVX-512 but PKRU",
	  .guest = &bare_guest,
	  .in_use = XF_FPSSE,
	  .hosts = { &leaky_avx512, &fixed },
	  .as_saved = { EXACTLY(XF_FPSSE | XF_PKRU, ACCEPTED, .codes = "XF101") },
	  .repaired = { EXACTLY(XF_FPSSE | XF_PKRU, ACCEPTED, .codes = "XF101") },
	  .outcome = ACCEPTED,
	  .outcome_repaired = ACCEPTED,
	  .sound = true },
	{ .name = "a leaky host without PKU leaks none",
	  .guest = &bare_guest,
	  .in_use = XF_FPSSE,
	  .hosts = { &leaky_no_pku, &strict },
	  .as_saved = { EXACTLY(XF_FPSSE, ACCEPTED) },
	  .repaired = { EXACTLY(XF_FPSSE, ACCEPTED) },
	  .outcome = ACCEPTED,
	  .outcome_repaired = ACCEPTED,
	  .sound = true },
	{ .name = "the guest's own PKRU to a host without: no repair, and no further",
	  .guest = &pku_guest,
	  .in_use = LEAK,
	  .from_state = true,
	  .hosts = { &fixed, &fixed_no_pku, &fixed },
	  .as_saved = { EXACTLY(LEAK, REFUSED, .codes = "XF201") },
	  .repaired = { EXACTLY(LEAK, REFUSED, .codes = "XF201") },
	  .outcome = REFUSED,
	  .outcome_repaired = REFUSED },
	{ .name = "the same with an old QEMU: lost as saved, and not repaired into that",
	  .guest = &pku_guest,
	  .in_use = LEAK,
	  .from_state = true,
	  .hosts = { &fixed, &no_pku_old_qemu, &fixed },
	  .as_saved = { EXACTLY(LEAK, REFUSED, .loses = LEAK, .wiped = true, .codes = "XF201"),
			SAVED(0, NO_PKU_CPU, ACCEPTED, .wiped = true) },
	  .repaired = { EXACTLY(LEAK, REFUSED, .codes = "XF201") },
	  .outcome = REFUSED,
	  .outcome_repaired = REFUSED },
	{ .name = "shown, not in use, not there: accepted, and not sound",
	  .guest = &pku_guest,
	  .in_use = XF_FPSSE,
	  .from_state = true,
	  .hosts = { &fixed, &fixed_no_pku },
	  .as_saved = { EXACTLY(XF_FPSSE, ACCEPTED, .codes = "XF202") },
	  .repaired = { EXACTLY(XF_FPSSE, ACCEPTED, .codes = "XF202") },
	  .outcome = ACCEPTED,
	  .outcome_repaired = ACCEPTED },
	{ .name = "the hook takes the leak out",
	  .guest = &avx_guest,
	  .in_use = LEAK,
	  .from_state = true,
	  .hosts = { &leaky, &hook_no_pku, &strict },
	  .as_saved = { EXACTLY(LEAK, ACCEPTED, .codes = "XF101"),
			EXACTLY(XF_FPSSE | XF_AVX, ACCEPTED) },
	  .repaired = { EXACTLY(LEAK, ACCEPTED, .codes = "XF101"),
			EXACTLY(XF_FPSSE | XF_AVX, ACCEPTED) },
	  .outcome = ACCEPTED,
	  .outcome_repaired = ACCEPTED,
	  .sound = true },
	{ .name = "and the guest's own with it",
	  .guest = &pku_guest,
	  .in_use = LEAK,
	  .from_state = true,
	  .hosts = { &fixed, &hook_no_pku },
	  .as_saved = { EXACTLY(LEAK, ACCEPTED, .loses = XF_PKRU, .codes = "XF207") },
	  .repaired = { EXACTLY(LEAK, ACCEPTED, .loses = XF_PKRU, .codes = "XF207") },
	  .outcome = ACCEPTED,
	  .outcome_repaired = ACCEPTED },
	{ .name = "5.17 on the way: x87 and SSE may not even be saved",
	  .guest = &bare_guest,
	  .in_use = XF_FPSSE,
	  .hosts = { &fixed, &bare, &fixed },
	  .as_saved = { EXACTLY(XF_FPSSE, UNKNOWN, .codes = "XF204"),
			SAVED(0, XF_FPSSE, ACCEPTED) },
	  .repaired = { EXACTLY(XF_FPSSE, UNKNOWN, .codes = "XF204"),
			SAVED(0, XF_FPSSE, ACCEPTED) },
	  .outcome = UNKNOWN,
	  .outcome_repaired = UNKNOWN },
	{ .name = "a host of which nothing is known promises nothing, repaired or not",
	  .guest = &bare_guest,
	  .in_use = LEAK,
	  .from_state = true,
	  .hosts = { &leaky, &unknown, &fixed },
	  .as_saved = { EXACTLY(LEAK, UNKNOWN, .codes = "XF101 XF208"), SAVED(0, LEAK, ACCEPTED) },
	  .repaired = { EXACTLY(LEAK, UNKNOWN, .repaired = true, .codes = "XF208"),
			SAVED(0, LEAK, ACCEPTED) },
	  .outcome = UNKNOWN,
	  .outcome_repaired = UNKNOWN },
	{ .name = "no evidence: what a strict host would say is not known, nothing is dropped",
	  .in_use = LEAK,
	  .from_state = true,
	  .hosts = { &leaky, &strict, &fixed },
	  .as_saved = { EXACTLY(LEAK, UNKNOWN, .codes = "XF102 XF208"),
			SAVED(XF_FPSSE, LEAK, ACCEPTED) },
	  .repaired = { EXACTLY(LEAK, UNKNOWN, .codes = "XF102 XF208"),
			SAVED(XF_FPSSE, LEAK, ACCEPTED) },
	  .outcome = UNKNOWN,
	  .outcome_repaired = UNKNOWN },
	{ .name = "no evidence, and a host that cannot hold it",
	  .in_use = LEAK,
	  .from_state = true,
	  .hosts = { &leaky, &fixed_no_pku },
	  .as_saved = { EXACTLY(LEAK, REFUSED, .codes = "XF102 XF203") },
	  .repaired = { EXACTLY(LEAK, REFUSED, .codes = "XF102 XF203") },
	  .outcome = REFUSED,
	  .outcome_repaired = REFUSED },
	{ .name = "what the guest disarms by XFD is no loss",
	  .guest = &amx_guest,
	  .in_use = AVX512_CPU | XF_AMX,
	  .hosts = { &amx, &amx },
	  .as_saved = { SAVED(AVX512_CPU | XF_XTILECFG, AVX512_CPU | XF_AMX, ACCEPTED) },
	  .repaired = { SAVED(AVX512_CPU | XF_XTILECFG, AVX512_CPU | XF_AMX, ACCEPTED) },
	  .outcome = ACCEPTED,
	  .outcome_repaired = ACCEPTED,
	  .sound = true },
	{ .name = "a KVM that trims to all, since it has shown all",
	  .guest = &bare_guest,
	  .in_use = XF_FPSSE,
	  .hosts = { &shows_all, &fixed, &shows_all, &strict },
	  .as_saved = { EXACTLY(XF_FPSSE, ACCEPTED), EXACTLY(XF_FPSSE, ACCEPTED),
			SAVED(XF_FPSSE, NO_PKU_CPU, UNKNOWN, .codes = "XF208") },
	  .repaired = { EXACTLY(XF_FPSSE, ACCEPTED), EXACTLY(XF_FPSSE, ACCEPTED),
			SAVED(XF_FPSSE, NO_PKU_CPU, UNKNOWN, .codes = "XF208") },
	  .outcome = UNKNOWN,
	  .outcome_repaired = UNKNOWN },
	{ .name = "what it was given tells not what it was shown there: nothing is dropped",
	  .guest = &bare_guest,
	  .in_use = LEAK,
	  .from_state = true,
	  .hosts = { &shows_all_pku, &strict, &fixed },
	  .as_saved = { EXACTLY(LEAK, REFUSED, .codes = "XF102 XF203") },
	  .repaired = { EXACTLY(LEAK, REFUSED, .codes = "XF102 XF203") },
	  .outcome = REFUSED,
	  .outcome_repaired = REFUSED },
	{ .name = "and where it is taken, it stays so on every later host",
	  .guest = &bare_guest,
	  .in_use = LEAK,
	  .hosts = { &shows_all_pku, &leaky, &fixed_no_pku },
	  .as_saved = { EXACTLY(LEAK, ACCEPTED, .codes = "XF102"),
			EXACTLY(LEAK, REFUSED, .codes = "XF102 XF203") },
	  .repaired = { EXACTLY(LEAK, ACCEPTED, .codes = "XF102"),
			EXACTLY(LEAK, REFUSED, .codes = "XF102 XF203") },
	  .outcome = REFUSED,
	  .outcome_repaired = REFUSED },
	{ .name = "the same if nobody knows whether it was shown more",
	  .guest = &bare_guest,
	  .in_use = LEAK,
	  .from_state = true,
	  .hosts = { &shows_unknown, &strict, &fixed },
	  .as_saved = { EXACTLY(LEAK, REFUSED, .codes = "XF102 XF203") },
	  .repaired = { EXACTLY(LEAK, REFUSED, .codes = "XF102 XF203") },
	  .outcome = REFUSED,
	  .outcome_repaired = REFUSED },
	{ .name = "what the guest itself saw there is proof",
	  .guest = &seen_guest,
	  .in_use = LEAK,
	  .from_state = true,
	  .hosts = { &shows_all_pku, &strict, &fixed },
	  .as_saved = { EXACTLY(LEAK, REFUSED, .codes = "XF101") },
	  .repaired = { EXACTLY(LEAK, ACCEPTED, .repaired = true), EXACTLY(XF_FPSSE, ACCEPTED) },
	  .outcome = REFUSED,
	  .outcome_repaired = ACCEPTED },
	{ .name = "but not of a later host",
	  .guest = &seen_guest,
	  .in_use = LEAK,
	  .hosts = { &fixed, &shows_all_pku, &fixed_no_pku },
	  .as_saved = { EXACTLY(XF_FPSSE, ACCEPTED),
			SAVED(XF_FPSSE | XF_PKRU, LEAK, REFUSED, .codes = "XF102 XF203") },
	  .repaired = { EXACTLY(XF_FPSSE, ACCEPTED),
			SAVED(XF_FPSSE | XF_PKRU, LEAK, REFUSED, .codes = "XF102 XF203") },
	  .outcome = REFUSED,
	  .outcome_repaired = REFUSED },
	{ .name = "a hook takes out what may be the guest's own by then",
	  .guest = &avx_guest,
	  .in_use = LEAK,
	  .from_state = true,
	  .hosts = { &shows_all_pku, &hook_no_pku },
	  .as_saved = { EXACTLY(LEAK, ACCEPTED, .loses = XF_PKRU, .codes = "XF102 XF207") },
	  .repaired = { EXACTLY(LEAK, ACCEPTED, .loses = XF_PKRU, .codes = "XF102 XF207") },
	  .outcome = ACCEPTED,
	  .outcome_repaired = ACCEPTED },
	{ .name = "a strict one that shows all takes all that it holds",
	  .guest = &bare_guest,
	  .in_use = LEAK,
	  .from_state = true,
	  .hosts = { &leaky, &shows_all_strict },
	  .as_saved = { EXACTLY(LEAK, ACCEPTED, .codes = "XF101") },
	  .repaired = { EXACTLY(LEAK, ACCEPTED, .codes = "XF101") },
	  .outcome = ACCEPTED,
	  .outcome_repaired = ACCEPTED,
	  .sound = true },
	{ .name = "a hook that was not learned may take the leak out or not",
	  .guest = &avx_guest,
	  .in_use = LEAK,
	  .from_state = true,
	  .hosts = { &leaky, &hook_unknown },
	  .as_saved = { EXACTLY(LEAK, UNKNOWN, .codes = "XF101 XF208") },
	  .repaired = { EXACTLY(LEAK, ACCEPTED, .repaired = true) },
	  .outcome = UNKNOWN,
	  .outcome_repaired = ACCEPTED },
	{ .name = "a host without XSAVE saves x87 and SSE",
	  .guest = &bare_guest,
	  .in_use = XF_X87,
	  .hosts = { &fixed, &no_xsave, &fixed },
	  .as_saved = { EXACTLY(XF_X87, ACCEPTED), EXACTLY(XF_FPSSE, ACCEPTED) },
	  .repaired = { EXACTLY(XF_X87, ACCEPTED), EXACTLY(XF_FPSSE, ACCEPTED) },
	  .outcome = ACCEPTED,
	  .outcome_repaired = ACCEPTED,
	  .sound = true },
	{ .name = "what it may have leaked and what it may have kept back",
	  .guest = &bare_guest,
	  .in_use = XF_FPSSE,
	  .hosts = { &get_unknown, &fixed_no_pku },
	  .as_saved = { SAVED(0, XF_FPSSE | XF_PKRU, UNKNOWN, .codes = "XF208") },
	  .repaired = { SAVED(0, XF_FPSSE | XF_PKRU, ACCEPTED, .repaired = true) },
	  .outcome = UNKNOWN,
	  .outcome_repaired = ACCEPTED },
};

static size_t hosts_of(const struct row *row)
{
	size_t count = 0;

	while (count < COUNT(row->hosts) && row->hosts[count])
		count++;
	return count;
}

static struct xf_journey *route(const struct xf_state *state, uint64_t in_use,
				const struct xf_evidence *guest, const struct xf_host *const *hosts,
				size_t count)
{
	struct xf_journey *journey = NULL;

	assert_fine(xf_route(state, in_use, guest, hosts, count, &journey));
	assert_non_null(journey);
	return journey;
}

static struct xf_journey *route_of(const struct row *row)
{
	struct xf_vcpu vcpu = vcpu_at(0, 100, row->in_use, XF_X87);
	struct xf_state *state = row->from_state ? synthetic_state(&vcpu, 1) : NULL;
	struct xf_journey *journey =
		route(state, row->in_use, row->guest, row->hosts, hosts_of(row));

	if (state)
		synthetic_free(state);
	return journey;
}

static void hold_codes(const struct row *row, size_t n, const struct xf_vcpu_hop *v,
		       const char *want)
{
	char got[128] = "";

	for (size_t i = 0; i < v->finding_count; i++) {
		strcat(got, i ? " " : "");
		strcat(got, v->findings[i].problem->code);
		assert_int_equal(v->findings[i].vcpu, 0);
	}
	if (strcmp(got, want ? want : "") != 0)
		fail_msg("%s, hop %zu: findings %s, expected %s", row->name, n + 1, got, want);
}

static void hold_way(const struct row *row, size_t n, const struct xf_hop *hop,
		     const struct way *want)
{
	const struct xf_vcpu_hop *v = &hop->vcpus[0];

	if (hop->reached != want->reached)
		fail_msg("%s: hop %zu is%s reached", row->name, n + 1, hop->reached ? "" : " not");
	if (!hop->reached)
		return;
	if (v->saved.least != want->least || v->saved.most != want->most)
		fail_msg("%s, hop %zu: saved %#lx to %#lx", row->name, n + 1,
			 (unsigned long)v->saved.least, (unsigned long)v->saved.most);
	if (hop->outcome != want->outcome || hop->repaired != want->repaired)
		fail_msg("%s, hop %zu: %s, repaired %d", row->name, n + 1,
			 xf_outcome_name(hop->outcome), hop->repaired);
	if (v->loses != want->loses || v->wiped != want->wiped)
		fail_msg("%s, hop %zu: loses %#lx, wiped %d", row->name, n + 1,
			 (unsigned long)v->loses, v->wiped);
	assert_int_equal(v->outcome, hop->outcome);
	assert_int_equal(v->outcome_fixed, hop->outcome_fixed);
	hold_codes(row, n, v, want->codes);
}

static void every_row(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct row *row = &rows[i];
		struct xf_journey *journey = route_of(row);

		assert_int_equal(journey->hop_count, hosts_of(row) - 1);
		assert_int_equal(journey->vcpu_count, 1);
		for (size_t n = 0; n < journey->hop_count; n++) {
			hold_way(row, n, &journey->as_saved[n], &row->as_saved[n]);
			hold_way(row, n, &journey->repaired[n], &row->repaired[n]);
		}
		if (journey->outcome != row->outcome || journey->sound != row->sound ||
		    journey->outcome_repaired != row->outcome_repaired)
			fail_msg("%s: %s, repaired %s, sound %d", row->name,
				 xf_outcome_name(journey->outcome),
				 xf_outcome_name(journey->outcome_repaired), journey->sound);
		xf_journey_free(journey);
	}
}

/*
 * The first hop of a state is what check says of it, but where the first host makes the
 * evidence doubtful: check is not told where a state was saved.
 */
static void as_check_says(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct row *row = &rows[i];

		if (row->hosts[0]->kvm.shows_all)
			continue;
		struct xf_vcpu vcpu = vcpu_at(0, 100, row->in_use, XF_X87);
		struct xf_state *state = synthetic_state(&vcpu, 1);
		struct xf_journey *journey = route(state, 0, row->guest, row->hosts, hosts_of(row));
		const struct xf_vcpu_hop *v = &journey->as_saved[0].vcpus[0];
		struct xf_report *report = NULL;

		assert_fine(xf_check(state, row->guest, row->hosts[1], XF_ALL, &report));
		assert_int_equal(v->outcome, report->outcome);
		assert_int_equal(v->outcome_fixed, report->outcome_fixed);
		assert_int_equal(v->drop, report->droppable);
		assert_int_equal(v->finding_count, report->finding_count);
		for (size_t j = 0; j < v->finding_count; j++)
			assert_memory_equal(&v->findings[j], &report->findings[j],
					    sizeof(v->findings[j]));
		assert_memory_equal(&v->judgement, &report->vcpus[0].judgement,
				    sizeof(v->judgement));
		xf_report_free(report);
		xf_journey_free(journey);
		synthetic_free(state);
	}
}

/* A state is loaded whole: one vCPU that is refused keeps the others back. */
static void several_vcpus(void **unused)
{
	const struct xf_host *const ends[] = { &leaky, &strict_new_qemu, &fixed };
	const struct xf_host *const goes_on[] = { &leaky, &strict_old_qemu, &fixed };
	struct xf_vcpu vcpus[] = { vcpu_at(0, 100, XF_FPSSE, XF_X87),
				   vcpu_at(1, 3100, LEAK, XF_X87) };
	struct xf_state *state = synthetic_state(vcpus, 2);
	struct xf_journey *journey = route(state, 0, &bare_guest, ends, 3);

	(void)unused;
	assert_int_equal(journey->vcpu_count, 2);
	assert_int_equal(journey->as_saved[0].outcome, REFUSED);
	assert_int_equal(journey->as_saved[0].vcpus[0].outcome, ACCEPTED);
	assert_int_equal(journey->as_saved[0].vcpus[1].findings[0].vcpu, 1);
	assert_false(journey->as_saved[1].reached);
	assert_true(journey->repaired[0].repaired);
	assert_true(journey->repaired[1].reached);
	xf_journey_free(journey);

	/* An old QEMU ignores it for the one and loads the other. */
	journey = route(state, 0, &bare_guest, goes_on, 3);
	assert_false(journey->as_saved[0].vcpus[0].wiped);
	assert_int_equal(journey->as_saved[0].vcpus[0].arrives.least, XF_FPSSE);
	assert_true(journey->as_saved[0].vcpus[1].wiped);
	assert_int_equal(journey->as_saved[0].vcpus[1].loses, XF_FPSSE);
	assert_true(journey->as_saved[1].reached);
	assert_int_equal(journey->as_saved[1].vcpus[0].saved.least, XF_FPSSE);
	assert_int_equal(journey->as_saved[1].vcpus[1].saved.least, 0);
	assert_false(journey->as_saved[1].vcpus[0].wiped);
	assert_true(journey->as_saved[1].vcpus[1].wiped);
	xf_journey_free(journey);
	synthetic_free(state);
}

/* KVM_SET_XCRS refuses what KVM_SET_XSAVE has taken: x87 and SSE are loaded then. */
static void xcr0_refused(void **unused)
{
	const struct xf_host *const hosts[] = { &fixed, &no_pku_old_qemu, &fixed_no_pku };
	struct xf_vcpu vcpu = vcpu_at(0, 100, XF_FPSSE, PKU_CPU);
	struct xf_state *state = synthetic_state(&vcpu, 1);
	struct xf_journey *journey = route(state, 0, NULL, hosts, 3);
	const struct xf_vcpu_hop *v = &journey->as_saved[0].vcpus[0];

	(void)unused;
	assert_int_equal(v->outcome, REFUSED);
	assert_int_equal(v->prediction.outcome, ACCEPTED);
	assert_int_equal(v->loses, 0);
	assert_true(v->wiped);
	/* XCR0 was not loaded, so no later host refuses it. */
	assert_int_equal(journey->as_saved[1].outcome, ACCEPTED);
	assert_false(journey->repaired[1].reached);
	xf_journey_free(journey);
	synthetic_free(state);
}

/*
 * MXCSR is looked at only where x87, SSE or AVX is in use. If it is not known that
 * one of them is saved, a bad one need not be refused.
 */
static void mxcsr_perhaps(void **unused)
{
	struct xf_host amd = fixed;
	struct xf_host amd_unknown = get_unknown;
	const struct xf_host *const hosts[] = { &amd, &amd_unknown, &fixed };
	struct xf_vcpu vcpu = vcpu_at(0, 100, XF_FPSSE, XF_X87);
	struct xf_state *state;
	struct xf_journey *journey;
	const struct xf_vcpu_hop *v;

	(void)unused;
	amd.kvm.mxcsr_mask = amd_unknown.kvm.mxcsr_mask = XF_MXCSR_MASK_AMD;
	vcpu.mxcsr.value = 0x21f80;
	state = synthetic_state(&vcpu, 1);
	journey = route(state, 0, &bare_guest, hosts, 3);
	assert_int_equal(journey->as_saved[0].outcome, ACCEPTED);
	v = &journey->as_saved[1].vcpus[0];
	assert_int_equal(v->saved.least, 0);
	assert_int_equal(v->saved.most, PKU_CPU);
	assert_int_equal(v->outcome, UNKNOWN);
	assert_int_equal(v->prediction.reason, XF_REASON_MXCSR);
	/* A repair leaves x87 and SSE, and so cannot help. */
	assert_int_equal(v->outcome_fixed, UNKNOWN);
	assert_int_equal(v->arrives.most, PKU_CPU);
	xf_journey_free(journey);
	synthetic_free(state);
}

/* The machine type tells the oldest QEMU that a host can have; its own version tells more. */
static void what_qemu_does(void **unused)
{
	const struct xf_host *const hosts[] = { &leaky, &strict, &strict_old_qemu };
	struct xf_vcpu vcpu = vcpu_at(0, 100, LEAK, XF_X87);
	struct xf_state *state = synthetic_state(&vcpu, 1);
	struct xf_journey *journey;

	(void)unused;
	state->record.machine = strdup("pc-q35-9.2");
	journey = route(state, 0, &bare_guest, hosts, 3);
	assert_int_equal(journey->as_saved[0].refusal, XF_REFUSAL_EXITS);
	assert_int_equal(journey->as_saved[1].refusal, XF_REFUSAL_RUNS_ON);
	xf_journey_free(journey);
	strcpy(state->record.machine, "pc-q35-7.2");
	journey = route(state, 0, &bare_guest, hosts, 3);
	assert_int_equal(journey->as_saved[0].refusal, XF_REFUSAL_UNKNOWN);
	assert_false(journey->as_saved[1].reached);
	xf_journey_free(journey);
	synthetic_free(state);
}

/* What the first host is said to be and what was found must go together. */
static void doubts(void **unused)
{
	const struct xf_host *const from_fixed[] = { &fixed, &fixed };
	const struct xf_host *const from_no_pku[] = { &leaky_no_pku, &fixed };
	struct xf_vcpu vcpu = vcpu_at(0, 100, LEAK, XF_X87);
	struct xf_state *state = synthetic_state(&vcpu, 1);
	struct xf_journey *journey = route(state, 0, &bare_guest, from_fixed, 2);

	(void)unused;
	assert_int_equal(journey->unexpected, XF_AVX | XF_PKRU);
	assert_int_equal(journey->outcome, ACCEPTED);
	assert_false(journey->sound);
	xf_journey_free(journey);

	journey = route(state, 0, NULL, from_fixed, 2);
	assert_int_equal(journey->unexpected, 0);
	assert_true(journey->sound);
	xf_journey_free(journey);

	journey = route(NULL, LEAK, &bare_guest, from_no_pku, 2);
	assert_int_equal(journey->unexpected, XF_PKRU);
	assert_int_equal(journey->as_saved[0].vcpus[0].saved.most, XF_FPSSE | XF_AVX);
	assert_int_equal(journey->as_saved[0].vcpus[0].unsaved, 0);
	xf_journey_free(journey);

	/* What runs there may have in use what is not saved then. */
	journey = route(NULL, LEAK, &bare_guest, from_fixed, 2);
	assert_int_equal(journey->unexpected, 0);
	assert_int_equal(journey->as_saved[0].vcpus[0].saved.most, XF_FPSSE);
	assert_true(journey->sound);
	xf_journey_free(journey);

	/* A guest that has enabled AVX was shown it, whatever was said. */
	state->record.vcpus[0].xcr0.value = XF_FPSSE | XF_AVX;
	journey = route(state, 0, &bare_guest, from_fixed, 2);
	assert_true(journey->contradicted);
	assert_false(journey->sound);
	assert_string_equal(journey->as_saved[0].vcpus[0].findings[1].problem->code, "XF103");
	xf_journey_free(journey);
	synthetic_free(state);
}

static void unsaved(void **unused)
{
	const struct xf_host *const hosts[] = { &bare, &fixed };
	struct xf_journey *journey = route(NULL, XF_FPSSE, &bare_guest, hosts, 2);

	(void)unused;
	assert_int_equal(journey->as_saved[0].vcpus[0].unsaved, XF_FPSSE);
	assert_int_equal(journey->outcome, ACCEPTED);
	assert_false(journey->sound);
	xf_journey_free(journey);
}

static void too_few_hosts(void **unused)
{
	const struct xf_host *const hosts[] = { &fixed };
	struct xf_journey *journey = NULL;

	(void)unused;
	for (size_t count = 0; count < 2; count++)
		assert_error(xf_route(NULL, XF_FPSSE, NULL, hosts, count, &journey), XF_ERR_USAGE,
			     "at least two hosts");
	assert_null(journey);
	xf_journey_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row),	 cmocka_unit_test(as_check_says),
		cmocka_unit_test(several_vcpus), cmocka_unit_test(xcr0_refused),
		cmocka_unit_test(mxcsr_perhaps), cmocka_unit_test(what_qemu_does),
		cmocka_unit_test(doubts),	 cmocka_unit_test(unsaved),
		cmocka_unit_test(too_few_hosts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
