/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <json-c/json.h>
#include <string.h>

#include "base/scope.h"
#include "host/host.h"
#include "lab/assume.h"

static void scope_json(struct json_object **json)
{
	json_object_put(*json);
}

/* What the model goes by; the other keys of a profile are for people. */
static const char *const keys[] = {
	"supported",	   "xsave",	 "get",		 "set",
	"header_checked",  "mxcsr_mask", "mxcsr_always", "protected",
	"get_after_cpuid", "xfd_clears", "hook",	 "module.set",
	"module.get",
};

static bool is_key(const char *word, size_t len)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strlen(keys[i]) == len && memcmp(keys[i], word, len) == 0)
			return true;
	return false;
}

/* true, false and null are what they are in JSON, all else is text. */
static struct json_object *value_of(const char *text)
{
	if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
		return json_object_new_boolean(text[0] == 't');
	return strcmp(text, "null") == 0 ? NULL : json_object_new_string(text);
}

/* "module.set": the key within the object, which is made when it is not there. */
static struct xf_error *enter(struct json_object **object, const char **key)
{
	static const char prefix[] = "module.";
	struct json_object *inner;

	if (strncmp(*key, prefix, strlen(prefix)) != 0)
		return NULL;
	*key += strlen(prefix);
	inner = json_object_object_get(*object, "module");
	if (!inner) {
		inner = json_object_new_object();
		if (!inner || json_object_object_add(*object, "module", inner))
			return xf_error_memory();
	}
	*object = inner;
	return NULL;
}

static struct xf_error *put(struct json_object *profile, const char *word)
{
	const char *value = strchr(word, '=');

	if (!value || !is_key(word, (size_t)(value - word)))
		return xf_error_new(
			XF_ERR_USAGE, NULL,
			"--assume %s: expected KEY=VALUE, KEY as xferry-profile(5) has it", word);

	XF_AUTO_FREE char *key = strndup(word, (size_t)(value - word));

	if (!key)
		return xf_error_memory();

	/* What is assumed is no longer unknown. */
	struct json_object *not_learned = json_object_object_get(profile, "not_learned");

	if (not_learned) {
		json_object_object_del(not_learned, key);
		if (strncmp(key, "module.", 7) == 0)
			json_object_object_del(not_learned, "module");
	}

	struct json_object *to = profile;
	const char *name = key;

	XF_TRY(enter(&to, &name));
	return json_object_object_add(to, name, value_of(value + 1)) ? xf_error_memory() : NULL;
}

struct xf_error *assume(const struct xf_host *host, char *const *words, size_t count,
			struct xf_host **out)
{
	XF_AUTO_FREE char *text = NULL;
	XF_AUTO(scope_json) struct json_object *profile = NULL;

	XF_TRY(xf_host_to_json(host, &text));
	profile = json_tokener_parse(text);
	if (!profile)
		return xf_error_memory();
	for (size_t i = 0; i < count; i++)
		XF_TRY(put(profile, words[i]));

	const char *changed = json_object_to_json_string(profile);
	struct xf_error *err = xf_profile_parse("--assume", changed, strlen(changed), out);

	if (err && err->code != XF_ERR_MEMORY)
		err->code = XF_ERR_USAGE;
	return err;
}
