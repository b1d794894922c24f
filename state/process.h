/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What core dumps and checkpoints of processes have in common: each thread counts as a vCPU. */
#ifndef XF_STATE_PROCESS_H
#define XF_STATE_PROCESS_H

#include "base/error.h"

/*
 * A process is shown all that its machine has. What of that is known is what its kernel had
 * enabled, where the file tells that, and what the threads have in use.
 */
struct xf_error *xf_process_evidence(const struct xf_vcpu *threads, size_t count,
				     struct xf_evidence **out);

#endif
