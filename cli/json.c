/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the JSON of reports and journeys has in common. Numbers in JSON lose 64-bit values. */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>

#include "cli/cli.h"

struct json_object *mask_json(uint64_t mask)
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
struct json_object *text_json(const char *text)
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

/* null when the evidence tells nothing of what can leak. */
struct json_object *exposed_json(struct xf_guest guest)
{
	if ((guest.known & XF_USER & ~XF_FPSSE) == 0)
		return NULL;
	return mask_json(guest.shown);
}

struct json_object *codes_json(const struct xf_finding *findings, size_t count)
{
	struct json_object *codes = json_object_new_array();

	for (size_t i = 0; i < count; i++)
		json_object_array_add(codes, text_json(findings[i].problem->code));
	return codes;
}

/* null: no module that changes anything, or it is not known. */
static struct json_object *module_json(const struct xf_kvm *kvm)
{
	struct json_object *object;

	if (kvm->unknown & XF_UNKNOWN_MODULE || !(kvm->hook_set || kvm->hook_get))
		return NULL;
	object = json_object_new_object();
	json_object_object_add(object, "set", mask_json(kvm->hook_set));
	json_object_object_add(object, "get", mask_json(kvm->hook_get));
	return object;
}

struct json_object *host_json(const struct xf_host *host)
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
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "name", text_json(host->name));
	json_object_object_add(object, "kernel", text_json(host->kernel));
	json_object_object_add(object, "supported", mask_json(host->kvm.host));
	json_object_object_add(object, "get", text_json(get[host->kvm.get]));
	json_object_object_add(object, "set", text_json(set[host->kvm.set]));
	json_object_object_add(object, "module", module_json(&host->kvm));
	return object;
}

void put_json_line(struct json_object *object, FILE *to)
{
	fprintf(to, "%s\n",
		json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN |
							       JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
}

void print_and_put(struct json_object *object)
{
	put_json_line(object, stdout);
}

struct json_object *json_error(const char *path, const struct xf_error *err)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "schema", json_object_new_int(JSON_SCHEMA));
	json_object_object_add(object, "file", text_json(path));
	json_object_object_add(object, "error", text_json(err->text));
	return object;
}
