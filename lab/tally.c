/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <json-c/json.h>
#include <string.h>

#include "lab/tally.h"

static const char *const calls[] = {
	[CALL_SET_XSAVE] = "KVM_SET_XSAVE",
	[CALL_GET_XSAVE] = "KVM_GET_XSAVE",
	[CALL_SET_XCRS] = "KVM_SET_XCRS",
	[CALL_GET_XCRS] = "KVM_GET_XCRS",
};

static const char *const oddities[ODDITIES] = {
	[ODD_NOTHING] = "none",
	[ODD_XCOMP_BIT] = "xcomp-bit",
	[ODD_COMPACTED] = "compacted",
	[ODD_RESERVED_BYTE] = "reserved-byte",
	[ODD_RESERVED] = "reserved",
	[ODD_XSTATE_BIT] = "xstate-bit",
	[ODD_XSTATE] = "xstate",
	[ODD_MXCSR_BIT] = "mxcsr-bit",
	[ODD_MXCSR_UNUSED] = "mxcsr-unused",
	[ODD_MXCSR] = "mxcsr",
	[ODD_NO_PKRU] = "no-pkru",
	[ODD_DATA] = "data",
	[ODD_TWO] = "two",
};

void tally_difference(struct tally *tally, const struct difference *difference)
{
	if (tally->differences < TALLY_FIRST)
		tally->first[tally->differences] = *difference;
	tally->differences++;
}

static void add_mask(struct json_object *to, const char *key, uint64_t mask)
{
	char text[2 + 16 + 1];

	snprintf(text, sizeof(text), "0x%" PRIx64, mask);
	json_object_object_add(to, key, json_object_new_string(text));
}

static void add_count(struct json_object *to, const char *key, uint64_t count)
{
	json_object_object_add(to, key, json_object_new_uint64(count));
}

static void add_text(struct json_object *to, const char *key, const char *text)
{
	json_object_object_add(to, key, json_object_new_string(text));
}

