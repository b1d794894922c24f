/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest that runs two instructions. */
#ifndef XF_HOST_PROBE_RUN_H
#define XF_HOST_PROBE_RUN_H

#include "host/kvm.h"
#include "host/probe.h"

/*
 * Runs nop and "out 0x80, al" on a vCPU as after reset, which comes back to us. False,
 * and why, where it does not. One that does not come back at all is closed then.
 */
bool xf_probe_run(const struct xf_kvm_vm *vm, struct xf_kvm_cpu *cpu, char why[XF_PROBE_WHY]);

#endif
