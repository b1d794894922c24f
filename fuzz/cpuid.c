/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Dumps of CPUID. */
#include <stdlib.h>
#include <string.h>

#include "host/cpuid_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct xf_guest guest;

	memcpy(text, data, size);
	text[size] = '\0';

	struct xf_error *err = xf_cpuid_text_parse("fuzz", text, size, &guest);

	if (!err && (guest.shown & guest.known & XF_FPSSE) != XF_FPSSE)
		abort();
	if (err && (strchr(err->text, '\n') || (err->offset != XF_NO_OFFSET && err->offset > size)))
		abort();
	xf_error_free(err);
	free(text);
	return 0;
}