static void add_bytes(struct json_object *to, const char *key, const unsigned char *bytes,
		      size_t count)
{
	char text[2 * XF_HEADER_SIZE + 1] = "";

	for (size_t i = 0; i < count; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	add_text(to, key, text);
}

static void add_errno(struct json_object *to, const char *key, int number)
{
	add_text(to, key, number ? strerror(number) : "0");
}

static struct json_object *json_of_guest(const struct tally_guest *guest)
{
	struct json_object *json = json_object_new_object();

	add_text(json, "kind", guest_kind_name(guest->kind));
	json_object_object_add(json, "told", json_object_new_boolean(guest->told));
	add_mask(json, "cpuid_set", guest->cpuid_set);
	add_mask(json, "cpuid_read", guest->cpuid_read);
	add_mask(json, "xcr0", guest->xcr0);
	add_mask(json, "xfd", guest->xfd);
	return json;
}

static void add_answer(struct json_object *json, const struct difference *difference)
{
	if (difference->call == CALL_SET_XSAVE)
		add_text(json, "predicted", xf_reason_name(difference->reason));
	if (difference->got_errno != difference->expected_errno ||
	    difference->call == CALL_SET_XSAVE || difference->call == CALL_SET_XCRS) {
		add_errno(json, "expected", difference->expected_errno);
		add_errno(json, "got", difference->got_errno);
		return;
	}
	add_mask(json, "expected_mask", difference->expected_mask);
	add_mask(json, "got_mask", difference->got_mask);
	if (difference->call != CALL_GET_XSAVE)
		return;
	add_count(json, "offset", difference->offset);
	add_count(json, "bytes", difference->byte_count);
	add_bytes(json, "expected", difference->expected, TALLY_WINDOW);
	add_bytes(json, "got", difference->got, TALLY_WINDOW);
}

static struct json_object *json_of_difference(const struct difference *difference, uint64_t seed)
{
	struct json_object *json = json_object_new_object();

	add_count(json, "seed", seed);
	add_count(json, "index", difference->index);
	add_text(json, "odd", oddities[difference->oddity]);
	json_object_object_add(json, "guest", json_of_guest(&difference->guest));
	add_bytes(json, "header", difference->header, XF_HEADER_SIZE);
	add_mask(json, "mxcsr", difference->mxcsr);
	add_mask(json, "tried_xcr0", difference->tried_xcr0);
	add_text(json, "call", calls[difference->call]);
	add_answer(json, difference);
	return json;
}

static struct json_object *json_of_first(const struct tally *tally, uint64_t seed)
{
	struct json_object *json = json_object_new_array();

	for (uint64_t i = 0; i < tally->differences && i < TALLY_FIRST; i++)
		json_object_array_add(json, json_of_difference(&tally->first[i], seed));
	return json;
}

static struct json_object *json_of_refused(const struct tally *tally)
{
	struct json_object *json = json_object_new_object();

	for (enum xf_reason reason = XF_REASON_NONE + 1; reason < XF_REASONS; reason++)
		if (tally->refused[reason])
			add_count(json, xf_reason_name(reason), tally->refused[reason]);
	return json;
}

static struct json_object *json_of_kinds(const struct tally *tally)
{
	struct json_object *json = json_object_new_object();

	for (enum guest_kind kind = 0; kind < GUEST_KINDS; kind++) {
		struct json_object *row = json_object_new_object();

		add_count(row, "states", tally->kinds[kind].states);
		add_count(row, "accepted", tally->kinds[kind].accepted);
		add_count(row, "refused", tally->kinds[kind].refused);
		json_object_object_add(json, guest_kind_name(kind), row);
	}
	return json;
}

static struct json_object *json_of_oddities(const struct tally *tally)
{
	struct json_object *json = json_object_new_object();

	for (enum oddity oddity = 0; oddity < ODDITIES; oddity++)
		add_count(json, oddities[oddity], tally->oddities[oddity]);
	return json;
}

static struct json_object *json_of_explained(const struct tally *tally)
{
	struct json_object *json = json_object_new_array();

	for (enum explained row = 0; row < EXPLAINED_COUNT; row++) {
		struct json_object *entry = json_object_new_object();

		add_text(entry, "name", explained_name(row));
		add_count(entry, "states", tally->explained[row]);
		add_text(entry, "why", explained_text(row));
		json_object_array_add(json, entry);
	}
	return json;
}

static struct json_object *json_of_pair(const char *one, uint64_t first, const char *other,
					uint64_t second)
{
	struct json_object *json = json_object_new_object();

	add_count(json, one, first);
	add_count(json, other, second);
	return json;
}

static void add_seconds(struct json_object *to, double seconds)
{
	char text[32];

	snprintf(text, sizeof(text), "%.3f", seconds);
	json_object_object_add(to, "seconds", json_object_new_double_s(seconds, text));
}

static struct json_object *json_of_tally(const struct tally *tally, const struct tally_about *about)
{
	struct json_object *json = json_object_new_object();
	struct json_object *cpuid =
		json_of_pair("told", tally->cpuid_told, "refused", tally->cpuid_refused);

	add_count(cpuid, "changed", tally->cpuid_changed);
	add_count(json, "schema", 1);
	add_text(json, "profile", about->profile);
	add_count(json, "seed", about->seed);
	add_count(json, "states", tally->states);
	add_count(json, "accepted", tally->accepted);
	json_object_object_add(json, "refused", json_of_refused(tally));
	json_object_object_add(json, "guests", json_of_kinds(tally));
	json_object_object_add(json, "odd", json_of_oddities(tally));
	json_object_object_add(json, "cpuid", cpuid);
	json_object_object_add(
		json, "read",
		json_of_pair("xsave", tally->read_xsave, "xsave2", tally->read_xsave2));
	json_object_object_add(
		json, "xcr0",
		json_of_pair("taken", tally->xcr0_taken, "refused", tally->xcr0_refused));
	json_object_object_add(json, "explained", json_of_explained(tally));
	add_count(json, "skipped", tally->skipped);
	add_count(json, "differences", tally->differences);
	json_object_object_add(json, "first", json_of_first(tally, about->seed));
	add_seconds(json, about->seconds);
	return json;
}

bool tally_print(const struct tally *tally, const struct tally_about *about, FILE *stream)
{
	struct json_object *json = json_of_tally(tally, about);
	const char *text = json_object_to_json_string_ext(
		json,
		JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE);
	bool written = text && fprintf(stream, "%s\n", text) > 0 && fflush(stream) == 0;

	json_object_put(json);
	return written;
}
