/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A report as one line of JSON. Masks are hex strings: JSON numbers lose 64-bit values. */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>

#include "cli/cli.h"

static struct json_object *hex_json(const uint8_t *bytes, size_t length)
{
	char text[2 * sizeof(((struct xf_edit *)0)->old_bytes) + 1] = "";

	for (size_t i = 0; i < length; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	return json_object_new_string(text);
}

static struct json_object *vcpu_json(const struct xf_state *state, const struct xf_report *report,
				     size_t i)
{
	struct json_object *object = json_object_new_object();
	const struct xf_vcpu *vcpu = xf_state_vcpu(state, i);
	const struct xf_vcpu_report *r = &report->vcpus[i];

	json_object_object_add(object, "index", json_object_new_int64(vcpu->index));
	json_object_object_add(object, "xstate_bv", mask_json(vcpu->xstate_bv.value));
	json_object_object_add(object, "xcr0",
			       vcpu->xcr0.size ? mask_json(vcpu->xcr0.value) : NULL);
	json_object_object_add(object, "exposed", exposed_json(report->guest));
	json_object_object_add(object, "known", mask_json(report->guest.known));
	json_object_object_add(object, "superfluous", mask_json(r->judgement.superfluous));
	json_object_object_add(object, "undecided", mask_json(r->judgement.undecided));
	json_object_object_add(object, "lost", mask_json(r->judgement.lost));
	json_object_object_add(object, "missing", mask_json(r->judgement.missing));
	json_object_object_add(object, "findings",
			       codes_json(&report->findings[r->first_finding], r->finding_count));
	return object;
}

static struct json_object *edits_json(const struct xf_report *report)
{
	struct json_object *edits = json_object_new_array();

	for (size_t i = 0; i < report->edit_count; i++) {
		const struct xf_edit *edit = &report->edits[i];
		struct json_object *object = json_object_new_object();

		json_object_object_add(object, "offset", json_object_new_uint64(edit->offset));
		json_object_object_add(object, "length", json_object_new_int64(edit->length));
		json_object_object_add(object, "old", hex_json(edit->old_bytes, edit->length));
		json_object_object_add(object, "new", hex_json(edit->new_bytes, edit->length));
		json_object_array_add(edits, object);
	}
	return edits;
}

struct json_object *json_report(const struct xf_state *state, const struct request *request,
				const struct xf_report *report)
{
	struct json_object *object = json_object_new_object();
	struct json_object *vcpus = json_object_new_array();

	for (size_t i = 0; i < report->vcpu_count; i++)
		json_object_array_add(vcpus, vcpu_json(state, report, i));
	json_object_object_add(object, "schema", json_object_new_int(JSON_SCHEMA));
	json_object_object_add(object, "file", text_json(xf_state_path(state)));
	json_object_object_add(object, "format", text_json(xf_state_format(state)));
	json_object_object_add(object, "machine", text_json(xf_state_machine(state)));
	json_object_object_add(object, "found_by",
			       text_json(xf_found_by_name(xf_state_found_by(state))));
	json_object_object_add(object, "evidence",
			       text_json(report->evidence ? report->evidence->source : NULL));
	json_object_object_add(object, "vcpus", vcpus);
	json_object_object_add(object, "target",
			       request->target ? host_json(request->target) : NULL);
	json_object_object_add(object, "outcome", text_json(xf_outcome_name(report->outcome)));
	json_object_object_add(object, "outcome_fixed",
			       text_json(xf_outcome_name(report->outcome_fixed)));
	json_object_object_add(object, "edits", edits_json(report));
	return object;
}

void print_json_report(const struct xf_state *state, const struct request *request,
		       const struct xf_report *report)
{
	print_and_put(json_report(state, request, report));
}
