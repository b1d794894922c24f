/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Host profiles as JSON: docs/man/xferry-profile.5.scd describes every key. Read
 * with json-c; a key that is not known is passed over, for newer versions will
 * measure more. Keys that are given twice are an error, as readers differ on
 * which of them counts.
 */
#include <inttypes.h>
#include <json-c/json.h>
#include <string.h>

#include "base/scope.h"
#include "host/host.h"
#include "host/mask_text.h"
#include "host/text.h"

#define SCHEMA 1
/* Objects within objects: a profile has 3. */
#define DEPTH_MAX 16

struct word {
	const char *text;
	int value;
};

static const struct word get_words[] = {
	{ "trims", XF_GET_TRIMS },
	{ "trims-bare", XF_GET_TRIMS_BARE },
	{ "leaks", XF_GET_LEAKS },
	{ NULL, XF_GET_UNKNOWN },
};

static const struct word set_words[] = {
	{ "host", XF_SET_HOST },
	{ "guest", XF_SET_GUEST },
	{ "guest-bare", XF_SET_GUEST_BARE },
	{ NULL, XF_SET_UNKNOWN },
};

/* null counts as what kernels do today; the same goes for the booleans. */
static const struct word protected_words[] = {
	{ "refused", false },
	{ "ignored", true },
	{ NULL, false },
};

static const struct word hook_words[] = {
	{ "pkru", true },
	{ NULL, false },
};

/* ---- Reading ---- */

static void scope_json(struct json_object **object)
{
	json_object_put(*object);
}

static void scope_tokener(struct json_tokener **tokener)
{
	if (*tokener)
		json_tokener_free(*tokener);
}

/* One object of a profile, and what errors call it: "" or "layout[2]." */
struct object {
	const char *path;
	const char *prefix;
	struct json_object *json;
};

static struct xf_error *expected(const struct object *object, const char *key, const char *what)
{
	return xf_error_new(XF_ERR_DAMAGED, object->path, "\"%s%s\": expected %s", object->prefix,
			    key, what);
}

/* The value of a key; NULL when it is null or absent. */
static struct json_object *value_of(const struct object *object, const char *key)
{
	struct json_object *value = NULL;

	json_object_object_get_ex(object->json, key, &value);
	return value;
}

/* The string of a value, or NULL; a string with a zero byte in it is none. */
static const char *string_of(struct json_object *value)
{
	if (!json_object_is_type(value, json_type_string))
		return NULL;

	const char *text = json_object_get_string(value);

	return strlen(text) == (size_t)json_object_get_string_len(value) ? text : NULL;
}

static struct xf_error *read_text(const struct object *object, const char *key, const char **out)
{
	struct json_object *value = value_of(object, key);
	const char *text = string_of(value);

	if (!value)
		return NULL;
	if (!text)
		return expected(object, key, "text or null");
	*out = strdup(text);
	return *out ? NULL : xf_error_memory();
}

/* A boolean; null and absent leave `*out` as it is. */
static struct xf_error *read_bool(const struct object *object, const char *key, bool *out)
{
	struct json_object *value = value_of(object, key);

	if (!value)
		return NULL;
	if (!json_object_is_type(value, json_type_boolean))
		return expected(object, key, "true, false or null");
	*out = json_object_get_boolean(value);
	return NULL;
}

static struct xf_error *not_a_word(const struct object *object, const char *key,
				   const struct word *words)
{
	char all[96] = "";
	size_t used = 0;

	for (; words->text; words++)
		used += (size_t)snprintf(all + used, sizeof(all) - used, "\"%s\", ", words->text);
	all[used - 2] = '\0';
	return xf_error_new(XF_ERR_DAMAGED, object->path, "\"%s%s\": expected %s or null",
			    object->prefix, key, all);
}

static struct xf_error *read_word(const struct object *object, const char *key,
				  const struct word *words, int *out)
{
	struct json_object *value = value_of(object, key);
	const char *text = string_of(value);
	const struct word *word = words;

	while (word->text && (!text || strcmp(word->text, text) != 0))
		word++;
	if (value && !word->text)
		return not_a_word(object, key, words);
	*out = word->value;
	return NULL;
}

