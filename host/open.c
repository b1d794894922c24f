/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where a host comes from: this machine, a preset or a file. */
#include <string.h>

#include "base/io.h"
#include "base/scope.h"
#include "host/host.h"

/* A profile with 64 components is 8 KiB. */
#define PROFILE_MAX (1u << 20)

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
	if (err)
		return err;
	return xf_profile_parse(spec, text, size, out);
}
