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

#endif
