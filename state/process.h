/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What core dumps and checkpoints of processes have in common: each thread counts as a vCPU. */
#ifndef XF_STATE_PROCESS_H
#define XF_STATE_PROCESS_H

#include "base/error.h"

/*
 * A process is shown all that its machine has. What of that is known is what its kernel had
 * enabled there: `xcr0`, 0 where the file does not tell.
 */
struct xf_error *xf_process_evidence(uint64_t xcr0, struct xf_evidence **out);

#endif
