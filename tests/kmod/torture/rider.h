/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One vCPU that is set and asked without end. The states are those of the
 * differential proof (lab/generate.h): all subsets of components for every kind of
 * guest, and all that is hostile in a header.
 */
#ifndef XF_TORTURE_RIDER_H
#define XF_TORTURE_RIDER_H

#include "tests/kmod/torture/belief.h"

/* What all riders share; nobody writes it. */
struct ride {
	const struct xf_host *host;
	uint64_t masks[BELIEF_MASKS];
	unsigned int mask_count;
	enum belief_trim get;
	uint64_t states; /* for generate_init: how many kinds of subsets have their turn */
};

struct rider {
	const struct ride *ride;
	struct xf_kvm_device kvm;
	struct xf_kvm_vm vm;
	struct xf_kvm_cpu cpu;
	unsigned int vm_cpus;
	struct xf_kvm_cpuid supported;
	struct generate generate;
	struct generate_host shape;
	struct generated states[GENERATE_RUN];
	struct compare compare;
	struct belief belief;
	enum guest_kind kind;
	uint64_t sets, gets, accepted, refused, hooked, plain;
	unsigned char areas[GENERATE_RUN * XF_KVM_AREA_MAX];
	unsigned char got[XF_KVM_AREA_MAX];
	char wrong[256]; /* the first answer that nothing explains */
};

/* A rider that lives for ever, or NULL and a line on standard error. */
struct rider *rider_open(const struct ride *ride, uint64_t seed);
void rider_close(struct rider *rider);

/* One run of states on a new vCPU. False: `wrong` says what. */
bool rider_run(struct rider *rider, uint64_t run);

#endif