/* A number from 0 to `max`; null and absent leave `*out` as it is. */
static struct xf_error *read_number(const struct object *object, const char *key, uint32_t max,
				    uint32_t *out)
{
	struct json_object *value = value_of(object, key);

	if (!value)
		return NULL;

	int64_t number =
		json_object_is_type(value, json_type_int) ? json_object_get_int64(value) : -1;

	if (number < 0 || number > max)
		return xf_error_new(XF_ERR_DAMAGED, object->path,
				    "\"%s%s\": expected a number from 0 to %" PRIu32,
				    object->prefix, key, max);
	*out = (uint32_t)number;
	return NULL;
}

/* A mask in hex; null and absent leave `*out` as it is. */
static struct xf_error *read_mask(const struct object *object, const char *key, uint64_t *out)
{
	struct json_object *value = value_of(object, key);
	const char *text = string_of(value);

	if (!value)
		return NULL;
	if (!text || !xf_hex(text, strlen(text), out))
		return expected(object, key, "a mask in hex, as \"0x207\"");
	return NULL;
}

static struct xf_error *read_supported(const struct object *object, struct xf_kvm *kvm)
{
	bool xsave = true;

	if (!value_of(object, "supported"))
		return expected(object, "supported", "a mask in hex, as \"0x207\"");
	XF_TRY(read_mask(object, "supported", &kvm->host));
	if ((kvm->host & XF_FPSSE) != XF_FPSSE)
		return expected(object, "supported", "x87 and SSE (0x3) among the components");
	if (kvm->host & (XF_SUPERVISOR | XF_COMPACTED))
		return expected(object, "supported", "components of XCR0 only");
	if (!xf_is_consistent(kvm->host))
		return expected(object, "supported",
				"complete groups: AVX-512 with AVX, both of MPX, both of AMX");
	XF_TRY(read_bool(object, "xsave", &xsave));
	if (!xsave && kvm->host != XF_FPSSE)
		return expected(object, "supported", "0x3 where \"xsave\" is false");
	kvm->no_xsave = !xsave;
	return NULL;
}

/* The object under `key`, whose own keys are told as PREFIXkey; `json` is NULL when it is null. */
static struct xf_error *read_object(const struct object *object, const char *key,
				    const char *prefix, struct object *out)
{
	struct json_object *json = value_of(object, key);

	if (json && !json_object_is_type(json, json_type_object))
		return expected(object, key, "an object or null");
	*out = (struct object){ .path = object->path, .prefix = prefix, .json = json };
	return NULL;
}

/* What a module takes out of a SET, of a GET. */
static struct xf_error *read_module(const struct object *object, struct xf_kvm *kvm)
{
	struct object module = { 0 };

	XF_TRY(read_object(object, "module", "module.", &module));
	if (!module.json)
		return NULL;
	XF_TRY(read_mask(&module, "set", &kvm->hook_set));
	return read_mask(&module, "get", &kvm->hook_get);
}

static struct xf_error *read_behaviour(const struct object *object, struct xf_kvm *kvm)
{
	uint64_t mxcsr_mask = kvm->mxcsr_mask;
	bool header_checked = true;
	int get, set, protected_ignored, hook_pkru;

	XF_TRY(read_word(object, "get", get_words, &get));
	XF_TRY(read_word(object, "set", set_words, &set));
	XF_TRY(read_bool(object, "header_checked", &header_checked));
	XF_TRY(read_mask(object, "mxcsr_mask", &mxcsr_mask));
	if (mxcsr_mask > UINT32_MAX)
		return expected(object, "mxcsr_mask", "32 bits");
	XF_TRY(read_bool(object, "mxcsr_always", &kvm->mxcsr_always));
	XF_TRY(read_word(object, "protected", protected_words, &protected_ignored));
	XF_TRY(read_bool(object, "get_after_cpuid", &kvm->get_after_cpuid));
	XF_TRY(read_bool(object, "xfd_clears", &kvm->xfd_clears));
	XF_TRY(read_word(object, "hook", hook_words, &hook_pkru));
	XF_TRY(read_module(object, kvm));
	XF_TRY(read_bool(object, "cpuid_rewritten", &kvm->shows_all));
	if (!value_of(object, "mxcsr_mask"))
		kvm->unknown |= XF_UNKNOWN_MXCSR_MASK;
	kvm->get = (enum xf_kvm_get)get;
	kvm->set = (enum xf_kvm_set)set;
	kvm->header_unchecked = !header_checked;
	kvm->mxcsr_mask = (uint32_t)mxcsr_mask;
	kvm->protected_ignored = protected_ignored;
	kvm->hook_pkru = hook_pkru;
	return NULL;
}

