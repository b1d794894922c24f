/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A report as one line of JSON. Masks are hex strings: JSON numbers lose 64-bit values. */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>

#include "cli/cli.h"

#define SCHEMA 1

static struct json_object *mask_json(uint64_t mask)
{
	char text[32];

	snprintf(text, sizeof(text), "0x%" PRIx64, mask);
	return json_object_new_string(text);
}

/* Bytes of the UTF-8 character at `p`, or 0 where there is none (RFC 3629). */
static size_t utf8_length(const unsigned char *p)
{
	static const struct {
		unsigned char mask, lead;
	} forms[] = { { 0x80, 0x00 }, { 0xe0, 0xc0 }, { 0xf0, 0xe0 }, { 0xf8, 0xf0 } };
	size_t length = 0;

	while (length < 4 && (*p & forms[length].mask) != forms[length].lead)
		length++;
	if (length == 4 || *p == 0xc0 || *p == 0xc1 || *p > 0xf4)
		return 0;
	for (size_t i = 1; i <= length; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	/* Longer than need be, half of a surrogate pair, beyond Unicode. */
	if ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] > 0x9f) ||
	    (*p == 0xf0 && p[1] < 0x90) || (*p == 0xf4 && p[1] > 0x8f))
		return 0;
	return length + 1;
}

/* JSON is UTF-8 and file names need not be: what is not becomes U+FFFD. */
static struct json_object *text_json(const char *text)
{
	char *clean = NULL;
	size_t size;
	FILE *stream = text ? open_memstream(&clean, &size) : NULL;

	if (!stream)
		return NULL;
	for (const unsigned char *p = (const unsigned char *)text; *p;) {
		size_t length = utf8_length(p);

		if (length)
			fwrite(p, 1, length, stream);
		else
			fputs("\xef\xbf\xbd", stream);
		p += length ? length : 1;
	}
	fclose(stream);

	struct json_object *object = clean ? json_object_new_string(clean) : NULL;

	free(clean);
	return object;
}

static struct json_object *hex_json(const uint8_t *bytes, size_t length)
{
	char text[2 * sizeof(((struct xf_edit *)0)->old_bytes) + 1] = "";

	for (size_t i = 0; i < length; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	return json_object_new_string(text);
}

/* null when the evidence tells nothing of what can leak. */
static struct json_object *exposed_json(struct xf_guest guest)
{
	if ((guest.known & XF_USER & ~XF_FPSSE) == 0)
		return NULL;
	return mask_json(guest.shown);
}

static struct json_object *codes_json(const struct xf_report *report, size_t vcpu)
{
	struct json_object *codes = json_object_new_array();

	const struct xf_finding *finding = &report->findings[report->vcpus[vcpu].first_finding];

	for (size_t i = 0; i < report->vcpus[vcpu].finding_count; i++)
		json_object_array_add(codes, text_json(finding[i].problem->code));
	return codes;
}

static struct json_object *vcpu_json(const struct xf_state *state, const struct xf_report *report,
				     size_t i)
{
	struct json_object *object = json_object_new_object();
	const struct xf_vcpu *vcpu = xf_state_vcpu(state, i);
	const struct xf_vcpu_report *r = &report->vcpus[i];

	json_object_object_add(object, "index", json_object_new_int64(vcpu->index));
	json_object_object_add(object, "xstate_bv", mask_json(vcpu->xstate_bv.value));
	json_object_object_add(object, "xcr0", mask_json(vcpu->xcr0.value));
	json_object_object_add(object, "exposed", exposed_json(report->guest));
	json_object_object_add(object, "known", mask_json(report->guest.known));
	json_object_object_add(object, "superfluous", mask_json(r->judgement.superfluous));
	json_object_object_add(object, "undecided", mask_json(r->judgement.undecided));
	json_object_object_add(object, "lost", mask_json(r->judgement.lost));
	json_object_object_add(object, "missing", mask_json(r->judgement.missing));
	json_object_object_add(object, "findings", codes_json(report, i));
	return object;
}

static struct json_object *target_json(const struct request *request,
				       const struct xf_report *report)
{
	static const char *const get[] = {
		[XF_GET_TRIMS] = "trims",
		[XF_GET_TRIMS_BARE] = "trims",
		[XF_GET_LEAKS] = "leaks",
	};
	static const char *const set[] = {
		[XF_SET_HOST] = "host",
		[XF_SET_GUEST] = "guest",
		[XF_SET_GUEST_BARE] = "guest",
	};
	const struct xf_host *host = request->target;

	if (!report->has_target)
		return NULL;

	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "name", text_json(host->name));
	json_object_object_add(object, "kernel", text_json(host->kernel));
	json_object_object_add(object, "supported", mask_json(host->kvm.host));
	json_object_object_add(object, "get", text_json(get[host->kvm.get]));
	json_object_object_add(object, "set", text_json(set[host->kvm.set]));
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

static void print_and_put(struct json_object *object)
{
	puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN |
							    JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
}

void print_json_report(const struct xf_state *state, const struct request *request,
		       const struct xf_report *report)
{
	struct json_object *object = json_object_new_object();
	struct json_object *vcpus = json_object_new_array();

	for (size_t i = 0; i < report->vcpu_count; i++)
		json_object_array_add(vcpus, vcpu_json(state, report, i));
	json_object_object_add(object, "schema", json_object_new_int(SCHEMA));
	json_object_object_add(object, "file", text_json(xf_state_path(state)));
	json_object_object_add(object, "format", text_json(xf_state_format(state)));
	json_object_object_add(object, "machine", text_json(xf_state_machine(state)));
	json_object_object_add(object, "found_by",
			       text_json(xf_found_by_name(xf_state_found_by(state))));
	json_object_object_add(object, "evidence",
			       text_json(request->guest ? request->guest->source : NULL));
	json_object_object_add(object, "vcpus", vcpus);
	json_object_object_add(object, "target", target_json(request, report));
	json_object_object_add(object, "outcome", text_json(xf_outcome_name(report->outcome)));
	json_object_object_add(object, "outcome_fixed",
			       text_json(xf_outcome_name(report->outcome_fixed)));
	json_object_object_add(object, "edits", edits_json(report));
	print_and_put(object);
}

void print_json_error(const char *path, const struct xf_error *err)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "schema", json_object_new_int(SCHEMA));
	json_object_object_add(object, "file", text_json(path));
	json_object_object_add(object, "error", text_json(err->text));
	print_and_put(object);
}
