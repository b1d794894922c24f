/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Journeys: pieces of text with a zero byte between. The first is the mask of what is in use, the
 * second a -cpu argument, which may be empty, all others are hosts: a profile if it begins with a
 * brace, else what stands behind "preset:". Whatever the hosts are, nothing is dropped that the
 * guest was shown, and a repair makes no journey worse.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz/json_mutator.h"
#include "host/host.h"
#include "host/mask_text.h"
#include "xferry.h"

#define HOSTS_MAX 5

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct travel {
	uint64_t in_use;
	struct xf_evidence *guest;
	struct xf_host *hosts[HOSTS_MAX];
	size_t count;
};

static void must(bool holds)
{
	if (!holds)
		abort();
}

/* Whether there was none. */
static bool fine(struct xf_error *err)
{
	if (!err)
		return true;
	must(err->text && !strchr(err->text, '\n'));
	xf_error_free(err);
	return false;
}

static bool open_host(const char *text, struct xf_host **out)
{
	return fine(*text == '{' ? xf_profile_parse("fuzz", text, strlen(text), out)
				 : xf_preset_open(text, out));
}

/* `text` has a zero byte behind its `size` bytes, too. */
static bool read_travel(const char *text, size_t size, struct travel *out)
{
	const char *end = text + size;

	if (!fine(xf_mask_from_text(text, &out->in_use)))
		return false;
	text += strlen(text) + 1;
	if (text >= end || (*text && !fine(xf_evidence_from_cpu(text, NULL, &out->guest))))
		return false;
	for (text += strlen(text) + 1; text < end && out->count < HOSTS_MAX;
	     text += strlen(text) + 1)
		if (!open_host(text, &out->hosts[out->count++]))
			return false;
	return out->count >= 2;
}

static void check_bounds(struct xf_bounds bounds)
{
	must(!(bounds.least & ~bounds.most));
}

static void check_hop(const struct xf_journey *journey, const struct xf_hop *hop)
{
	const struct xf_guest *guest = &journey->guest;

	for (size_t i = 0; i < journey->vcpu_count; i++) {
		const struct xf_vcpu_hop *vcpu = &hop->vcpus[i];

		check_bounds(vcpu->saved);
		check_bounds(vcpu->sent);
		check_bounds(vcpu->arrives);
		must(!(vcpu->drop & (guest->shown | ~guest->known)));
		must(!(vcpu->drop & ~vcpu->sent.most));
		must(!(vcpu->saved.most & ~vcpu->sent.most & (guest->shown | ~guest->known)));
		must(hop->repaired || vcpu->saved.most == vcpu->sent.most);
	}
}

static void check_way(const struct xf_journey *journey, const struct xf_hop *hops, bool as_saved)
{
	for (size_t i = 0; i < journey->hop_count; i++) {
		must(!i || !hops[i].reached || hops[i - 1].reached);
		must(!as_saved || !hops[i].repaired);
		if (hops[i].reached)
			check_hop(journey, &hops[i]);
	}
}

static void check_journey(const struct travel *travel)
{
	struct xf_journey *journey, *again;
	const struct xf_host *const *hosts = (const struct xf_host *const *)travel->hosts;

	if (!fine(xf_route(NULL, travel->in_use, travel->guest, hosts, travel->count, &journey)))
		return;
	must(journey->hop_count == travel->count - 1 && journey->vcpu_count == 1);
	check_way(journey, journey->as_saved, true);
	check_way(journey, journey->repaired, false);
	must(!journey->sound || journey->outcome == XF_OUTCOME_ACCEPTED);
	must(journey->outcome != XF_OUTCOME_ACCEPTED ||
	     journey->outcome_repaired == XF_OUTCOME_ACCEPTED);
	must(!xf_route(NULL, travel->in_use, travel->guest, hosts, travel->count, &again));
	must(again->outcome == journey->outcome && again->sound == journey->sound &&
	     again->outcome_repaired == journey->outcome_repaired);
	xf_journey_free(again);
	xf_journey_free(journey);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct travel travel = { 0 };
	char *text = malloc(size + 2);

	must(text);
	if (size)
		memcpy(text, data, size);
	text[size] = text[size + 1] = '\0';
	if (read_travel(text, size, &travel))
		check_journey(&travel);
	for (size_t i = 0; i < travel.count; i++)
		xf_host_free(travel.hosts[i]);
	xf_evidence_free(travel.guest);
	free(text);
	return 0;
}

#ifdef XF_LIBFUZZER
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	return mutate_json_alone(data, size, max, seed);
}
#endif
