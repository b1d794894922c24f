/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Journeys held against KVMs as the model has them, one call after the other: a
 * real guest in use of real components, on real hosts that leak little or much.
 * Whatever xf_route promises must come true, with whatever it was told.
 */
#include <stdio.h>

#include "tests/route/hosts.h"

/* Groups, since KVM knows AVX-512 and MPX by groups only. */
static const uint64_t parts[] = { XF_SSE, XF_AVX, XF_AVX512, XF_PKRU, XF_MPX };

#define STATES (1u << COUNT(parts))

static const struct xf_host hosts[] = {
	HOST_("leaky", AVX512_CPU, LEAKS, HOST),
	HOST_("leaky, no PKU", NO_PKU_CPU, LEAKS, HOST),
	HOST_("strict", AVX512_CPU, TRIMS, GUEST),
	HOST_("strict, no PKU", NO_PKU_CPU, TRIMS, GUEST, .qemu = "7.2"),
	HOST_("fixed", AVX512_CPU, TRIMS, HOST),
	HOST_("fixed, no PKU", NO_PKU_CPU, TRIMS, HOST, .qemu = "8.1"),
	HOST_("5.17", AVX512_CPU, TRIMS_BARE, GUEST_BARE),
	{ .name = "hook, no PKU",
	  .kvm = { .host = NO_PKU_CPU,
		   .mxcsr_mask = XF_MXCSR_MASK,
		   .get = XF_GET_TRIMS,
		   .set = XF_SET_HOST,
		   .hook_pkru = true } },
	{ .name = "hook, strict",
	  .kvm = { .host = AVX512_CPU,
		   .mxcsr_mask = XF_MXCSR_MASK,
		   .get = XF_GET_TRIMS,
		   .set = XF_SET_GUEST,
		   .hook_pkru = true } },
	{ .name = "module, strict, no PKU",
	  .kvm = { .host = NO_PKU_CPU,
		   .mxcsr_mask = XF_MXCSR_MASK,
		   .get = XF_GET_TRIMS,
		   .set = XF_SET_GUEST,
		   .hook_set = UINT64_MAX } },
	{ .name = "module of SET and GET, leaky",
	  .kvm = { .host = AVX512_CPU,
		   .mxcsr_mask = XF_MXCSR_MASK,
		   .get = XF_GET_LEAKS,
		   .set = XF_SET_HOST,
		   .hook_set = XF_PKRU,
		   .hook_get = UINT64_MAX } },
	{ .name = "MPX",
	  .kvm = { .host = AVX512_CPU | XF_MPX,
		   .mxcsr_mask = XF_MXCSR_MASK,
		   .get = XF_GET_LEAKS,
		   .set = XF_SET_HOST } },
};

/* What guests were really shown; 0: no leaf 0xD. And what is known of each. */
static const uint64_t cpuids[] = { 0, XF_FPSSE, NO_PKU_CPU, PKU_CPU, AVX512_CPU };
static const uint64_t knowns[] = { 0, XF_PKRU, UINT64_MAX };

/* What of a host's own is in use beside PKRU, if it leaks. */
static const uint64_t leaks[] = { 0, XF_AVX, ~XF_XTILEDATA };

/* One journey as it was planned. */
struct trip {
	const struct xf_host *hosts[3];
	uint64_t cpuid;
	uint64_t leak;
	struct xf_evidence evidence;
	const struct xf_host *told[3]; /* what is known of the hosts */
	uint64_t in_use;
};

static unsigned long hops_held;

static void fail_trip(const struct trip *trip, size_t n, bool repaired, const char *claim)
{
	fail_msg("%s -> %s -> %s, hop %zu%s: in use %#lx, shown %#lx, known %#lx, leak %#lx: %s",
		 trip->hosts[0]->name, trip->hosts[1]->name, trip->hosts[2]->name, n + 1,
		 repaired ? " (repaired)" : "", (unsigned long)trip->in_use,
		 (unsigned long)trip->cpuid, (unsigned long)trip->evidence.guest.known,
		 (unsigned long)trip->leak, claim);
}

#define CLAIM(condition) ((condition) ? (void)0 : fail_trip(trip, n, repaired, #condition))

static bool within(uint64_t mask, struct xf_bounds bounds)
{
	return !(bounds.least & ~mask) && !(mask & ~bounds.most);
}

static struct xf_kvm_vcpu vcpu_of(const struct trip *trip)
{
	return (struct xf_kvm_vcpu){
		.cpuid = trip->cpuid,
		.cpuid_set = true,
		.evidence = { trip->cpuid, UINT64_MAX },
	};
}

/* KVM_GET_XSAVE of a guest that runs there. */
static uint64_t really_saved(const struct trip *trip, size_t n, uint64_t in_use)
{
	const struct xf_kvm *kvm = &trip->hosts[n]->kvm;
	struct xf_kvm_vcpu vcpu = vcpu_of(trip);

	if (kvm->get == XF_GET_LEAKS)
		in_use |= (trip->leak | XF_PKRU) & kvm->host;
	return xf_kvm_get(kvm, &vcpu, in_use);
}

