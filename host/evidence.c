/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/scope.h"
#include "host/evidence.h"
#include "host/text.h"

struct xf_error *xf_evidence_new(struct xf_guest guest, bool all_of_host, char *source,
				 struct xf_evidence **out)
{
	struct xf_evidence *evidence = malloc(sizeof(*evidence));

	if (!evidence || !source) {
		free(evidence);
		free(source);
		return xf_error_memory();
	}
	for (char *p = source; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	guest.shown &= guest.known;
	*evidence = (struct xf_evidence){
		.guest = guest,
		.all_of_host = all_of_host,
		.source = source,
	};
	*out = evidence;
	return NULL;
}

void xf_evidence_free(struct xf_evidence *evidence)
{
	if (!evidence)
		return;
	free((char *)evidence->source);
	free(evidence);
}

struct xf_error *xf_evidence_from_mask(const char *text, struct xf_evidence **out)
{
	struct xf_guest guest = { .known = UINT64_MAX };

	XF_TRY(xf_mask_from_text(text, &guest.shown));
	guest.shown |= XF_FPSSE;
	return xf_evidence_new(guest, false, xf_text("the mask %s", text), out);
}
