/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where a host comes from: this machine, a preset or a file. */
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/scope.h"
#include "host/host.h"

/* A profile with 64 components is 8 KiB. */
#define PROFILE_MAX (1u << 20)

/* "local,+hook", "b.json,-pku": what is known of these hosts is not corrected by words. */
static bool has_preset_words(const char *spec)
{
	static const char local[] = "local,";
	size_t len = strcspn(spec, ",");

	if (!spec[len] || strncmp(spec, local, strlen(local)) == 0)
		return spec[len];

	XF_AUTO_FREE char *path = strndup(spec, len);

	return path && *path && access(path, F_OK) == 0;
}

static struct xf_error *no_words_here(const char *spec)
{
	return xf_error_new(XF_ERR_USAGE, NULL,
			    "\"%s\": words behind a comma are for presets; what +hook says of a "
			    "preset, \"module\" says in a host profile (xferry-profile(5))",
			    spec);
}

struct xf_error *xf_host_open(const char *spec, struct xf_host **out)
{
	static const char prefix[] = "preset:";

	if (strncmp(spec, prefix, strlen(prefix)) == 0)
		return xf_preset_open(spec + strlen(prefix), out);
	if (strcmp(spec, "local") == 0)
		return xf_host_probe(out);

	XF_AUTO_FREE char *text = NULL;
	size_t size;

	struct xf_error *err = xf_read_text(spec, PROFILE_MAX, &text, &size);

	if (err && xf_is_preset(spec, strcspn(spec, ","))) {
		xf_error_free(err);
		return xf_error_new(XF_ERR_USAGE, NULL,
				    "%s: there is no such file; the preset is \"preset:%s\"", spec,
				    spec);
	}
	if (err && has_preset_words(spec)) {
		xf_error_free(err);
		return no_words_here(spec);
	}
	if (err)
		return err;
	return xf_profile_parse(spec, text, size, out);
}
