/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A -cpu argument of QEMU, word by word; host/cpu_model.c has what the words come to. */
#include <string.h>

#include "base/scope.h"
#include "host/cpu_model.h"
#include "host/evidence.h"
#include "host/nearest.h"
#include "host/text.h"

/* Every spelling that QEMU's bool properties take. */
static bool read_bool(const char *text, size_t len, bool *out)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = {
		{ "on", true },	  { "yes", true }, { "true", true },   { "y", true },
		{ "off", false }, { "no", false }, { "false", false }, { "n", false },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strlen(words[i].word) == len && memcmp(words[i].word, text, len) == 0) {
			*out = words[i].value;
			return true;
		}
	}
	return false;
}

/* "feature", "feature=on", "property=value". */
static struct xf_error *take_property(const char *word, size_t len, struct xf_cpu_words *words)
{
	const char *equals = memchr(word, '=', len);
	size_t name_len = equals ? (size_t)(equals - word) : len;
	const struct xf_cpu_feature *feature = xf_cpu_feature_find(word, name_len);
	bool on = true;

	if (!feature)
		return xf_cpu_feature_unknown(word, name_len);
	if (!feature->is_bool)
		return NULL;
	if (equals && !read_bool(equals + 1, len - name_len - 1, &on))
		return xf_error_new(XF_ERR_USAGE, NULL,
				    "CPU feature \"%s\" is on or off, not \"%.*s\"", feature->name,
				    xf_shown_length(len - name_len - 1), equals + 1);
	words->on = (words->on & ~feature->shows) | (on ? feature->shows : 0);
	words->off = (words->off & ~feature->shows) | (on ? 0 : feature->shows);
	return NULL;
}

static struct xf_error *take_word(const char *word, size_t len, struct xf_cpu_words *words)
{
	if (*word != '+' && *word != '-')
		return take_property(word, len, words);

	const struct xf_cpu_feature *feature = xf_cpu_feature_find(word + 1, len - 1);

	if (!feature)
		return xf_cpu_feature_unknown(word + 1, len - 1);
	if (!feature->is_bool)
		return xf_error_new(XF_ERR_USAGE, NULL, "\"%.*s\": %s is not on or off",
				    xf_shown_length(len), word, feature->name);
	*(*word == '+' ? &words->plus : &words->minus) |= feature->shows;
	return NULL;
}

struct xf_error *xf_cpu_text_parse(const char *cpu, const struct xf_cpu_model **model,
				   struct xf_cpu_words *words)
{
	struct xf_cpu_words found = { 0 };
	size_t len = strcspn(cpu, ",");

	XF_TRY(xf_cpu_model_find(cpu, len, model));
	for (const char *word = cpu + len; *word; word += len) {
		word += strspn(word, ",");
		len = strcspn(word, ",");
		if (len)
			XF_TRY(take_word(word, len, &found));
	}
	*words = found;
	return NULL;
}

struct xf_error *xf_evidence_from_cpu(const char *cpu, const struct xf_host *from,
				      struct xf_evidence **out)
{
	const struct xf_cpu_model *model;
	struct xf_cpu_words words;

	struct xf_evidence *evidence = NULL;

	XF_TRY(xf_cpu_text_parse(cpu, &model, &words));
	XF_TRY(xf_cpu_evidence(model, &words, xf_text("-cpu %s", cpu), &evidence));
	return xf_evidence_begun(evidence, from, out);
}
