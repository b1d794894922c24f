/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "host/evidence.h"
#include "state/process.h"

struct xf_error *xf_process_evidence(const struct xf_vcpu *threads, size_t count,
				     struct xf_evidence **out)
{
	static const char source[] = "the file: a process, which is shown what its machine has";
	uint64_t shown = 0;

	for (size_t i = 0; i < count; i++)
		shown |= threads[i].xcr0.value | threads[i].xstate_bv.value;
	return xf_evidence_new((struct xf_guest){ shown, shown }, true, strdup(source), out);
}
