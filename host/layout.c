/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A layout by what people call it: a vendor's, or a host's own. */
#include <string.h>

#include "base/scope.h"
#include "host/host.h"

static const struct {
	const char *name;
	const struct xf_layout *layout;
} known[] = {
	{ "intel", &xf_layout_intel },
	{ "amd", &xf_layout_amd },
	{ "amd-avx512", &xf_layout_amd_avx512 },
};

struct xf_error *xf_layout_open(const char *spec, struct xf_layout *out)
{
	static const char preset[] = "preset:";
	XF_AUTO(xf_scope_host) struct xf_host *host = NULL;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(spec, known[i].name) == 0) {
			*out = *known[i].layout;
			return NULL;
		}
	}
	if (strncmp(spec, preset, strlen(preset)) == 0)
		return xf_error_new(
			XF_ERR_USAGE, NULL,
			"\"%s\": a preset tells of a kernel, and a layout is the CPU's: "
			"intel, amd, amd-avx512, local or a profile's path",
			spec);
	XF_TRY(xf_host_open(spec, &host));
	if (!host->has_layout)
		return xf_error_new(XF_ERR_USAGE, spec,
				    "does not tell where the components lie (\"layout\" is null)");
	*out = host->layout;
	return NULL;
}
