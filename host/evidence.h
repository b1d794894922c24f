/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef XF_HOST_EVIDENCE_H
#define XF_HOST_EVIDENCE_H

#include "base/error.h"

/*
 * New evidence; bits of `guest.shown` that are not known are cleared. Takes
 * `source`, which malloc gave, and frees it when this fails; NULL is out of
 * memory. Its control characters become '?', as it may quote a hostile file.
 */
struct xf_error *xf_evidence_new(struct xf_guest guest, bool all_of_host, char *source,
				 struct xf_evidence **out);

/*
 * Of one guest, from two sources: what either shows counts as shown; hidden is what one knows to be
 * hidden and the other does not show. Either may be NULL; both: NULL. New evidence, the caller's.
 */
struct xf_error *xf_evidence_join(const struct xf_evidence *a, const struct xf_evidence *b,
				  struct xf_evidence **out);

/*
 * The same evidence, of a guest that began on this host: of what depends on the host, the host
 * tells. Without effect where nothing does (all_of_host).
 */
struct xf_error *xf_evidence_began_on(const struct xf_evidence *evidence,
				      const struct xf_host *host, struct xf_evidence **out);

/* What a source says of evidence that depends on the host, and began_on puts right. */
#define XF_DEPENDS_ON_HOST "depends on the host where it was started"

/* The same, where a host is given: takes `evidence`, which is given back as it is for `from` NULL.
 */
struct xf_error *xf_evidence_begun(struct xf_evidence *evidence, const struct xf_host *from,
				   struct xf_evidence **out);

/*
 * The <cpu> of libvirt's XML: of a domain, of a save image's cookie, or by itself. `name` says in
 * messages and in the source where the text comes from. `*out` is NULL where there is no <cpu>,
 * which the caller must understand: of a cookie it tells nothing, of a domain QEMU's default CPU.
 * XF_ERR_FORMAT is XML that is too much to be read here, and may be libvirt's all the same.
 */
struct xf_error *xf_evidence_of_xml(const char *name, const char *text, size_t size,
				    struct xf_evidence **out);

#endif
