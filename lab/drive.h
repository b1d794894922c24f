/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Takes generated states through a KVM and through the model of it, side by side. */
#ifndef XF_LAB_DRIVE_H
#define XF_LAB_DRIVE_H

#include "host/kvm.h"
#include "lab/compare.h"

struct drive {
	const struct xf_host *host;
	struct generate generate;
	struct generate_host shape;
	struct compare compare;
	struct xf_kvm_device kvm;
	struct xf_kvm_vm vm;
	unsigned int vm_cpus; /* vCPUs made in this VM so far, and how many it may have */
	unsigned int vm_cpus_max;
	struct xf_kvm_cpuid supported;
	struct generated states[GENERATE_RUN];
	unsigned char areas[GENERATE_RUN * XF_KVM_AREA_MAX];
	unsigned char model[XF_KVM_AREA_MAX]; /* of struct xf_kvm_fpu */
	unsigned char expected[XF_KVM_AREA_MAX];
	unsigned char got[XF_KVM_AREA_MAX];
};

/* A drive with nothing open, and what closes it. */
void drive_clear(struct drive *drive);
void drive_close(struct drive *drive);

/*
 * Opens /dev/kvm for `states` states of `seed`. The profile must say all that the
 * model needs, and its area must be this KVM's.
 */
struct xf_error *drive_open(const struct xf_host *host, uint64_t seed, uint64_t states,
			    struct drive *out);

/* One run, or the first `count` states of it. An error: KVM did not do what any KVM must. */
struct xf_error *drive_run(struct drive *drive, uint64_t run, unsigned int count,
			   struct tally *tally);

#endif
