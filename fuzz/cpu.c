/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* -cpu arguments, masks and presets: all that is typed. */
#include <stdlib.h>
#include <string.h>

#include "xferry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_evidence(struct xf_error *err, struct xf_evidence *evidence)
{
	if (!err) {
		/* x87 and SSE are shown; no bit is said to be shown without being known. */
		if ((evidence->guest.shown & XF_FPSSE) != XF_FPSSE ||
		    (evidence->guest.shown & ~evidence->guest.known))
			abort();
		xf_evidence_free(evidence);
	} else if (err->code != XF_ERR_USAGE || strchr(err->text, '\n')) {
		abort();
	}
	xf_error_free(err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char prefix[] = "preset:";
	char *text = malloc(sizeof(prefix) + size);
	char *word = text + strlen(prefix);
	struct xf_evidence *evidence = NULL;
	struct xf_host *host;
	struct xf_error *err;

	memcpy(text, prefix, sizeof(prefix));
	memcpy(word, data, size);
	word[size] = '\0';

	err = xf_evidence_from_cpu(word, NULL, &evidence);
	check_evidence(err, evidence);
	err = xf_evidence_from_mask(word, &evidence);
	check_evidence(err, evidence);
	err = xf_host_open(text, &host);
	if (!err) {
		if (!xf_is_consistent(host->kvm.host))
			abort();
		xf_host_free(host);
	}
	xf_error_free(err);
	free(text);
	return 0;
}
