/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Host profiles: what is accepted can be written, read again, and is then the same. */
#include <stdlib.h>
#include <string.h>

#include "fuzz/json_mutator.h"
#include "host/host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_fixpoint(const struct xf_host *host)
{
	struct xf_host *again;
	char *first, *second;

	if (xf_host_to_json(host, &first) ||
	    xf_profile_parse("fuzz", first, strlen(first), &again) ||
	    xf_host_to_json(again, &second) || strcmp(first, second) != 0)
		abort();
	free(first);
	free(second);
	xf_host_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct xf_host *host;

	memcpy(text, data, size);
	text[size] = '\0';

	struct xf_error *err = xf_profile_parse("fuzz", text, size, &host);

	if (!err) {
		if (!xf_is_consistent(host->kvm.host))
			abort();
		check_fixpoint(host);
		xf_host_free(host);
	} else if (strchr(err->text, '\n')) {
		abort();
	}
	xf_error_free(err);
	free(text);
	return 0;
}

#ifdef XF_LIBFUZZER
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	return mutate_json_alone(data, size, max, seed);
}
#endif
