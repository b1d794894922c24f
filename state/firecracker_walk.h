/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Firecracker's state, bincode with integers of fixed size, little-endian: walked from its first
 * byte to the last vCPU's last, structure by structure. The devices' states, which come behind,
 * are not looked at.
 *
 * Nothing in the bytes tells what they are; where they are is known from the order of the
 * structures alone, which differs between versions.
 */
#ifndef XF_STATE_FIRECRACKER_WALK_H
#define XF_STATE_FIRECRACKER_WALK_H

#include "base/error.h"

/* How a release lays the state out. */
struct xf_firecracker_layout {
	uint32_t version;     /* the data version's major number; the others are 0 */
	const char *releases; /* "1.9 and 1.10.0" */
	unsigned int traits;  /* firecracker_walk.c's */
};

/*
 * The layouts of a data version, `*count` of them in a row; none: it is not supported. Two
 * releases, 1.13 and 1.14, have the same version and different layouts.
 */
const struct xf_firecracker_layout *xf_firecracker_layouts(uint32_t version, size_t *count);

/* One vCPU's parts; places in the file. */
struct xf_firecracker_vcpu {
	uint64_t cpuid;	 /* of the first entry */
	uint64_t stride; /* from an entry to the next */
	uint64_t cpuid_count;
	uint64_t sregs;
	uint64_t xcrs;
	uint64_t area;	      /* its first 4096 bytes */
	uint64_t extra;	      /* what of the area is behind them; not next to them */
	uint64_t extra_count; /* of four bytes each */
};

#define XF_FIRECRACKER_REGION 4096

struct xf_firecracker_vcpus {
	struct xf_firecracker_vcpu *vcpus;
	size_t count;
	uint64_t reached; /* how far it could be walked, when it failed */
};

/*
 * Walks the state, which begins at `start` in a file of `size` bytes without its checksum. The
 * vCPUs are the caller's to free.
 */
struct xf_error *xf_firecracker_walk(const char *file, const uint8_t *bytes, uint64_t size,
				     uint64_t start, const struct xf_firecracker_layout *layout,
				     struct xf_firecracker_vcpus *out);

#endif
