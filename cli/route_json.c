/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A journey as one line of JSON. */
#include <json-c/json.h>

#include "cli/cli.h"

static void add_mask(struct json_object *object, const char *key, uint64_t mask)
{
	json_object_object_add(object, key, mask_json(mask));
}

static void add_text(struct json_object *object, const char *key, const char *text)
{
	json_object_object_add(object, key, text_json(text));
}

static void add_flag(struct json_object *object, const char *key, bool flag)
{
	json_object_object_add(object, key, json_object_new_boolean(flag));
}

static struct json_object *vcpu_json(const struct trip *trip, size_t i, const struct xf_vcpu_hop *v)
{
	struct json_object *object = json_object_new_object();
	uint32_t index = trip->state ? xf_state_vcpu(trip->state, i)->index : 0;
	enum xf_reason reason = v->prediction.reason;

	json_object_object_add(object, "index", json_object_new_int64(index));
	add_mask(object, "saved", v->saved.least);
	add_mask(object, "saved_most", v->saved.most);
	add_mask(object, "unsaved", v->unsaved);
	add_mask(object, "sent", v->sent.least);
	add_mask(object, "sent_most", v->sent.most);
	add_mask(object, "superfluous", v->judgement.superfluous);
	add_mask(object, "undecided", v->judgement.undecided);
	add_mask(object, "lost", v->judgement.lost);
	add_mask(object, "missing", v->judgement.missing);
	add_text(object, "outcome", xf_outcome_name(v->outcome));
	add_text(object, "reason", reason == XF_REASON_NONE ? NULL : xf_reason_name(reason));
	add_mask(object, "blocked", v->prediction.blocked);
	add_mask(object, "arrives", v->arrives.least);
	add_mask(object, "arrives_most", v->arrives.most);
	add_mask(object, "loses", v->loses);
	add_flag(object, "wiped", v->wiped);
	json_object_object_add(object, "findings", codes_json(v->findings, v->finding_count));
	return object;
}

/* null when the journey does not come so far. */
static struct json_object *way_json(const struct trip *trip, const struct xf_hop *hop)
{
	if (!hop->reached)
		return NULL;

	struct json_object *object = json_object_new_object();
	struct json_object *vcpus = json_object_new_array();

	for (size_t i = 0; i < trip->journey->vcpu_count; i++)
		json_object_array_add(vcpus, vcpu_json(trip, i, &hop->vcpus[i]));
	add_flag(object, "repaired", hop->repaired);
	add_text(object, "outcome", xf_outcome_name(hop->outcome));
	add_text(object, "outcome_fixed", xf_outcome_name(hop->outcome_fixed));
	json_object_object_add(object, "vcpus", vcpus);
	return object;
}

static struct json_object *hop_json(const struct trip *trip, size_t n)
{
	static const char *const refusal[] = {
		[XF_REFUSAL_RUNS_ON] = "runs-on",
		[XF_REFUSAL_EXITS] = "exits",
	};
	const struct xf_hop *as_saved = &trip->journey->as_saved[n];
	const struct xf_hop *repaired = &trip->journey->repaired[n];
	struct json_object *object = json_object_new_object();

	add_text(object, "from", trip->hosts[n]->name);
	add_text(object, "to", trip->hosts[n + 1]->name);
	add_text(object, "refusal", refusal[as_saved->refusal]);
	json_object_object_add(object, "as_saved", way_json(trip, as_saved));
	json_object_object_add(object, "repaired", way_json(trip, repaired));
	return object;
}

void print_json_route(const struct trip *trip)
{
	const struct xf_journey *journey = trip->journey;
	const struct xf_evidence *evidence = trip->journey->evidence;
	struct json_object *object = json_object_new_object();
	struct json_object *hosts = json_object_new_array();
	struct json_object *hops = json_object_new_array();

	for (size_t i = 0; i < trip->host_count; i++)
		json_object_array_add(hosts, host_json(trip->hosts[i]));
	for (size_t n = 0; n < journey->hop_count; n++)
		json_object_array_add(hops, hop_json(trip, n));
	json_object_object_add(object, "schema", json_object_new_int(JSON_SCHEMA));
	add_text(object, "file", trip->state ? xf_state_path(trip->state) : NULL);
	json_object_object_add(object, "in_use", trip->from_mask ? mask_json(trip->in_use) : NULL);
	add_text(object, "machine", trip->state ? xf_state_machine(trip->state) : NULL);
	add_text(object, "evidence", evidence ? evidence->source : NULL);
	json_object_object_add(object, "exposed", exposed_json(journey->guest));
	add_mask(object, "known", journey->guest.known);
	add_flag(object, "contradicted", journey->contradicted);
	add_mask(object, "unexpected", journey->unexpected);
	json_object_object_add(object, "hosts", hosts);
	json_object_object_add(object, "hops", hops);
	add_text(object, "outcome", xf_outcome_name(journey->outcome));
	add_text(object, "outcome_repaired", xf_outcome_name(journey->outcome_repaired));
	add_flag(object, "sound", journey->sound);
	print_and_put(object);
}