/* true, false or null. */
static struct xf_error *read_answer(const struct object *object, const char *key,
				    enum xf_answer *out)
{
	bool value = false;

	XF_TRY(read_bool(object, key, &value));
	if (value_of(object, key))
		*out = value ? XF_YES : XF_NO;
	return NULL;
}

static struct xf_error *read_findings(const struct object *object, struct xf_host *host)
{
	XF_TRY(read_answer(object, "amx_permitted", &host->amx_permitted));
	XF_TRY(read_answer(object, "pkru_kept", &host->pkru_kept));
	XF_TRY(read_mask(object, "after_run", &host->after_run));
	host->has_after_run = value_of(object, "after_run");
	return NULL;
}

/* Why keys are null; a key with a value cannot be among them. */
static struct xf_error *read_not_learned(const struct object *object, struct xf_host *host)
{
	struct object reasons = { 0 };

	XF_TRY(read_object(object, "not_learned", "not_learned.", &reasons));
	if (!reasons.json)
		return NULL;
	json_object_object_foreach(reasons.json, key, value)
	{
		const char *why = string_of(value);

		if (!why)
			return expected(&reasons, key, "text");
		if (value_of(object, key))
			return expected(object, key, "null, as \"not_learned\" has it");
		XF_TRY(xf_host_not_learned(host, key, why));
	}
	return NULL;
}

static struct xf_error *read_extent(const struct object *object, struct xf_layout *layout)
{
	const char *name = string_of(value_of(object, "component"));
	struct xf_extent extent = { 0 };
	uint64_t mask;

	if (!name || !xf_component_word(name, strlen(name), &mask) || (mask & (mask - 1)))
		return expected(object, "component", "one component's name, as \"pkru\"");
	if (mask & (XF_FPSSE | XF_COMPACTED))
		return expected(object, "component", "none that has its place fixed");
	XF_TRY(read_number(object, "offset", XF_AREA_MAX, &extent.offset));
	XF_TRY(read_number(object, "size", XF_AREA_MAX, &extent.size));
	XF_TRY(read_bool(object, "aligned", &extent.aligned));
	XF_TRY(read_bool(object, "supervisor", &extent.supervisor));
	if (!extent.size)
		return expected(object, "size", "the component's size in bytes");

	struct xf_extent *at = &layout->at[xf_lowest(mask).n];

	if (at->size)
		return expected(object, "component", "each component once");
	*at = extent;
	return NULL;
}

static struct xf_error *check_layout(const char *path, const struct xf_layout *layout)
{
	static const char *const texts[] = {
		[XF_LAYOUT_IN_HEADER] = "begins within the first 576 bytes",
		[XF_LAYOUT_TOO_LARGE] = "ends past 1 MiB",
		[XF_LAYOUT_OVERLAP] = "shares bytes with another component",
		[XF_LAYOUT_SIZE] = "is smaller than the architecture has it",
	};
	struct xf_bit where;
	enum xf_layout_fault fault = xf_layout_check(layout, &where);

	if (!fault)
		return NULL;

	XF_AUTO_FREE char *name = xf_mask_to_text(xf_mask(where));

	if (!name)
		return xf_error_memory();
	return xf_error_new(XF_ERR_DAMAGED, path, "\"layout\": %s %s", name, texts[fault]);
}

/* What is supported has its place. */
static struct xf_error *check_places(const char *path, const struct xf_host *host)
{
	uint64_t lost = host->kvm.host & ~xf_layout_components(&host->layout);

	if (!lost)
		return NULL;

	XF_AUTO_FREE char *names = xf_mask_to_text(lost);

	if (!names)
		return xf_error_memory();
	return xf_error_new(XF_ERR_DAMAGED, path,
			    "\"layout\": expected a place for what is in \"supported\": %s", names);
}

static struct xf_error *read_layout(const struct object *object, struct xf_host *host)
{
	struct json_object *array = value_of(object, "layout");

	if (!array)
		return NULL;
	if (!json_object_is_type(array, json_type_array))
		return expected(object, "layout", "a list or null");