/* Follows the guest along one of the two ways, as long as it can be followed. */
static void follow(const struct trip *trip, const struct xf_journey *journey, bool repaired)
{
	const struct xf_hop *hops = repaired ? journey->repaired : journey->as_saved;
	struct xf_kvm_vcpu vcpu = vcpu_of(trip);
	uint64_t shown = trip->cpuid | XF_FPSSE;
	uint64_t own = trip->in_use & shown;
	uint64_t in_use = trip->in_use;

	for (size_t n = 0; n < journey->hop_count && hops[n].reached; n++) {
		const struct xf_vcpu_hop *v = &hops[n].vcpus[0];
		/* The first is taken from a file: it is as it is. */
		uint64_t saved = n ? really_saved(trip, n, in_use) : in_use;
		uint64_t sent = saved & ~(v->saved.most & ~v->sent.most);
		struct xf_area_head head = { .xstate_bv = sent, .mxcsr = 0x1f80 };
		struct xf_kvm_answer answer = xf_kvm_set(&trip->hosts[n + 1]->kvm, &vcpu, &head);
		bool accepted = answer.reason == XF_REASON_NONE;

		CLAIM(!v->wiped || !accepted);
		CLAIM(within(saved, v->saved));
		CLAIM(within(sent, v->sent));
		/* A repair takes nothing of the guest's. */
		CLAIM(((saved ^ sent) & shown) == 0);
		CLAIM((own & ~saved & ~v->unsaved) == 0);
		CLAIM(hops[n].outcome != XF_OUTCOME_ACCEPTED || accepted);
		CLAIM(hops[n].outcome != XF_OUTCOME_REFUSED || !accepted);
		hops_held++;
		if (!accepted)
			return;
		CLAIM(within(answer.loaded, v->arrives));
		CLAIM((answer.loaded & ~shown & trip->evidence.guest.known & ~v->superfluous) == 0);
		CLAIM((sent & shown & ~answer.loaded & ~v->loses) == 0);
		in_use = answer.loaded;
		own &= in_use;
	}
	/* Only a sound journey promises that all of its own has come through. */
	if (!repaired && journey->sound && own != (trip->in_use & shown))
		fail_trip(trip, journey->hop_count, repaired, "sound, and something is lost");
}

/* With the guest known, and hosts that take what they hold and hold what it was shown. */
static bool must_come_through(const struct trip *trip)
{
	uint64_t shown = trip->cpuid | XF_FPSSE;

	if (trip->evidence.guest.known != UINT64_MAX || (trip->in_use & ~trip->hosts[0]->kvm.host))
		return false;
	for (size_t i = 0; i < 3; i++) {
		const struct xf_kvm *kvm = &trip->told[i]->kvm;

		if ((shown & ~kvm->host) || kvm->set == XF_SET_UNKNOWN ||
		    kvm->set == XF_SET_GUEST_BARE || kvm->get == XF_GET_TRIMS_BARE)
			return false;
	}
	return true;
}

/* A hop of which all is known is what xf_predict says of it. */
static void hold_prediction(const struct trip *trip, const struct xf_journey *journey)
{
	const struct xf_vcpu_hop *v = &journey->as_saved[0].vcpus[0];
	struct xf_area_head head = { .xstate_bv = trip->in_use, .mxcsr = 0x1f80 };
	struct xf_prediction prediction =
		xf_predict(&trip->told[1]->kvm, trip->evidence.guest, &head);

	assert_int_equal(v->saved.least, trip->in_use);
	assert_int_equal(v->outcome, prediction.outcome);
	assert_memory_equal(&v->prediction, &prediction, sizeof(prediction));
}

static void make(const struct trip *trip)
{
	struct xf_vcpu vcpu = vcpu_at(0, 100, trip->in_use, XF_X87);
	struct xf_state *state = synthetic_state(&vcpu, 1);
	struct xf_journey *journey = NULL;

	assert_fine(xf_route(state, 0, &trip->evidence, trip->told, 3, &journey));
	hold_prediction(trip, journey);
	follow(trip, journey, false);
	follow(trip, journey, true);
	if (must_come_through(trip) && journey->outcome_repaired != XF_OUTCOME_ACCEPTED)
		fail_trip(trip, 0, true, "nothing stands in its way");
	xf_journey_free(journey);
	synthetic_free(state);
}

static uint64_t state_of(unsigned int choice)
{
	uint64_t state = XF_X87;

	for (size_t i = 0; i < COUNT(parts); i++)
		if (choice & 1u << i)
			state |= parts[i];
	return state;
}

/* All that is known of the hosts; then nothing of the one in the middle. */
static void make_as_told(struct trip *trip)
{
	struct xf_host blank = *trip->hosts[1];

	for (size_t i = 0; i < 3; i++)
		trip->told[i] = trip->hosts[i];
	make(trip);
	blank.kvm.get = XF_GET_UNKNOWN;
	blank.kvm.set = XF_SET_UNKNOWN;
	trip->told[1] = &blank;
	make(trip);
}

static void every_guest(struct trip *trip)
{
	for (size_t i = 0; i < COUNT(cpuids) * COUNT(knowns); i++) {
		trip->cpuid = cpuids[i / COUNT(knowns)];
		trip->evidence.guest.known = knowns[i % COUNT(knowns)];
		trip->evidence.guest.shown = trip->cpuid;
		make_as_told(trip);
	}
}

static void every_journey(void **unused)
{
	(void)unused;
	for (size_t way = 0; way < COUNT(hosts) * COUNT(hosts) * COUNT(hosts); way++)
		for (unsigned int choice = 0; choice < STATES; choice++) {
			/* Little and much leaks by turns. */
			struct trip trip = { .leak = leaks[(way + choice) % COUNT(leaks)],
					     .in_use = state_of(choice),
					     .evidence.source = "the test" };

			trip.hosts[0] = &hosts[way % COUNT(hosts)];
			trip.hosts[1] = &hosts[way / COUNT(hosts) % COUNT(hosts)];
			trip.hosts[2] = &hosts[way / COUNT(hosts) / COUNT(hosts)];
			every_guest(&trip);
		}
	printf("%lu hops\n", hops_held);
	assert_true(hops_held > 100000);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(every_journey) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
