/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

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
	xf_make_printable(source);
	guest.shown &= guest.known;
	*evidence = (struct xf_evidence){
		.guest = guest,
		.all_of_host = all_of_host,
		.source = source,
	};
	*out = evidence;
	return NULL;
}

/* "A, and B". */
static char *both_sources(const struct xf_evidence *a, const struct xf_evidence *b)
{
	return a && b ? xf_text("%s, and %s", a->source, b->source)
		      : xf_text("%s", (a ? a : b)->source);
}

struct xf_error *xf_evidence_join(const struct xf_evidence *a, const struct xf_evidence *b,
				  struct xf_evidence **out)
{
	const struct xf_guest nothing = XF_GUEST_UNKNOWN;
	const struct xf_guest one = a ? a->guest : nothing, other = b ? b->guest : nothing;
	const struct xf_guest both = { one.shown | other.shown, one.known | other.known };
	/* What one of them knows of the guest does not depend on the host any more. */
	bool all_of_host = (!a || a->all_of_host) && (!b || b->all_of_host);
	bool seen_inside = (!a || a->seen_inside) && (!b || b->seen_inside);
	struct xf_evidence *evidence = NULL;

	if (a || b) {
		XF_TRY(xf_evidence_new(both, all_of_host, both_sources(a, b), &evidence));
		evidence->seen_inside = seen_inside;
	}
	*out = evidence;
	return NULL;
}

/* "-cpu host (started on old)", or behind what said nothing of a host ", started on old". */
static char *source_on(const char *source, const char *host)
{
	static const char open[] = XF_DEPENDS_ON_HOST;
	const char *at = strstr(source, open);

	if (!at)
		return xf_text("%s, started on %s", source, host);
	return xf_text("%.*sstarted on %s%s", (int)(at - source), source, host, at + strlen(open));
}

/*
 * A preset's CPU is assumed: what it has counts as shown, but what it lacks the real one may
 * have had.
 */
struct xf_error *xf_evidence_began_on(const struct xf_evidence *evidence,
				      const struct xf_host *host, struct xf_evidence **out)
{
	bool depends = evidence->all_of_host;
	struct xf_guest guest = evidence->guest;
	uint64_t open = depends ? XF_USER & ~guest.known : 0;
	char *source = depends ? source_on(evidence->source, host->name) : strdup(evidence->source);

	guest.shown |= open & host->kvm.host;
	guest.known |= host->cpu_assumed ? open & host->kvm.host : open;
	XF_TRY(xf_evidence_new(guest, depends, source, out));
	(*out)->seen_inside = evidence->seen_inside;
	return NULL;
}

struct xf_error *xf_evidence_begun(struct xf_evidence *evidence, const struct xf_host *from,
				   struct xf_evidence **out)
{
	if (!from) {
		*out = evidence;
		return NULL;
	}

	struct xf_error *err = xf_evidence_began_on(evidence, from, out);

	xf_evidence_free(evidence);
	return err;
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