	/* Each entry names a component of its own, so 65 are one too many already. */
	for (size_t i = 0; i < json_object_array_length(array); i++) {
		char prefix[48];
		struct object entry = {
			.path = object->path,
			.prefix = prefix,
			.json = json_object_array_get_idx(array, i),
		};

		snprintf(prefix, sizeof(prefix), "layout[%zu].", i);
		if (!json_object_is_type(entry.json, json_type_object))
			return expected(&entry, "", "an object");
		XF_TRY(read_extent(&entry, &host->layout));
	}
	XF_TRY(check_layout(object->path, &host->layout));
	XF_TRY(check_places(object->path, host));
	host->has_layout = true;
	return NULL;
}

static struct xf_error *read_area_size(const struct object *object, struct xf_host *host)
{
	XF_TRY(read_number(object, "area_size", XF_AREA_MAX, &host->area_size));
	if (!host->area_size)
		return NULL;

	uint32_t least = host->has_layout ? xf_layout_standard_size(&host->layout, host->kvm.host)
					  : XF_EXTENDED_OFFSET;

	if (host->area_size < least)
		return xf_error_new(XF_ERR_DAMAGED, object->path,
				    "\"area_size\": expected %" PRIu32 " or more", least);
	return NULL;
}

static struct xf_error *read_cpu(const struct object *object, struct xf_host *host)
{
	struct object cpu = {
		.path = object->path,
		.prefix = "cpu.",
		.json = value_of(object, "cpu"),
	};

	if (!cpu.json)
		return NULL;
	if (!json_object_is_type(cpu.json, json_type_object))
		return expected(object, "cpu", "an object or null");
	return read_text(&cpu, "model", &host->cpu);
}

static struct xf_error *read_qemu(const struct object *object, struct xf_host *host)
{
	XF_TRY(read_text(object, "qemu", &host->qemu));
	if (host->qemu && !xf_is_version(host->qemu, strlen(host->qemu)))
		return expected(object, "qemu", "a version, as \"7.2\", or null");
	return NULL;
}

static struct xf_error *read_profile(const struct object *object, struct xf_host *host)
{
	struct json_object *schema = value_of(object, "schema");

	if (!json_object_is_type(schema, json_type_int))
		return expected(object, "schema", "the number of a schema");
	if (json_object_get_int64(schema) != SCHEMA)
		return xf_error_new(XF_ERR_FORMAT, object->path,
				    "a profile of schema %" PRId64 ", expected schema %d",
				    json_object_get_int64(schema), SCHEMA);
	XF_TRY(read_text(object, "kernel", &host->kernel));
	XF_TRY(read_qemu(object, host));
	XF_TRY(read_text(object, "module_loaded", &host->module));
	XF_TRY(read_cpu(object, host));
	XF_TRY(read_supported(object, &host->kvm));
	XF_TRY(read_behaviour(object, &host->kvm));
	XF_TRY(read_layout(object, host));
	XF_TRY(read_area_size(object, host));
	XF_TRY(read_findings(object, host));
	return read_not_learned(object, host);
}

/* How many keys there are in a tree. */
static size_t count_keys(struct json_object *value)
{
	size_t n = 0;

	if (json_object_is_type(value, json_type_object)) {
		json_object_object_foreach(value, key, child)
		{
			(void)key;
			n += 1 + count_keys(child);
		}
	} else if (json_object_is_type(value, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(value); i++)
			n += count_keys(json_object_array_get_idx(value, i));
	}
	return n;
}

/*
 * How many keys were written: in JSON each has a colon, outside of strings.
 * False where there is a quote that JSON does not have, though json-c takes it.
 */
static bool count_colons(const char *text, size_t size, size_t *out)
{
	bool in_string = false;
	size_t n = 0;

	for (size_t i = 0; i < size; i++) {
		if (in_string && text[i] == '\\')
			i++;
		else if (text[i] == '"')
			in_string = !in_string;
		else if (text[i] == '\'' && !in_string)
			return false;
		else if (text[i] == ':' && !in_string)
			n++;
	}
	*out = n;
	return true;
}

static struct xf_error *parse_json(const char *path, const char *text, size_t size,
				   struct json_object **out)
{
	const char *zero = memchr(text, '\0', size);

	if (zero)
		return xf_error_at(XF_ERR_DAMAGED, path, (uint64_t)(zero - text), "expected JSON");

	XF_AUTO(scope_tokener)
	struct json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX);

	if (!tokener)
		return xf_error_memory();
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);

	XF_AUTO(scope_json)
	struct json_object *json = json_tokener_parse_ex(tokener, text, (int)size);
	enum json_tokener_error error = json_tokener_get_error(tokener);
	size_t end = json_tokener_get_parse_end(tokener);
	size_t keys;

	if (error == json_tokener_continue)
		return xf_error_at(XF_ERR_DAMAGED, path, size, "the JSON ends here, unfinished");
	if (error != json_tokener_success)
		return xf_error_at(XF_ERR_DAMAGED, path, end, "expected JSON: %s",
				   json_tokener_error_desc(error));
	/* json-c 0.16 stops so when it is out of memory. */
	if (end < size)
		return xf_error_memory();
	if (!json_object_is_type(json, json_type_object))
		return xf_error_at(XF_ERR_DAMAGED, path, 0, "expected a JSON object");
	if (!count_colons(text, size, &keys))
		return xf_error_new(XF_ERR_DAMAGED, path,
				    "expected JSON: strings are in \"double quotes\"");
	if (count_keys(json) != keys)
		return xf_error_new(XF_ERR_DAMAGED, path, "expected each key once in an object");
	*out = xf_take(json);
	return NULL;
}

struct xf_error *xf_profile_parse(const char *path, const char *text, size_t size,
				  struct xf_host **out)
{
	XF_AUTO(scope_json) struct json_object *json = NULL;
	XF_AUTO(xf_scope_host) struct xf_host *host = NULL;

	XF_TRY(parse_json(path, text, size, &json));
	host = xf_host_new(path);
	if (!host)
		return xf_error_memory();

	struct object object = { .path = path, .prefix = "", .json = json };

	XF_TRY(read_profile(&object, host));
	*out = xf_take(host);
	return NULL;
}

/* ---- Writing ---- */

struct writer {
	FILE *stream;
	const struct xf_host *host;
};

static void put_quoted(const struct writer *writer, const char *text)
{
	FILE *stream = writer->stream;

	putc('"', stream);
	for (const char *p = text; *p; p++) {
		if (*p == '"' || *p == '\\')
			fprintf(stream, "\\%c", *p);
		else if ((unsigned char)*p < ' ')
			fprintf(stream, "\\u%04x", (unsigned int)*p);
		else
			putc(*p, stream);
	}
	putc('"', stream);
}

/* A string, or null. */
static void put_text(const struct writer *writer, const char *text)
{
	if (text)
		put_quoted(writer, text);
	else
		fputs("null", writer->stream);
}

static void put_line(const struct writer *writer, const char *key, const char *text)
{
	fprintf(writer->stream, "  \"%s\": ", key);
	put_text(writer, text);
	fputs(",\n", writer->stream);
}

/* What was not learned is null, whatever value stands in for it. */
static void put_word(const struct writer *writer, const char *key, const struct word *words,
		     int value)
{
	while (words->text && words->value != value)
		words++;
	put_line(writer, key, xf_host_lacks(writer->host, key) ? NULL : words->text);
}

static void put_bool(const struct writer *writer, const char *key, bool value)
{
	const char *text = value ? "true" : "false";

	fprintf(writer->stream, "  \"%s\": %s,\n", key,
		xf_host_lacks(writer->host, key) ? "null" : text);
}

static void put_answer(const struct writer *writer, const char *key, enum xf_answer answer)
{
	static const char *const words[] = { "null", "false", "true" };

	fprintf(writer->stream, "  \"%s\": %s,\n", key, words[answer]);
}

static void put_mask(const struct writer *writer, const char *key, bool known, uint64_t mask)
{
	if (known)
		fprintf(writer->stream, "  \"%s\": \"0x%" PRIx64 "\",\n", key, mask);
	else
		fprintf(writer->stream, "  \"%s\": null,\n", key);
}

static void put_number(const struct writer *writer, const char *key, uint32_t number)
{
	if (number)
		fprintf(writer->stream, "  \"%s\": %" PRIu32 ",\n", key, number);
	else
		fprintf(writer->stream, "  \"%s\": null,\n", key);
}

static void put_extent(const struct writer *writer, struct xf_bit bit,
		       const struct xf_extent *extent)
{
	const struct xf_component *component = xf_component(bit);
	FILE *stream = writer->stream;

	if (component)
		fprintf(stream, "    {\"component\": \"%s\"", component->name);
	else
		fprintf(stream, "    {\"component\": \"bit %u\"", bit.n);
	fprintf(stream, ", \"offset\": %" PRIu32 ", \"size\": %" PRIu32, extent->offset,
		extent->size);
	fprintf(stream, ", \"aligned\": %s%s}", extent->aligned ? "true" : "false",
		extent->supervisor ? ", \"supervisor\": true" : "");
}

static void put_layout(const struct writer *writer)
{
	const struct xf_host *host = writer->host;
	const char *separator = "\n";

	fputs("  \"layout\": ", writer->stream);
	if (!host->has_layout) {
		fputs("null,\n", writer->stream);
		return;
	}
	putc('[', writer->stream);
	for (unsigned int i = 0; i < XF_BITS; i++) {
		if (!host->layout.at[i].size)
			continue;
		fputs(separator, writer->stream);
		put_extent(writer, xf_bit(i), &host->layout.at[i]);
		separator = ",\n";
	}
	fputs("\n  ],\n", writer->stream);
}

static void put_not_learned(const struct writer *writer)
{
	const struct xf_host *host = writer->host;

	fputs("  \"not_learned\": {", writer->stream);
	for (size_t i = 0; i < host->unlearned_count; i++) {
		fputs(i ? ",\n    " : "\n    ", writer->stream);
		put_quoted(writer, host->unlearned[i].key);
		fputs(": ", writer->stream);
		put_quoted(writer, host->unlearned[i].why);
	}
	fputs(host->unlearned_count ? "\n  }\n" : "}\n", writer->stream);
}

/* A module that changes nothing is none, but by its name. */
static void put_module(const struct writer *writer)
{
	const struct xf_kvm *kvm = &writer->host->kvm;
	bool changes = kvm->hook_set || kvm->hook_get;

	if (changes && !xf_host_lacks(writer->host, "module"))
		fprintf(writer->stream,
			"  \"module\": {\"set\": \"0x%" PRIx64 "\", \"get\": \"0x%" PRIx64 "\"},\n",
			kvm->hook_set, kvm->hook_get);
	else
		fputs("  \"module\": null,\n", writer->stream);
	put_line(writer, "module_loaded", writer->host->module);
}

static void put_profile(const struct writer *writer)
{
	const struct xf_host *host = writer->host;
	const struct xf_kvm *kvm = &host->kvm;

	fprintf(writer->stream, "{\n  \"schema\": %d,\n", SCHEMA);
	put_line(writer, "kernel", host->kernel);
	put_line(writer, "qemu", host->qemu);
	fputs("  \"cpu\": {\"model\": ", writer->stream);
	put_text(writer, host->cpu);
	fputs("},\n", writer->stream);
	put_mask(writer, "supported", true, kvm->host);
	put_bool(writer, "xsave", !kvm->no_xsave);
	put_word(writer, "get", get_words, kvm->get);
	put_word(writer, "set", set_words, kvm->set);
	put_bool(writer, "header_checked", !kvm->header_unchecked);
	put_mask(writer, "mxcsr_mask", !(kvm->unknown & XF_UNKNOWN_MXCSR_MASK), kvm->mxcsr_mask);
	put_bool(writer, "mxcsr_always", kvm->mxcsr_always);
	put_word(writer, "protected", protected_words, kvm->protected_ignored);
	put_bool(writer, "get_after_cpuid", kvm->get_after_cpuid);
	put_bool(writer, "xfd_clears", kvm->xfd_clears);
	put_word(writer, "hook", hook_words, kvm->hook_pkru);
	put_module(writer);
	put_bool(writer, "cpuid_rewritten", kvm->shows_all);
	put_layout(writer);
	put_number(writer, "area_size", host->area_size);
	put_answer(writer, "amx_permitted", host->amx_permitted);
	put_answer(writer, "pkru_kept", host->pkru_kept);
	put_mask(writer, "after_run", host->has_after_run, host->after_run);
	put_not_learned(writer);
	fputs("}\n", writer->stream);
}

struct xf_error *xf_host_to_json(const struct xf_host *host, char **out)
{
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	if (!stream)
		return xf_error_memory();
	put_profile(&(const struct writer){ stream, host });
	text = xf_text_end(stream, &text);
	if (!text)
		return xf_error_memory();
	*out = text;
	return NULL;
}
